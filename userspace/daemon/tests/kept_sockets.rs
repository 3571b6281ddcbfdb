//! Restarts and crashes under viewers who keep coming: nobody is refused, and only a crash cuts anybody off.

#![allow(clippy::unwrap_used, reason = "a test's panic is its verdict")]

mod common;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use common::daemon::Daemon;
use common::namespace::{Namespace, path, until, zonecast};
use rustix::process::Signal;
use serde_json::Value;
use tempfile::TempDir;

const ROUNDS: usize = 20;
const VIEWERS: usize = 8;
const AT: &str = "127.0.0.1:8081";

/// `zonecast hold`, ended with the test.
struct Holder(Child);

impl Holder {
    fn start(folder: &TempDir) -> Self {
        let socket = folder.path().join("hold.sock");
        let mut command = Command::new(env!("CARGO_BIN_EXE_zonecast"));
        command.args(["hold", "--socket", path(&socket)]);
        let child = command.stdout(Stdio::piped()).spawn().unwrap();
        until("it holds", || socket.exists());
        Self(child)
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn config(namespace: &Namespace, holder: &TempDir) -> String {
    format!(
        "state_dir = ''\nzones = 'virtual:2'\ndrain_timeout = '2s'\nholder = {:?}\n\
         [memory]\narena = '64MiB'\npages = 'plain'\n\
         [admin]\nlisten = '127.0.0.1:9090'\n\
         [steering]\nfolder = {:?}\n\
         [ingest]\nlisten = '127.0.0.1:8080'\nopen = true\ntoken_file = 'news.token'\n\
         [[listeners]]\nname = 'http'\nlisten = '{AT}'\ntls = false\n\
         [limits]\nsend_buffers = 16\n",
        holder.path().join("hold.sock"),
        namespace.folder
    )
}

/// What became of viewers.
#[derive(Debug, Default)]
struct Tally {
    answered: AtomicU64,
    /// The kernel would not connect them.
    refused: AtomicU64,
    /// Connected, and cut off without an answer.
    cut: AtomicU64,
    /// Connected while there was no daemon, and answered by the next.
    waited: AtomicU64,
    /// The same, and cut off.
    forgotten: AtomicU64,
    /// There is no daemon.
    nobody: AtomicBool,
}

/// One viewer after another, each with a connection of his own.
fn watch(tally: &Tally, stop: &AtomicBool) {
    let address: SocketAddr = AT.parse().unwrap();
    while !stop.load(Ordering::Relaxed) {
        let nobody = tally.nobody.load(Ordering::SeqCst);
        let Ok(mut viewer) = TcpStream::connect_timeout(&address, Duration::from_secs(20)) else {
            tally.refused.fetch_add(1, Ordering::Relaxed);
            continue;
        };
        viewer
            .set_read_timeout(Some(Duration::from_secs(20)))
            .unwrap();
        let asked = viewer
            .write_all(b"GET /live/x/1.m3u8 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        let mut answer = Vec::new();
        let fine = asked.is_ok() && viewer.read_to_end(&mut answer).is_ok();
        let fine = fine && answer.starts_with(b"HTTP/1.1 404");
        let [count, waiting] = match fine {
            true => [&tally.answered, &tally.waited],
            false => [&tally.cut, &tally.forgotten],
        };
        count.fetch_add(1, Ordering::Relaxed);
        waiting.fetch_add(nobody.into(), Ordering::Relaxed);
    }
}

/// Viewers without end while `rounds` goes on; what became of them.
fn under_viewers(rounds: impl FnOnce(&Tally) -> Daemon) -> Tally {
    let (tally, stop) = (Tally::default(), AtomicBool::new(false));
    // It lives until the last of them is answered.
    let _daemon = std::thread::scope(|scope| {
        for _ in 0..VIEWERS {
            scope.spawn(|| watch(&tally, &stop));
        }
        let daemon = rounds(&tally);
        stop.store(true, Ordering::Relaxed);
        daemon
    });
    tally
}

fn started(folder: &TempDir, config: &str) -> Daemon {
    // What its supervisor would listen at is the daemon before's.
    drop(std::fs::remove_file(folder.path().join("notify")));
    let mut daemon = Daemon::start(folder, config);
    daemon.logged("ready");
    daemon
}

/// Some more are answered.
fn some_more(tally: &Tally) {
    let enough = tally.answered.load(Ordering::Relaxed) + 100;
    until("more are answered", || {
        tally.answered.load(Ordering::Relaxed) >= enough
    });
}

/// Twenty restarts: nobody is refused, nobody is cut off.
#[test]
fn a_restart_is_not_noticed() {
    let Some(namespace) = Namespace::enter("restart") else {
        return;
    };
    let folder = TempDir::new().unwrap();
    let _holder = Holder::start(&folder);
    let config = config(&namespace, &folder);
    let start = || started(&folder, &config);
    let mut daemon = start();
    let tally = under_viewers(|tally| {
        for _ in 0..ROUNDS {
            some_more(tally);
            daemon.signal(Signal::TERM);
            assert!(daemon.end().success());
            daemon = start();
        }
        some_more(tally);
        daemon
    });
    println!("{tally:?}");
    assert_eq!(tally.refused.into_inner(), 0);
    assert_eq!(tally.cut.into_inner(), 0);
}

/// Twenty crashes: nobody is refused; those who are cut off are at most those whom the dead process had
/// accepted, as it had counted them itself.
#[test]
fn a_crash_cuts_off_those_who_were_accepted() {
    let Some(namespace) = Namespace::enter("crash") else {
        return;
    };
    let folder = TempDir::new().unwrap();
    let _holder = Holder::start(&folder);
    let config = config(&namespace, &folder);
    let start = || started(&folder, &config);
    let (mut there, mut accepted) = (0, 0);
    let mut daemon = start();
    let tally = under_viewers(|tally| {
        for _ in 0..ROUNDS {
            some_more(tally);
            daemon.signal(Signal::KILL);
            daemon.end();
            tally.nobody.store(true, Ordering::SeqCst);
            there += sum_of_loops(&namespace, "viewers");
            accepted += sum_of_loops(&namespace, "accepted");
            until("somebody waits in a backlog", || waiting() > 0);
            tally.nobody.store(false, Ordering::SeqCst);
            daemon = start();
        }
        some_more(tally);
        daemon
    });
    accepted += sum_of_loops(&namespace, "accepted");
    println!("{tally:?}; {accepted} accepted, {there} of them there at their daemon's death");
    let [answered, refused, cut, waited, forgotten] = [
        tally.answered,
        tally.refused,
        tally.cut,
        tally.waited,
        tally.forgotten,
    ]
    .map(AtomicU64::into_inner);
    assert_eq!((refused, forgotten), (0, 0));
    assert!(waited >= ROUNDS as u64, "{waited} waited");
    // Beside those that the loops knew of, the kernel had accepted some for them that they had not yet
    // heard of: one a viewer at most.
    let unheard = answered + cut - accepted;
    assert!(unheard <= (ROUNDS * VIEWERS) as u64, "{unheard}");
    assert!(cut <= there + unheard, "{cut} cut off");
}

/// What the loops of a daemon say of themselves, or said last.
fn sum_of_loops(namespace: &Namespace, what: &str) -> u64 {
    let (fine, text) = zonecast(&["zones", "--json", "--folder", path(&namespace.folder)]);
    assert!(fine, "{text}");
    let zones: Value = serde_json::from_str(&text).unwrap();
    let loops = zones["loops"].as_array().unwrap();
    loops.iter().map(|one| one[what].as_u64().unwrap()).sum()
}

/// Connections that nobody has accepted yet.
fn waiting() -> u64 {
    let listed = Command::new("ss").args(["-Hltn"]).output().unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    let of_ours = listed.lines().filter(|line| line.contains(AT));
    let queue = |line: &str| line.split_whitespace().nth(1)?.parse::<u64>().ok();
    of_ours.filter_map(queue).sum()
}
