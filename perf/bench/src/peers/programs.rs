//! Where the servers' programs are, and what to do about those that are not there.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use super::Kind;
use crate::cli::Arguments;

/// What to do about a program that only some benchmarks need.
const BY_SETUP: &str = "cargo xtask setup bench installs it";
/// What to do about one of this package.
const BUILT: &str = "cargo build --release -p zonecast-bench builds it";

/// The binaries.
#[derive(Debug, Clone)]
pub struct Programs {
    /// The daemon.
    pub zonecast: PathBuf,
    /// The floor program.
    pub floor: PathBuf,
    /// nginx.
    pub nginx: PathBuf,
    /// Varnish.
    pub varnishd: PathBuf,
    /// hitch.
    pub hitch: PathBuf,
    /// Redis.
    pub redis: PathBuf,
    /// What speaks TLS for it.
    pub stunnel: PathBuf,
    /// What writes files of what Redis publishes.
    pub subscriber: PathBuf,
}

impl Programs {
    /// Where they are, if they are there.
    #[must_use]
    pub fn named(arguments: &Arguments) -> Programs {
        Programs {
            zonecast: arguments.zonecast.clone(),
            floor: arguments.floor.clone(),
            nginx: on_path(&arguments.nginx),
            varnishd: on_path(Path::new("varnishd")),
            hitch: on_path(Path::new("hitch")),
            redis: on_path(Path::new("redis-server")),
            stunnel: on_path(Path::new("stunnel")),
            // It is built with the floor program.
            subscriber: arguments.floor.with_file_name("zonecast-subscriber"),
        }
    }

    /// Makes sure that what will be started is there.
    ///
    /// # Errors
    /// It is not; with what to do about it.
    pub fn find(arguments: &Arguments, kinds: &[Kind]) -> Result<Programs> {
        let programs = Programs::named(arguments);
        for &kind in kinds {
            if let Some(missing) = programs.missing(kind) {
                bail!(missing);
            }
        }
        Ok(programs)
    }
}

impl Programs {
    /// What a server lacks to be started, and what to do about it.
    #[must_use]
    pub fn missing(&self, kind: Kind) -> Option<String> {
        let nginx = (&self.nginx, "cargo xtask setup installs it (nginx-light)");
        let needs = match kind {
            Kind::Ours => vec![(
                &self.zonecast,
                "cargo build --release -p zonecast builds it",
            )],
            Kind::Nginx => vec![nginx],
            Kind::Floor => vec![(&self.floor, BUILT)],
            Kind::Varnish => vec![(&self.varnishd, BY_SETUP), (&self.hitch, BY_SETUP), nginx],
            Kind::Redis => vec![
                (&self.redis, BY_SETUP),
                (&self.stunnel, BY_SETUP),
                (&self.subscriber, BUILT),
                nginx,
            ],
        };
        let mut missing = needs.iter().filter(|(program, _)| !program.is_file());
        let (program, hint) = missing.next()?;
        Some(format!("{} is not installed; {hint}", program.display()))
    }
}

/// A name without a folder is looked for on the PATH, and where daemons are.
fn on_path(program: &Path) -> PathBuf {
    if program.components().count() > 1 {
        return program.to_owned();
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain([PathBuf::from("/usr/sbin")])
        .map(|folder| folder.join(program))
        .find(|file| file.is_file())
        .unwrap_or_else(|| program.to_owned())
}
