//! The ffmpeg lines that `zonecast token` prints work as they are printed: real ffmpeg, a server
//! that records requests, the token in every one of them, and every upload whole.

#![allow(clippy::unwrap_used, reason = "a test's panic is its verdict")]

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use zonecast_daemon::token::{dash_line, hls_fmp4_line, hls_ts_line, make};

/// What one request was.
#[derive(Clone, Debug)]
struct Request {
    method: String,
    path: String,
    authorization: String,
    /// Its body came to its end.
    whole: bool,
}

type Requests = Arc<Mutex<Vec<Request>>>;

/// Reads requests of a connection to their ends and answers each with 201.
fn serve(stream: TcpStream, requests: &Requests) -> std::io::Result<()> {
    let mut answers = stream.try_clone()?;
    let mut input = BufReader::new(stream);
    loop {
        let mut line = String::new();
        if input.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let mut words = line.split(' ');
        let mut word = || words.next().unwrap_or_default().to_owned();
        let (method, path) = (word(), word());
        let mut authorization = String::new();
        loop {
            line.clear();
            input.read_line(&mut line)?;
            match line.trim_end().split_once(": ") {
                None => break,
                Some(("Authorization", value)) => value.clone_into(&mut authorization),
                Some(_) => {}
            }
        }
        let whole = false;
        let at = {
            let mut requests = requests.lock().unwrap();
            requests.push(Request {
                method,
                path,
                authorization,
                whole,
            });
            requests.len() - 1
        };
        read_chunks(&mut input)?;
        requests.lock().unwrap()[at].whole = true;
        answers.write_all(b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n")?;
    }
}

fn read_chunks(input: &mut impl BufRead) -> std::io::Result<()> {
    loop {
        let mut line = String::new();
        input.read_line(&mut line)?;
        let size = u64::from_str_radix(line.trim_end(), 16).map_err(std::io::Error::other)?;
        let mut chunk = std::io::Read::take(&mut *input, size + 2);
        if std::io::copy(&mut chunk, &mut std::io::sink())? < size + 2 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        if size == 0 {
            return Ok(());
        }
    }
}

/// A server that records; it ends when told to, once everything sent to it has been read.
struct Recorder {
    address: String,
    requests: Requests,
    ended: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Recorder {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (requests, ended) = (Requests::default(), Arc::new(AtomicBool::new(false)));
        let (seen, end) = (requests.clone(), ended.clone());
        let thread = std::thread::spawn(move || accept(&listener, &seen, &end));
        Self {
            address,
            requests,
            ended,
            thread,
        }
    }

    /// All requests, after the encoder has ended.
    fn finish(self) -> Vec<Request> {
        self.ended.store(true, Ordering::SeqCst);
        self.thread.join().unwrap();
        std::mem::take(&mut *self.requests.lock().unwrap())
    }
}

/// Accepts until `end`, and then what has connected before; reads all of it.
fn accept(listener: &TcpListener, requests: &Requests, end: &AtomicBool) {
    std::thread::scope(|scope| {
        loop {
            let last = end.load(Ordering::SeqCst);
            match listener.accept() {
                Ok((stream, _)) => {
                    stream.set_nonblocking(false).unwrap();
                    // An encoder may close without reading: that is no failure of this test.
                    scope.spawn(move || drop(serve(stream, requests)));
                }
                Err(_) if last => return,
                Err(_) => std::thread::sleep(Duration::from_millis(5)),
            }
        }
    });
}

/// Five seconds of picture and tone, as fast as they can be made.
const INPUT: &str = "-v warning -f lavfi -i testsrc2=size=160x120:rate=25 \
    -f lavfi -i sine=frequency=440:sample_rate=48000 -t 5";

/// Runs a printed line in a shell and returns the paths that were sent, whole and with the token.
fn run(line: &str, token: &str, recorder: Recorder) -> BTreeSet<String> {
    let output = Command::new("sh").arg("-c").arg(line).output().unwrap();
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{line}\n{complaints}");
    let expected = format!("Bearer {token}");
    let requests = recorder.finish().into_iter();
    let paths = requests.map(|request| {
        assert!(
            request.method == "PUT" || request.method == "DELETE",
            "{request:?}"
        );
        assert!(
            request.authorization == expected && request.whole,
            "{request:?}\n{complaints}"
        );
        request.path
    });
    paths.collect()
}

fn has_ffmpeg() -> bool {
    let found = Command::new("ffmpeg").arg("-version").output().is_ok();
    if !found {
        println!("SKIP: ffmpeg is not installed");
    }
    found
}

/// Runs the line that `line` makes for `playlist` and expects `names` to be sent.
fn sends(line: fn(&str, &str, &str) -> String, playlist: &str, names: &[&str]) {
    if !has_ffmpeg() {
        return;
    }
    let (recorder, token) = (Recorder::start(), make().unwrap());
    let url = format!("http://{}/live/news/{playlist}", recorder.address);
    let paths = run(&line(INPUT, &token, &url), &token, recorder);
    for name in names {
        assert!(
            paths.contains(&format!("/live/news/{name}")),
            "{name} in {paths:?}"
        );
    }
}

/// HLS with MPEG-TS: segments and playlist all carry the token.
#[test]
fn the_hls_ts_line_works() {
    sends(
        hls_ts_line,
        "index.m3u8",
        &["index0.ts", "index1.ts", "index2.ts", "index.m3u8"],
    );
}

/// HLS with fragmented MP4: the init segment too, and no segment is cut.
#[test]
fn the_hls_fmp4_line_works() {
    let names = [
        "init.mp4",
        "index0.m4s",
        "index1.m4s",
        "index2.m4s",
        "index.m3u8",
    ];
    sends(hls_fmp4_line, "index.m3u8", &names);
}

/// DASH: the muxer that drops `-headers` sends the token with every object of both tracks.
#[test]
fn the_dash_line_works() {
    let names = [
        "init-stream0.m4s",
        "init-stream1.m4s",
        "chunk-stream0-00001.m4s",
        "chunk-stream1-00002.m4s",
        "manifest.mpd",
    ];
    sends(dash_line, "manifest.mpd", &names);
}
