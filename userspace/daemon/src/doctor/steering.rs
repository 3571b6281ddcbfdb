//! How viewers' connections would get to zones.

use serde::Serialize;
use zonecast_ebpf::{Folder, probe};

use crate::config::Settings;

/// What changes it where the folder is the obstacle, and where rights are.
const ANOTHER_FOLDER: &str =
    "steering.folder in a bpffs, that it may write and no other daemon has";
const MORE_RIGHTS: &str = "run it as root, or with CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON";

/// What is to be expected.
#[derive(Debug, Serialize)]
pub struct Steering {
    /// `sk_lookup` or `spread`; which it was in the end, the daemon says at its start.
    pub path: &'static str,
    /// Why that.
    pub why: String,
    /// What would change it.
    pub change: Option<&'static str>,
}

/// Has the kernel look at the programs, which are dropped again.
pub(super) fn look(settings: &Settings) -> Steering {
    let Some(config) = &settings.steering else {
        return Steering {
            path: "spread",
            why: "steering.mode is \"off\": the kernel spreads viewers over all loops".to_owned(),
            change: Some("steering.mode = \"auto\""),
        };
    };
    let folder = Folder::check(&config.folder).map_err(|error| (error, ANOTHER_FOLDER));
    let taken = folder.and_then(|()| probe().map_err(|error| (error, MORE_RIGHTS)));
    match taken {
        Ok(()) => Steering {
            path: "sk_lookup",
            why: format!(
                "the kernel takes the programs; to be pinned in {}",
                config.folder.display()
            ),
            change: None,
        },
        Err((error, change)) => Steering {
            path: "spread",
            why: format!("the kernel spreads viewers over all loops: {error}"),
            change: Some(change),
        },
    }
}
