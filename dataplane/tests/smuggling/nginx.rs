//! nginx as it stands in front of servers, and a server behind it that records what it is sent.
//! nginx frames each request anew, by a length: so what arrives there is what nginx understood.

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::pipeline_support::{Client, find};
use crate::seen::{End, Seen, Verdict};
use crate::table::{NEXT, Row, SMUGGLED};

/// How long nginx may take to start on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// What arrived behind nginx: method, target and body of each request.
type Records = Arc<Mutex<Vec<(String, String, Vec<u8>)>>>;

/// A running nginx with its recorder.
pub(crate) struct Nginx {
    pub(crate) version: String,
    records: Records,
    child: Child,
    folder: TempDir,
}

impl Nginx {
    /// `None`, and a line that says so, where there is no nginx.
    pub(crate) fn start() -> Option<Self> {
        let Some(program) = program() else {
            println!("SKIP: nginx is not installed");
            return None;
        };
        let version = Command::new(&program).arg("-v").output().unwrap().stderr;
        let folder = tempfile::tempdir().unwrap();
        let records = record(UnixListener::bind(folder.path().join("behind.sock")).unwrap());
        let conf = folder.path().join("nginx.conf");
        std::fs::write(
            &conf,
            CONFIGURATION.replace("FOLDER", folder.path().to_str().unwrap()),
        )
        .unwrap();
        let child = Command::new(program)
            .arg("-c")
            .arg(conf)
            .arg("-e")
            .arg(folder.path().join("error.log"))
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        let mut nginx = Self {
            version: String::from_utf8(version).unwrap(),
            records,
            child,
            folder,
        };
        nginx.wait();
        Some(nginx)
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("front.sock")
    }

    /// Waits until it listens.
    fn wait(&mut self) {
        let started = Instant::now();
        while UnixStream::connect(self.socket()).is_err() {
            let ended = self.child.try_wait().unwrap();
            assert_eq!(ended, None, "nginx has ended: {}", self.log());
            assert!(started.elapsed() < PATIENCE, "nginx: {}", self.log());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("error.log")).unwrap_or_default()
    }

    /// What nginx makes of a row.
    pub(crate) fn verdict(&self, row: &Row) -> Verdict {
        self.records.lock().unwrap().clear();
        let mut client = Client::connect_unix(&self.socket());
        let end = match crate::said_to(&mut client, &row.bytes).last() {
            None => End::Cut,
            Some(last) if last.status == 200 => End::Agreed,
            Some(last) if last.status == 408 => End::Waits,
            Some(last) => End::Refused(last.status),
        };
        let records = std::mem::take(&mut *self.records.lock().unwrap());
        let seen = records.into_iter().map(|(method, target, body)| {
            match (method.as_str(), target.as_str()) {
                ("PUT", target) if target == row.up && !body.is_empty() => Seen::Put(body),
                ("GET", NEXT) => Seen::Next,
                ("GET", SMUGGLED) => Seen::Smuggled,
                _ => Seen::Other,
            }
        });
        Verdict {
            seen: seen.collect(),
            end,
        }
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// nginx is where only root has a PATH to, mostly.
fn program() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(["/usr/sbin".into()]);
    let mut files = folders.map(|folder| folder.join("nginx"));
    files.find(|file| file.is_file())
}

/// As Debian has it, but for the paths.
const CONFIGURATION: &str = r"
daemon off;
master_process off;
pid FOLDER/nginx.pid;
events { worker_connections 64; }
http {
    access_log off;
    client_body_temp_path FOLDER/client;
    proxy_temp_path FOLDER/proxy;
    fastcgi_temp_path FOLDER/fastcgi;
    uwsgi_temp_path FOLDER/uwsgi;
    scgi_temp_path FOLDER/scgi;
    server {
        listen unix:FOLDER/front.sock;
        client_max_body_size 0;
        client_header_timeout 3s;
        client_body_timeout 3s;
        keepalive_timeout 3s;
        location / {
            proxy_pass http://unix:FOLDER/behind.sock;
            proxy_http_version 1.1;
            proxy_ignore_client_abort on;
        }
    }
}
";

/// Records what comes to `listening`, and answers 200.
fn record(listening: UnixListener) -> Records {
    let records = Records::default();
    let for_threads = records.clone();
    std::thread::spawn(move || {
        while let Ok((stream, _)) = listening.accept() {
            let records = for_threads.clone();
            std::thread::spawn(move || one(stream, &records));
        }
    });
    records
}

/// One request; nginx asks for the connection to be closed behind it.
fn one(mut stream: UnixStream, records: &Records) {
    let mut bytes = Vec::new();
    let mut room = [0; 65536];
    loop {
        if let Some(request) = complete(&bytes) {
            records.lock().unwrap().push(request);
            // nginx may be gone.
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
            return;
        }
        match stream.read(&mut room) {
            Ok(read @ 1..) => bytes.extend_from_slice(&room[..read]),
            _ => return,
        }
    }
}

/// The request that `bytes` hold, once it is all there.
fn complete(bytes: &[u8]) -> Option<(String, String, Vec<u8>)> {
    let end = find(bytes, b"\r\n\r\n")? + 4;
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let mut lines = head.split("\r\n");
    let mut words = lines.next()?.split(' ').map(str::to_owned);
    let (method, target) = (words.next()?, words.next()?);
    assert!(!head.contains("\r\nTransfer-Encoding:"), "nginx buffers");
    let length = lines.find_map(|line| line.strip_prefix("Content-Length: "));
    let length = length.map_or(0, |length| length.parse().unwrap());
    let body = bytes.get(end..end + length)?.to_vec();
    Some((method, target, body))
}
