//! `zonecast doctor` on this machine: what must hold wherever it runs.

#![allow(clippy::unwrap_used, reason = "a test's panic is its verdict")]

mod common;

use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;
use zonecast_io::KernelTls;

const EXAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/zonecast.example.toml");

fn doctor(config: &Path, more: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_zonecast"));
    command.arg("doctor").arg("--config").arg(config).args(more);
    command.output().unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap()
}

/// A configuration that can be served anywhere, with a TLS listener on `listen`.
fn servable(folder: &tempfile::TempDir, listen: &str) -> std::path::PathBuf {
    common::write_certificate(folder);
    let text = format!(
        "[memory]\narena = '2MiB'\n[admin]\nlisten = '127.0.0.1:0'\n\
         [ingest]\nlisten = '127.0.0.1:0'\n[[certificates]]\nchain_file = 'cert.pem'\n\
         key_file = 'key.pem'\n[[listeners]]\nname = 'https'\nlisten = '{listen}'\n"
    );
    common::write(folder, "zonecast.toml", &text)
}

/// Shows that the example's diagnosis names what the machine has: its kernel, its CPUs, whether the
/// kernel seals, and pages for the default of 1 GiB a zone.
#[test]
fn the_example_is_diagnosed() {
    let output = doctor(Path::new(EXAMPLE), &[]);
    let said = text(&output.stdout);
    println!("{said}");
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    assert!(said.contains(&format!("Linux {}", release.trim())));
    let kernel = KernelTls::probe();
    match kernel.refusal() {
        Some(reason) => {
            assert!(said.contains(&format!("none ({reason})")));
            assert!(said.contains("userspace_tls"));
        }
        None => assert!(said.contains(&kernel.described())),
    }
    let found = json(&doctor(Path::new(EXAMPLE), &["--json"]));
    assert_eq!(found["kernel_tls"]["available"], kernel.refusal().is_none());
    assert_eq!(found["kernel_tls"]["change"].is_null(), kernel.rekeys());
    let zones = found["zones"].as_array().unwrap();
    let pools = found["nodes"][0]["pools"].as_array().unwrap();
    assert_eq!(pools.len(), 2, "1 GiB and 2 MiB pages");
    let on_node = found["nodes"][0]["zones"].as_array().unwrap().len() as u64;
    assert_eq!(pools[1]["needed"], 512 * on_node);
    assert!(!zones.is_empty() && zones.iter().all(|zone| !zone["loop_cpus"][0].is_null()));
    assert_eq!(found["listeners"][0]["egress"][0]["path"], "plain");
    // Whether the example can be served depends on memory and on who else listens.
    let obstacles = found["obstacles"].as_array().unwrap();
    assert_eq!(
        output.status.success(),
        obstacles.is_empty(),
        "{obstacles:?}"
    );
}

/// Shows that a TLS listener on loopback gets the best path of this kernel, with a reason, and that
/// a machine that can do less is no failure.
#[test]
fn a_tls_listener_gets_the_best_path() {
    let folder = tempfile::tempdir().unwrap();
    let output = doctor(&servable(&folder, "127.0.0.1:0"), &["--json"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let found = json(&output);
    let way = &found["listeners"][0]["egress"][0];
    assert_eq!(way["device"]["name"], "lo");
    assert_eq!(way["device"]["is_virtual"], true);
    match KernelTls::probe().refusal() {
        Some(reason) => {
            assert_eq!(way["path"], "userspace_tls");
            assert!(way["why"].as_str().unwrap().contains(reason));
            assert!(!way["change"].is_null());
        }
        None => assert_eq!(way["path"], "ktls"),
    }
}

/// Shows that an address that this machine has not is an obstacle, by its name and key, while one
/// in use is a note: the daemon itself may be running.
#[test]
fn what_cannot_be_served_is_an_obstacle() {
    let folder = tempfile::tempdir().unwrap();
    let output = doctor(&servable(&folder, "192.0.2.250:8443"), &[]);
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output.stdout);
    let line = said
        .lines()
        .find(|line| line.starts_with("it cannot serve:"));
    assert!(
        line.unwrap()
            .contains("listeners[0].listen: 192.0.2.250:8443"),
        "{said}"
    );

    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = taken.local_addr().unwrap().to_string();
    let output = doctor(&servable(&folder, &listen), &[]);
    assert!(output.status.success());
    let said = text(&output.stdout);
    assert!(
        said.contains("note: ") && said.contains("is in use"),
        "{said}"
    );
}

/// Shows that a file with a mistake is refused as by `check`.
#[test]
fn a_mistake_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let config = common::write(&folder, "zonecast.toml", "[memory]\narena = '1B'\n");
    let output = doctor(&config, &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("memory.arena"), "{output:?}");
}
