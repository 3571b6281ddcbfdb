//! What the figures were measured on, and with which versions.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use time::OffsetDateTime;

use crate::peers::Programs;

/// A machine with a higher load average is not quiet.
const QUIET_MAX: f64 = 0.5;

/// Words in the name of a CPU that do not tell it from others.
const NOISE: [&str; 7] = ["cpu", "processor", "@", "with", "intel", "amd", "core"];

/// The machine, for the results.
#[must_use]
pub fn describe() -> BTreeMap<String, Value> {
    let read = |path: &str| {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        text.trim().to_owned()
    };
    let cpu = read("/proc/cpuinfo");
    let memory = read("/proc/meminfo");
    let (model, cpus) = (
        field(&cpu, "model name"),
        cpu.matches("processor\t").count(),
    );
    map(json!({
        "name": short_name(model.as_deref().unwrap_or_default(), cpus),
        "cpu": model,
        "cpus": cpus,
        "descriptors_max": field(&read("/proc/self/limits"), "Max open files"),
        "memory": field(&memory, "MemTotal"),
        "kernel": read("/proc/sys/kernel/osrelease"),
        "load_average_before": read("/proc/loadavg"),
        "transparent_hugepages": read("/sys/kernel/mm/transparent_hugepage/enabled"),
        "shmem_hugepages": read("/sys/kernel/mm/transparent_hugepage/shmem_enabled"),
        "hugepages": read("/proc/sys/vm/nr_hugepages"),
        "tcp_wmem": read("/proc/sys/net/ipv4/tcp_wmem"),
        "tcp_rmem": read("/proc/sys/net/ipv4/tcp_rmem"),
        "congestion_control": read("/proc/sys/net/ipv4/tcp_congestion_control"),
    }))
}

/// A name for files: what the CPU is, and how many there are.
fn short_name(model: &str, cpus: usize) -> String {
    let model = model.to_lowercase().replace("(r)", "").replace("(tm)", "");
    let clean = |word: &str| word.replace(|c: char| !c.is_ascii_alphanumeric() && c != '.', "");
    let words = model.split_whitespace().map(clean);
    let words = words.filter(|word| !word.is_empty() && !NOISE.contains(&word.as_str()));
    let words: Vec<_> = words.chain([format!("{cpus}cpu")]).collect();
    words.join("-")
}

fn map(value: Value) -> BTreeMap<String, Value> {
    match value {
        Value::Object(map) => map.into_iter().collect(),
        _ => BTreeMap::new(),
    }
}

/// A time as `2026-11-22T12:15:30Z`.
#[must_use]
pub fn utc(time: OffsetDateTime) -> String {
    let (date, (hour, minute, second)) = (time.date(), time.time().as_hms());
    format!("{date}T{hour:02}:{minute:02}:{second:02}Z")
}

/// A warning where something else runs on this machine: all that runs on the server's CPU is
/// charged to the server.
#[must_use]
pub fn not_quiet() -> Option<String> {
    let text = std::fs::read_to_string("/proc/loadavg").ok()?;
    let load: f64 = text.split(' ').next()?.parse().ok()?;
    (load > QUIET_MAX).then(|| {
        format!(
            "the load average is {load}: what else runs here is charged to the servers, and the \
             figures mean nothing"
        )
    })
}

/// The versions of what was measured.
#[must_use]
pub fn versions(programs: &Programs) -> BTreeMap<String, Value> {
    map(json!({
        "zonecast": said(&programs.zonecast, &["--version"]),
        "nginx": said(&programs.nginx, &["-V"]),
        "varnish": said(&programs.varnishd, &["-V"]),
        "hitch": said(&programs.hitch, &["--version"]),
        "redis": said(&programs.redis, &["--version"]),
        "stunnel": said(&programs.stunnel, &["-version"]),
        "tree": said(Path::new("git"), &["describe", "--always", "--dirty"]),
    }))
}

/// What a program says, on either stream; `null` where it does not run.
fn said(program: &Path, arguments: &[&str]) -> Value {
    let Ok(output) = Command::new(program).args(arguments).output() else {
        return Value::Null;
    };
    let text = [output.stdout, output.stderr].concat();
    String::from_utf8_lossy(&text).trim().into()
}

/// The value of a line `name : value`.
fn field(text: &str, name: &str) -> Option<String> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    Some(line.trim_start_matches([' ', '\t', ':']).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A CPU's name is one for files, and a time is one for people.
    #[test]
    fn names() {
        let name = short_name("Intel(R) Xeon(R) Processor @ 2.50GHz", 2);
        assert_eq!(name, "xeon-2.50ghz-2cpu");
        assert_eq!(short_name("", 1), "1cpu");
        let time = OffsetDateTime::from_unix_timestamp(1_795_349_730);
        let said = time.map(utc).unwrap_or_default();
        assert_eq!(said, "2026-11-22T12:15:30Z");
    }
}
