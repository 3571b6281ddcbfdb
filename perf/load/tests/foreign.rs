//! Shows what viewers find at an origin whose segments nobody knows, and that a body that is
//! passed over is still counted to the byte: a server of a few lines, in plain.
#![allow(clippy::unwrap_used, missing_docs)]

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::thread;
use std::time::Duration;

use zonecast_load::live::{Arrivals, LiveReport, LiveSpec, Media, Plan, Track, Verify, run};

const PLAYLIST: &str = "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXT-X-MEDIA-SEQUENCE:7\n\
                        #EXTINF:0.1,\na.ts\n#EXTINF:0.1,\nb.ts\n#EXT-X-ENDLIST\n";
const MASTER: &str = "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nlow/i.m3u8\n";
const MANIFEST: &str = r#"<MPD type="static"><Period><AdaptationSet>
<SegmentTemplate timescale="10" media="low/s$Number$.m4s" startNumber="7">
<SegmentTimeline><S d="1" r="1"/></SegmentTimeline></SegmentTemplate>
<Representation id="v"/></AdaptationSet></Period></MPD>"#;
const BYTES: usize = 30_000;

/// What the server does wrong.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Fault {
    None,
    /// Each answer is another.
    Differs,
    /// A body has a byte more than its length says.
    Long,
    /// A body has less, and then the connection ends.
    Short,
    Refuses,
}

fn serve(fault: Fault) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let number = Arc::new(AtomicU8::new(0));
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let number = Arc::clone(&number);
            thread::spawn(move || answer(stream, fault, &number));
        }
    });
    address
}

/// Answers until the client is gone.
fn answer(mut stream: TcpStream, fault: Fault, number: &AtomicU8) {
    let mut request = [0; 4096];
    while let Ok(got @ 1..) = stream.read(&mut request) {
        let text = String::from_utf8_lossy(&request[..got]);
        let path = text.split(' ').nth(1).unwrap();
        let mut status = 200;
        let (mut length, mut body) = match path {
            "/master.m3u8" => (MASTER.len(), MASTER.as_bytes().to_vec()),
            "/low/i.m3u8" => (PLAYLIST.len(), PLAYLIST.as_bytes().to_vec()),
            "/live.mpd" => (MANIFEST.len(), MANIFEST.as_bytes().to_vec()),
            "/low/a.ts" | "/low/b.ts" | "/low/s7.m4s" | "/low/s8.m4s" => (BYTES, vec![9; BYTES]),
            other => panic!("{other}"),
        };
        if body.len() == BYTES {
            match fault {
                Fault::None => {}
                Fault::Differs => body[77] = number.fetch_add(1, Ordering::Relaxed),
                Fault::Long => body.push(0),
                Fault::Short => drop(body.pop()),
                Fault::Refuses => {
                    (status, length, body) = (503, 0, Vec::new());
                }
            }
        }
        let head = format!("HTTP/1.1 {status} X\r\nContent-Length: {length}\r\n\r\n");
        let response = [head.as_bytes(), &body].concat();
        if stream.write_all(&response).is_err() || body.len() < length {
            return;
        }
    }
}

/// Eight viewers to the end of the stream, or until there were errors.
fn watch(fault: Fault, verify_every: usize) -> LiveReport {
    watch_at("/master.m3u8", fault, verify_every)
}

fn watch_at(playlist: &str, fault: Fault, verify_every: usize) -> LiveReport {
    let track = Track {
        playlist: playlist.to_owned(),
        rate: 2e6,
        weight: 1,
    };
    let media = Arc::new(Media::make(1, vec![track], Duration::from_secs(1)));
    let ramp = Arrivals::ramp(8, Duration::from_millis(100));
    let mut spec = LiveSpec::new(serve(fault), media, vec![ramp]);
    spec.verify = Verify::Agreement(verify_every);
    // Nothing is late here, however busy this machine is.
    (spec.cushion, spec.start_within) = (Duration::from_secs(60), Duration::from_secs(60));
    let plan = Plan {
        warm_up: Duration::ZERO,
        measured: Duration::from_secs(30),
        cpus: Vec::new(),
    };
    let (mut left, mut errors) = (0, 0);
    run(spec, None, &plan, |second| {
        left += second.tally.amounts.left;
        errors += second.tally.errors();
        left < 8 && errors < 8
    })
    .unwrap()
}

/// By way of a master playlist to the end; those who verify agree.
#[test]
fn strangers_agree() {
    let report = watch(Fault::None, 2);
    assert_eq!((report.errors, report.amounts.left), (0, 8), "{report}");
    assert_eq!(
        (report.amounts.segments, report.amounts.verified),
        (16, 8),
        "{report}"
    );
    assert_eq!(report.amounts.body_bytes, 16 * BYTES as u64);
}

/// A manifest is followed like a playlist.
#[test]
fn strangers_follow_a_manifest() {
    let report = watch_at("/live.mpd", Fault::None, 2);
    assert_eq!((report.errors, report.amounts.left), (0, 8), "{report}");
    assert_eq!(report.amounts.segments, 16, "{report}");
    assert_eq!(report.amounts.body_bytes, 16 * BYTES as u64);
}

/// Whoever gets other bytes than another viewer says so; those who only count cannot.
#[test]
fn strangers_disagree() {
    let report = watch(Fault::Differs, 1);
    assert!(report.watchers.wrong >= 8, "{report}");
    assert!(
        report.examples[0].contains("than another viewer"),
        "{report}"
    );
    let report = watch(Fault::Differs, 1000);
    assert_eq!(report.errors, 0, "{report}");
}

/// A byte too many and one too few are found by those who only count.
#[test]
fn lengths_are_held() {
    let report = watch(Fault::Long, 1000);
    assert!(report.watchers.wrong >= 8, "{report}");
    assert!(report.examples[0].contains("nobody asked for"), "{report}");
    let report = watch(Fault::Short, 1000);
    assert!(report.watchers.broken >= 8, "{report}");
    let report = watch(Fault::Refuses, 1000);
    assert!(report.watchers.wrong >= 8, "{report}");
    assert!(report.examples[0].contains("503"), "{report}");
}

/// The binary says by its exit code and in JSON what it found.
#[test]
fn the_binary_says_so() {
    for (fault, code) in [(Fault::None, 0), (Fault::Differs, 1)] {
        let output = Command::new(env!("CARGO_BIN_EXE_zonecast-load"))
            .args(["live", "--target", &serve(fault).to_string(), "--foreign"])
            .args([
                "--rendition",
                "/master.m3u8",
                "--verify-every",
                "1",
                "--json",
            ])
            .args(["--arrive", "4@0+0.1", "4@0.2+0", "--warm-up", "0"])
            .args(["--seconds", "3", "--cushion", "60"])
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{text}");
        assert!(text.contains("late 0 expired 0"), "{text}");
        let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(report["came"], 8);
        assert_eq!(report["watchers"]["wrong"] != 0, code == 1, "{report}");
    }
}
