//! The binary as an operator runs it: start, readiness, signals, exit codes.

#![allow(clippy::unwrap_used, reason = "a test's panic is its verdict")]

mod common;

use std::process::Command;

use common::daemon::{CONFIG, Daemon, TOKEN, address, get};
use rustix::process::Signal;

/// A whole run: a line says which way bytes will go, and why; the `ready` line names the addresses, `/readyz` and the supervisor agree; a bad
/// file is refused on SIGHUP and a good one taken; SIGTERM ends with exit code 0.
#[test]
fn start_reload_and_stop() {
    let folder = tempfile::tempdir().unwrap();
    let mut daemon = Daemon::start(&folder, CONFIG);
    daemon.logged(
        "byte path of zones 0-1, listener http: plain by lo: tls = false: nothing is sealed",
    );
    let ready = daemon.logged(" ready ");
    let admin = address(&ready, "admin");
    assert!(
        ready.contains("http=127.0.0.1:") && ready.contains("ingest=127.0.0.1:"),
        "{ready}"
    );
    assert!(daemon.told().starts_with("READY=1\nSTATUS="));
    assert!(get(&admin, "/readyz").contains(" 200 OK\r\n"));
    assert!(get(&admin, "/metrics").contains("\nzonecast_ready 1\n"));
    assert!(folder.path().join("state").is_dir());

    common::write(&folder, "zonecast.toml", &CONFIG.replace("32MiB", "1MiB"));
    daemon.signal(Signal::HUP);
    let refused = daemon.logged("reload refused");
    assert!(
        refused.contains("zonecast.toml:20: streams[0].ring: 1MiB is less than"),
        "{refused}"
    );
    assert!(daemon.told().starts_with("RELOADING=1\nMONOTONIC_USEC="));
    assert!(
        daemon
            .told()
            .starts_with("READY=1\nSTATUS=reload refused: ")
    );
    assert!(get(&admin, "/readyz").contains(" 200 OK\r\n"));

    common::write(&folder, "zonecast.toml", CONFIG);
    daemon.signal(Signal::HUP);
    daemon.logged("reloaded: ");
    assert!(daemon.told().starts_with("RELOADING=1"));
    assert!(daemon.told().starts_with("READY=1"));

    daemon.signal(Signal::TERM);
    daemon.logged("SIGTERM: draining");
    assert_eq!(daemon.told(), "STOPPING=1\nSTATUS=draining");
    daemon.logged("stopped");
    assert!(daemon.end().success());
}

/// A file with mistakes: they are all logged, and the exit code is 1.
#[test]
fn a_bad_file_does_not_start() {
    let folder = tempfile::tempdir().unwrap();
    let config = common::write(&folder, "zonecast.toml", "[limits]\nsend_buffers = 0\n");
    for command in ["serve", "check"] {
        let mut daemon = Command::new(env!("CARGO_BIN_EXE_zonecast"));
        let output = daemon
            .args([command, "--config"])
            .arg(&config)
            .output()
            .unwrap();
        let log = String::from_utf8(output.stderr).unwrap();
        assert!(
            log.contains("zonecast.toml:2: limits.send_buffers: 0 is not allowed"),
            "{log}"
        );
        assert_eq!(output.status.code(), Some(1));
    }
}

/// An address that somebody has is found before anything starts, and named with its line; for
/// `check` it is a warning, since the daemon itself may be running.
#[test]
fn an_address_in_use_is_named() {
    let folder = tempfile::tempdir().unwrap();
    common::write(&folder, "news.token", TOKEN);
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let text = CONFIG.replace(
        "[ingest]\nlisten = '127.0.0.1:0'",
        &format!("[ingest]\nlisten = '{address}'"),
    );
    let config = common::write(&folder, "zonecast.toml", &text);
    let expected = format!(
        "zonecast.toml:12: ingest.listen: {address}: the address is in use by another process"
    );
    let run = |command| {
        let mut daemon = Command::new(env!("CARGO_BIN_EXE_zonecast"));
        daemon
            .args([command, "--config"])
            .arg(&config)
            .output()
            .unwrap()
    };
    let served = run("serve");
    assert_eq!(served.status.code(), Some(1));
    assert!(
        String::from_utf8(served.stderr)
            .unwrap()
            .contains(&expected)
    );
    let checked = run("check");
    assert_eq!(checked.status.code(), Some(0));
    let screen = String::from_utf8(checked.stdout).unwrap();
    assert!(screen.contains(&format!("{expected}\n")), "{screen}");
    assert!(
        screen.contains("stream        news: any zone, 32MiB a track (26 s at 10 Mb/s)"),
        "{screen}"
    );
    assert!(
        screen.lines().count() <= 24,
        "more than a screen:\n{screen}"
    );
}
