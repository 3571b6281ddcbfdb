//! The daemon, as an operator sees it: a configuration, a log, and an admin address.

use crate::https::{Certificate, get};
use crate::tool::{Server, start, until};
use anyhow::{Context, Result, ensure};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Ring memory of each zone, in bytes.
pub(crate) const ARENA: u64 = 64 << 20;

/// Longer than the emulated card is told to hold what was acknowledged.
const NIC_DRAIN: &str = "3s";

/// For every upload.
pub(crate) const TOKEN: &str = "the-lab-is-a-closed-place-000000000000";

/// The two streams; they are placed by the daemon.
pub(crate) const STREAMS: [&str; 2] = ["a", "b"];

/// A daemon that runs until it is dropped.
pub(crate) struct Daemon {
    server: Server,
    folder: PathBuf,
    pub(crate) certificate: Certificate,
}

impl Daemon {
    /// Starts one in a folder of its own and waits until it is ready.
    pub(crate) fn start(name: &str) -> Result<Daemon> {
        Self::start_with(name, "")
    }

    /// The same with more tables in its configuration.
    pub(crate) fn start_with(name: &str, more: &str) -> Result<Daemon> {
        let folder = Path::new("/run").join(name);
        fs::create_dir_all(&folder)?;
        let certificate = Certificate::make(&folder)?;
        let token = folder.join("token");
        fs::write(&token, TOKEN)?;
        fs::set_permissions(&token, fs::Permissions::from_mode(0o600))?;
        let config = folder.join("zonecast.toml");
        fs::write(&config, configuration(&certificate) + more)?;
        // The first process of a machine has few descriptors, and all others inherit that.
        let mut command = Command::new("sh");
        let script = "ulimit -n 65536 && exec zonecast serve --config \"$0\"";
        command.args(["-c", script]).arg(&config);
        let server = start(&mut command, &folder.join("daemon.log"))?;
        let mut daemon = Daemon {
            server,
            folder,
            certificate,
        };
        until("ready", || daemon.is_ready())?;
        Ok(daemon)
    }

    fn is_ready(&mut self) -> Result<Option<()>> {
        let log = self.log()?;
        if log.contains(" ready ") {
            return Ok(Some(()));
        }
        ensure!(self.server.is_running(), "the daemon has ended: {log}");
        Ok(None)
    }

    pub(crate) fn pid(&self) -> u32 {
        self.server.0.id()
    }

    /// Where the suite may put files.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// All that it has logged.
    pub(crate) fn log(&self) -> Result<String> {
        let log = fs::read_to_string(self.folder.join("daemon.log"))?;
        Ok(log)
    }

    /// The lines of the log with this in them, without time and place.
    pub(crate) fn logged(&self, what: &str) -> Result<Vec<String>> {
        let log = self.log()?;
        let lines = log.lines().filter(|line| line.contains(what));
        let message = |line: &str| {
            let said = line.split_once(": ").map_or(line, |(_, said)| said);
            said.to_owned()
        };
        Ok(lines.map(message).collect())
    }

    /// The metrics as they are now.
    pub(crate) fn metrics(&self) -> Result<Metrics> {
        let text = get("http://127.0.0.1:9090/metrics", None)?;
        Ok(Metrics(String::from_utf8(text)?))
    }

    /// Bytes to viewers by a path (`ktls`), by the ledger.
    pub(crate) fn bytes_by(&self, path: &str) -> Result<u64> {
        let label = format!("path=\"{path}\"");
        Ok(self.metrics()?.sum("zonecast_bytes_total", &[&label])? as u64)
    }

    /// Waits until so many viewers are connected.
    pub(crate) fn until_viewers(&self, count: u32) -> Result<()> {
        until("so many viewers", || {
            let viewers = self.metrics()?.sum("zonecast_viewers", &[])?;
            Ok((viewers == f64::from(count)).then_some(()))
        })
    }

    /// The zone in which a stream lives.
    pub(crate) fn zone_of(&self, stream: &str) -> Result<u32> {
        let text = String::from_utf8(get("http://127.0.0.1:9090/streams", None)?)?;
        zone_in(&text, stream).with_context(|| format!("{stream} in {text}"))
    }

    pub(crate) fn ingest(&self, stream: &str, name: &str) -> String {
        format!("http://127.0.0.1:8080/live/{stream}/{name}")
    }

    pub(crate) fn url(&self, stream: &str, name: &str) -> String {
        format!("https://localhost:8443/live/{stream}/{name}")
    }
}

/// A page of metrics.
pub(crate) struct Metrics(String);

impl Metrics {
    /// The sum of all samples of `name` that have all these labels (`zone="0"`).
    pub(crate) fn sum(&self, name: &str, labels: &[&str]) -> Result<f64> {
        let mut found = None;
        for line in self.0.lines() {
            let Some((key, value)) = line.rsplit_once(' ') else {
                continue;
            };
            let same = key.split('{').next() == Some(name);
            if same && labels.iter().all(|label| key.contains(label)) {
                *found.get_or_insert(0.0) += value.parse::<f64>()?;
            }
        }
        found.with_context(|| format!("no metric {name} with {labels:?}"))
    }

    /// The sums of all samples of `name`, by the values of these labels.
    pub(crate) fn by<const N: usize>(
        &self,
        name: &str,
        labels: [&str; N],
    ) -> Result<BTreeMap<[String; N], f64>> {
        let mut sums = BTreeMap::new();
        for line in self.0.lines() {
            let Some((key, value)) = line.rsplit_once(' ') else {
                continue;
            };
            if key.split('{').next() == Some(name) {
                let key = labels.map(|label| value_of(key, label).unwrap_or_default().to_owned());
                *sums.entry(key).or_insert(0.0) += value.parse::<f64>()?;
            }
        }
        Ok(sums)
    }
}

/// The value of a label in a sample's name.
fn value_of<'a>(key: &'a str, label: &str) -> Option<&'a str> {
    let sign = format!("{label}=\"");
    let mut parts = key.split(['{', ',', '}']);
    parts
        .find_map(|part| part.strip_prefix(&sign))?
        .strip_suffix('"')
}

/// The number after `"id":"STREAM","zone":`.
fn zone_in(text: &str, stream: &str) -> Option<u32> {
    let sign = format!("\"id\":\"{stream}\",\"zone\":");
    let rest = &text[text.find(&sign)? + sign.len()..];
    let end = rest.find(|c: char| !c.is_ascii_digit())?;
    rest[..end].parse().ok()
}

fn configuration(certificate: &Certificate) -> String {
    let (chain, key) = (&certificate.chain, &certificate.key);
    let arena = ARENA >> 20;
    let mut text = format!(
        "state_dir = \"\"\nzones = \"auto\"\n[memory]\narena = \"{arena}MiB\"\n\
         [[certificates]]\nchain_file = {chain:?}\nkey_file = {key:?}\n\
         [[listeners]]\nlisten = \"127.0.0.1:8443\"\n\
         [ingest]\nlisten = \"127.0.0.1:8080\"\n[limits]\nobject_bytes_max = \"4MiB\"\n\
         nic_drain = \"{NIC_DRAIN}\"\n"
    );
    for stream in STREAMS {
        text += &format!(
            "[[streams]]\nid = {stream:?}\ntoken_file = \"token\"\nring = \"8MiB\"\ntracks_max = 2\n"
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Samples are summed by name and labels; a name that is another's beginning is not it.
    #[test]
    fn sums_metrics() {
        let text =
            "a{zone=\"0\",path=\"x\"} 2\na{zone=\"1\",path=\"x\"} 3\na_total{zone=\"0\"} 9\n";
        let metrics = Metrics(text.to_owned());
        assert_eq!(metrics.sum("a", &[]).unwrap(), 5.0);
        assert_eq!(metrics.sum("a", &["zone=\"1\""]).unwrap(), 3.0);
        assert!(metrics.sum("b", &[]).is_err());
        let by = metrics.by("a", ["path"]).unwrap();
        assert_eq!(by, BTreeMap::from([([String::from("x")], 5.0)]));
        assert_eq!(metrics.by("a", ["zone", "path"]).unwrap().len(), 2);
    }

    /// A stream's zone is found by its id.
    #[test]
    fn finds_zones() {
        let text = r#"[{"id":"a","zone":0,"live":true},{"id":"b","zone":1,"live":true}]"#;
        assert_eq!(zone_in(text, "b"), Some(1));
        assert_eq!(zone_in(text, "c"), None);
    }
}
