//! What the figures were measured on, and with which versions.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::peers::Programs;

/// A machine with a higher load average is not quiet.
const QUIET_MAX: f64 = 0.5;

/// The machine, for the report.
#[must_use]
pub fn describe() -> Value {
    let read = |path: &str| {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        text.trim().to_owned()
    };
    let cpu = read("/proc/cpuinfo");
    let memory = read("/proc/meminfo");
    json!({
        "cpu": field(&cpu, "model name"),
        "cpus": cpu.matches("processor\t").count(),
        "memory": field(&memory, "MemTotal"),
        "kernel": read("/proc/sys/kernel/osrelease"),
        "load_average_before": read("/proc/loadavg"),
        "transparent_hugepages": read("/sys/kernel/mm/transparent_hugepage/enabled"),
        "shmem_hugepages": read("/sys/kernel/mm/transparent_hugepage/shmem_enabled"),
        "hugepages": read("/proc/sys/vm/nr_hugepages"),
        "tcp_wmem": read("/proc/sys/net/ipv4/tcp_wmem"),
        "tcp_rmem": read("/proc/sys/net/ipv4/tcp_rmem"),
        "congestion_control": read("/proc/sys/net/ipv4/tcp_congestion_control"),
    })
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
pub fn versions(programs: &Programs) -> Value {
    json!({
        "zonecast": said(&programs.zonecast, &["--version"]),
        "nginx": said(&programs.nginx, &["-V"]),
        "tree": said(Path::new("git"), &["describe", "--always", "--dirty"]),
    })
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
