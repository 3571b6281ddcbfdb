//! The binary as an operator runs it: start, readiness, signals, exit codes.

#![allow(clippy::unwrap_used, reason = "a test's panic is its verdict")]

mod common;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixDatagram;
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

const CONFIG: &str = "\
state_dir = 'state'
zones = 'virtual:2'
drain_timeout = '1s'
[memory]
arena = '64MiB'
pages = 'plain'
[admin]
listen = '127.0.0.1:0'
[ingest]
listen = '127.0.0.1:0'
[[listeners]]
name = 'http'
listen = '127.0.0.1:0'
tls = false
[[streams]]
id = 'news'
token_file = 'news.token'
ring = '32MiB'
tracks_max = 2
[limits]
send_buffers = 16
";

const TOKEN: &str = "0123456789abcdefghij";

/// A running daemon; killed when the test ends without it having ended.
struct Daemon {
    child: Child,
    log: BufReader<ChildStderr>,
    supervisor: UnixDatagram,
}

impl Daemon {
    fn start(folder: &TempDir, text: &str) -> Self {
        common::write(folder, "news.token", TOKEN);
        let config = common::write(folder, "zonecast.toml", text);
        let notify = folder.path().join("notify");
        let supervisor = UnixDatagram::bind(&notify).unwrap();
        supervisor
            .set_read_timeout(Some(Duration::from_secs(60)))
            .unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_zonecast"))
            .args(["serve", "--log-format", "text", "--config"])
            .arg(config)
            .env("NOTIFY_SOCKET", notify)
            .env_remove("ZONECAST_LOG")
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = BufReader::new(child.stderr.take().unwrap());
        Self {
            child,
            log,
            supervisor,
        }
    }

    /// Reads the log up to a line with `text`.
    fn logged(&mut self, text: &str) -> String {
        let mut before = String::new();
        loop {
            let mut line = String::new();
            let length = self.log.read_line(&mut line).unwrap();
            assert!(length > 0, "the log ended without {text:?}:\n{before}");
            if line.contains(text) {
                return line;
            }
            before.push_str(&line);
        }
    }

    /// The next message to the supervisor.
    fn told(&self) -> String {
        let mut bytes = [0; 1024];
        let length = self.supervisor.recv(&mut bytes).unwrap();
        String::from_utf8(bytes[..length].to_vec()).unwrap()
    }

    fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
    }

    fn end(mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The address of a listener in the `ready` line.
fn address(ready: &str, name: &str) -> String {
    let rest = ready.split(&format!("{name}=")).nth(1).unwrap();
    rest.split_whitespace().next().unwrap().to_owned()
}

/// An upload that does not end, and a viewer who follows it and has its first bytes.
fn open_response(ready: &str) -> (TcpStream, TcpStream) {
    let mut encoder = TcpStream::connect(address(ready, "ingest")).unwrap();
    write!(
        encoder,
        "PUT /live/news/a.ts HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\n\
         Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"
    )
    .unwrap();
    let mut viewer = TcpStream::connect(address(ready, "http")).unwrap();
    viewer
        .write_all(b"GET /live/news/a.ts HTTP/1.1\r\nHost: x\r\n\r\n")
        .unwrap();
    let mut got = Vec::new();
    while !got.ends_with(b"hello\r\n") {
        let mut bytes = [0; 1024];
        let length = viewer.read(&mut bytes).unwrap();
        assert!(length > 0, "{}", String::from_utf8_lossy(&got));
        got.extend_from_slice(&bytes[..length]);
    }
    (encoder, viewer)
}

fn get(address: &str, path: &str) -> String {
    exchange(TcpStream::connect(address).unwrap(), path)
}

fn exchange(mut stream: TcpStream, path: &str) -> String {
    write!(stream, "GET {path} HTTP/1.0\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// A whole run: the `ready` line names the addresses, `/readyz` and the supervisor agree; a bad
/// file is refused on SIGHUP and a good one taken; SIGTERM ends with exit code 0.
#[test]
fn start_reload_and_stop() {
    let folder = tempfile::tempdir().unwrap();
    let mut daemon = Daemon::start(&folder, CONFIG);
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
        refused.contains("zonecast.toml:18: streams[0].ring: 1MiB is less than"),
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

/// Draining is bounded: a response that would never end is cut after `drain_timeout`, meanwhile
/// `/readyz` says 503, and the exit code is 0.
#[test]
fn draining_is_bounded() {
    let folder = tempfile::tempdir().unwrap();
    let mut daemon = Daemon::start(&folder, CONFIG);
    let ready = daemon.logged(" ready ");
    let (_encoder, mut viewer) = open_response(&ready);
    let admin = TcpStream::connect(address(&ready, "admin")).unwrap();
    daemon.signal(Signal::TERM);
    daemon.logged("draining");
    let answer = exchange(admin, "/readyz");
    assert!(answer.contains(" 503 "), "{answer}");
    let mut rest = Vec::new();
    let _ = viewer.read_to_end(&mut rest);
    assert!(
        !rest.ends_with(b"0\r\n\r\n"),
        "a cut response must not look complete"
    );
    daemon.logged("stopped");
    assert!(daemon.end().success());
}

/// A second signal does not wait for what the first one waits for.
#[test]
fn a_second_signal_ends_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let text = CONFIG.replace("drain_timeout = '1s'", "drain_timeout = '1h'");
    let mut daemon = Daemon::start(&folder, &text);
    let ready = daemon.logged(" ready ");
    let _open = open_response(&ready);
    daemon.signal(Signal::INT);
    daemon.logged("SIGINT: draining");
    daemon.signal(Signal::TERM);
    daemon.logged("SIGTERM again: ending at once");
    assert_eq!(daemon.end().code(), Some(1));
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
        "zonecast.toml:10: ingest.listen: {address}: the address is in use by another process"
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
