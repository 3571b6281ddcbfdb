//! The binary under test, and connections to it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixDatagram;
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// What most tests start it with.
pub(crate) const CONFIG: &str = "\
state_dir = 'state'
zones = 'virtual:2'
drain_timeout = '1s'
[memory]
arena = '64MiB'
pages = 'plain'
[admin]
listen = '127.0.0.1:0'
[steering]
mode = 'off'
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

/// The token of the stream `news`.
pub(crate) const TOKEN: &str = "0123456789abcdefghij";

/// A running daemon; killed when the test ends without it having ended.
pub(crate) struct Daemon {
    child: Child,
    log: BufReader<ChildStderr>,
    supervisor: UnixDatagram,
}

impl Daemon {
    pub(crate) fn start(folder: &TempDir, text: &str) -> Self {
        super::write(folder, "news.token", TOKEN);
        let config = super::write(folder, "zonecast.toml", text);
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
    pub(crate) fn logged(&mut self, text: &str) -> String {
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

    /// The next message to the supervisor, but for those of sockets to keep.
    pub(crate) fn told(&self) -> String {
        loop {
            let mut bytes = [0; 1024];
            let length = self.supervisor.recv(&mut bytes).unwrap();
            let told = String::from_utf8(bytes[..length].to_vec()).unwrap();
            if !told.starts_with("FDSTORE") {
                return told;
            }
        }
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
    }

    pub(crate) fn end(mut self) -> ExitStatus {
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
pub(crate) fn address(ready: &str, name: &str) -> String {
    let rest = ready.split(&format!("{name}=")).nth(1).unwrap();
    rest.split_whitespace().next().unwrap().to_owned()
}

/// All of the answer to a GET.
pub(crate) fn get(address: &str, path: &str) -> String {
    exchange(TcpStream::connect(address).unwrap(), path)
}

/// The same over a connection that is there already.
pub(crate) fn exchange(mut stream: TcpStream, path: &str) -> String {
    write!(stream, "GET {path} HTTP/1.0\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}
