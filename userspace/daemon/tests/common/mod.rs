//! What several tests of the daemon share.

#![allow(clippy::unwrap_used, reason = "a test's panic is its verdict")]
#![allow(dead_code, reason = "each test binary uses its own part")]

pub(crate) mod daemon;
pub(crate) mod namespace;

use std::path::{Path, PathBuf};

use tempfile::TempDir;
use zonecast_daemon::config::{self, ConfigError, Planned, Settings};
use zonecast_numa::ZoneId;
use zonecast_numa::zones::{Zone, ZonesSpec};

/// Zones as a machine with two nodes would have them; CPU 99 does not exist there.
pub(crate) fn plan(spec: &ZonesSpec, _control_cpus: usize) -> Result<Planned, String> {
    let count = match spec {
        ZonesSpec::Auto => 2,
        ZonesSpec::Virtual(n) => *n,
        ZonesSpec::Listed(list) if list.iter().any(|zone| zone.cpus.contains(&99)) => {
            return Err("zone 0 lists CPU 99, which this process cannot run on".to_owned());
        }
        ZonesSpec::Listed(list) => list.len() as u16,
    };
    let zone = |id| Zone {
        id: ZoneId(id),
        node: Some(id.into()),
        is_virtual: false,
        loop_cpus: vec![id.into()],
        control_cpus: vec![id.into()],
        nics: Vec::new(),
        warnings: Vec::new(),
    };
    Ok(Planned {
        zones: (0..count).map(zone).collect(),
        notes: Vec::new(),
    })
}

/// Writes `text` to a file of `folder` and loads it.
pub(crate) fn load(folder: &TempDir, text: &str) -> Result<Settings, ConfigError> {
    config::load(&write(folder, "zonecast.toml", text), &plan)
}

/// Writes a file that only its owner can read.
pub(crate) fn write(folder: &TempDir, name: &str, text: &str) -> PathBuf {
    use std::os::unix::fs::PermissionsExt;
    let path = folder.path().join(name);
    std::fs::write(&path, text).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    path
}

/// Writes `cert.pem` and `key.pem` for `localhost`.
pub(crate) fn write_certificate(folder: &TempDir) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    write(folder, "cert.pem", &made.cert.pem());
    write(folder, "key.pem", &made.signing_key.serialize_pem());
}

/// `text` without the folder's name, which differs from run to run.
pub(crate) fn without_folder(text: &str, folder: &Path) -> String {
    text.replace(&format!("{}/", folder.display()), "")
}
