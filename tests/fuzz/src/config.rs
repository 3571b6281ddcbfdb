//! The daemon's configuration, as an operator's file.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use tempfile::TempDir;
use zonecast_daemon::check::Summary;
use zonecast_daemon::config::{self, Address, ConfigError, Planned, Settings};
use zonecast_daemon::units::{Bytes, Time};
use zonecast_numa::ZoneId;
use zonecast_numa::zones::Zone;

/// Where files cost no disk.
const IN_MEMORY: &str = "/dev/shm";

/// A file in a folder of its own.
struct Place {
    folder: TempDir,
}

/// A machine of two zones, whatever the file asks for.
static PLANNED: LazyLock<Planned> = LazyLock::new(|| Planned {
    zones: (0..2).map(zone).collect(),
    notes: Vec::new(),
});

fn zone(id: u16) -> Zone {
    Zone {
        id: ZoneId(id),
        node: None,
        is_virtual: true,
        loop_cpus: vec![usize::from(id)],
        control_cpus: Vec::new(),
        nics: Vec::new(),
        warnings: Vec::new(),
    }
}

pub(crate) fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    units(text);
    // Whatever can be read that is not beside the file is none of this target's business: a
    // device or a pipe would not even end.
    if text.contains("_file") && text.contains(['/', '\\']) {
        return;
    }
    let place = Place::new();
    let first = place.load(text);
    match (&first, &place.load(text)) {
        (Ok(one), Ok(two)) => same(one, two),
        (Err(one), Err(two)) => assert_eq!(one.to_string(), two.to_string()),
        _ => panic!("another verdict the second time"),
    }
    match first {
        Ok(settings) => place.accepted(text, &settings),
        Err(error) => place.refused(text, &error),
    }
}

fn same(one: &Settings, two: &Settings) {
    assert_eq!(one.file, two.file);
    assert_eq!(Summary(one).to_string(), Summary(two).to_string());
    assert_eq!(one.warnings, two.warnings);
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir_in(IN_MEMORY).or_else(|_| tempfile::tempdir());
        Self {
            folder: folder.expect("a folder for temporary files"),
        }
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("zonecast.toml")
    }

    fn load(&self, text: &str) -> Result<Settings, ConfigError> {
        let file = self.file();
        std::fs::write(&file, text).expect("the file can be written");
        config::load(&file, &|_, _| Ok(PLANNED.clone()))
    }

    /// What is accepted means the same with comments around it, and to a daemon that runs with
    /// it.
    fn accepted(&self, text: &str, settings: &Settings) {
        let commented = self.load(&format!("# a comment\n{text}\n# another\n"));
        let commented = commented.expect("comments change nothing");
        assert_eq!(commented.file, settings.file);
        self.load(text).expect("it is accepted again");
        let (again, stays) = config::reload(settings).expect("its own file is taken over");
        assert_eq!(stays, [""; 0], "nothing has changed");
        same(&again, settings);
        assert!(!Summary(settings).to_string().is_empty());
        for warning in &settings.warnings {
            self.named(text, warning.line, &warning.file);
        }
    }

    /// Every complaint names the file and, where it names a line, one that is there.
    fn refused(&self, text: &str, error: &ConfigError) {
        let ConfigError::Wrong(problems) = error else {
            panic!("the file is there: {error}");
        };
        assert!(!problems.is_empty());
        for problem in problems {
            self.named(text, problem.line, &problem.file);
            assert!(!problem.text.is_empty());
        }
    }

    fn named(&self, text: &str, line: Option<usize>, file: &Path) {
        assert_eq!(file, self.file());
        let lines = text.split('\n').count();
        let there = line.is_none_or(|line| (1..=lines).contains(&line));
        assert!(there, "{line:?}");
    }
}

/// Times, sizes and addresses print as what they are read from.
fn units(text: &str) {
    if let Ok(time) = text.parse::<Time>() {
        assert_eq!(time.to_string().parse(), Ok(time));
    }
    if let Ok(bytes) = text.parse::<Bytes>() {
        assert_eq!(bytes.to_string().parse(), Ok(bytes));
    }
    if let Ok(address) = text.parse::<Address>() {
        assert_eq!(address.to_string().parse(), Ok(address));
    }
}
