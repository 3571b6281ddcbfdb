//! How viewers' connections would get to zones.

use serde::Serialize;
use zonecast_ebpf::Folder;

use crate::config::Settings;

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
    let folder = Folder::check(&config.folder);
    if let Err(error) = folder {
        return Steering {
            path: "spread",
            why: format!("the kernel spreads viewers over all loops: {error}"),
            change: Some("steering.folder in a bpffs, that it may write and no other daemon has"),
        };
    }
    match zonecast_ebpf::probe() {
        Ok(()) => Steering {
            path: "sk_lookup",
            why: format!(
                "the kernel takes the programs; to be pinned in {}",
                config.folder.display()
            ),
            change: None,
        },
        Err(error) => Steering {
            path: "spread",
            why: format!("the kernel spreads viewers over all loops: {error}"),
            change: Some("run it as root, or with CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON"),
        },
    }
}
