//! The ledger's rules on hand-made times: which generation is right when.
#![allow(clippy::unwrap_used)]

use super::*;
use sha2::{Digest as _, Sha256};

fn hash(bytes: &[u8]) -> Digest {
    Sha256::digest(bytes).into()
}

struct Bench {
    ledger: Arc<Ledger>,
    origin: Instant,
}

impl Bench {
    fn new() -> Bench {
        Bench {
            ledger: Ledger::new(),
            origin: Instant::now(),
        }
    }

    fn at(&self, ms: u64) -> Instant {
        self.origin + Duration::from_millis(ms)
    }

    fn put(&self, key: &str, body: &[u8], from: u64, to: u64) -> u64 {
        let mut upload = self.ledger.begin(key, self.at(from));
        let generation = upload.generation();
        upload.data(body);
        upload.finish(self.at(to));
        generation
    }

    fn judge(&self, key: &str, body: &[u8], asked: u64, finished: u64) -> Judgement {
        let length = body.len() as u64;
        self.ledger
            .judge(key, &hash(body), length, self.at(asked), self.at(finished))
    }
}

/// A replaced generation is right while its successor is in flight, and stale once that
/// was answered, or had its time to be.
#[test]
fn the_newest_settled_generation_is_demanded() {
    let bench = Bench::new();
    let one = bench.put("s/a.ts", b"one", 0, 10);
    bench
        .ledger
        .answered("s/a.ts", one, Answer::Status(201, bench.at(12)));
    let two = bench.put("s/a.ts", b"two", 1000, 1100);
    assert_eq!(
        bench.judge("s/a.ts", b"one", 1090, 1095),
        Judgement::Right { generation: one }
    );
    assert_eq!(
        bench.judge("s/a.ts", b"one", 1150, 1160),
        Judgement::Right { generation: one }
    );
    assert_eq!(
        bench.judge("s/a.ts", b"two", 1150, 1160),
        Judgement::Right { generation: two }
    );
    let stale = Judgement::Stale {
        generation: one,
        wanted: two,
    };
    assert_eq!(bench.judge("s/a.ts", b"one", 1601, 1610), stale);
    bench
        .ledger
        .answered("s/a.ts", two, Answer::Status(204, bench.at(1120)));
    assert_eq!(bench.judge("s/a.ts", b"one", 1121, 1130), stale);
}

/// Bytes from before they were sent, other bytes, a cut upload's bytes: all wrong.
#[test]
fn what_was_not_there_is_wrong() {
    let bench = Bench::new();
    bench.put("s/a.ts", b"one", 100, 200);
    assert!(matches!(
        bench.judge("s/a.ts", b"one", 10, 20),
        Judgement::Wrong { .. }
    ));
    let wanted = Some((1, 3, hash(b"one")));
    assert_eq!(
        bench.judge("s/a.ts", b"onE", 800, 900),
        Judgement::Wrong { wanted }
    );
    let mut cut = bench.ledger.begin("s/b.ts", bench.at(0));
    cut.data(b"half");
    drop(cut);
    assert_eq!(
        bench.judge("s/b.ts", b"half", 800, 900),
        Judgement::Wrong { wanted: None }
    );
    assert_eq!(bench.ledger.totals().aborted, 1);
}

/// A refused or lost upload is not demanded: the older generation stays right.
#[test]
fn a_refused_upload_is_not_demanded() {
    let bench = Bench::new();
    let one = bench.put("s/a.ts", b"one", 0, 10);
    let two = bench.put("s/a.ts", b"two", 100, 110);
    bench
        .ledger
        .answered("s/a.ts", two, Answer::Status(503, bench.at(111)));
    assert_eq!(
        bench.judge("s/a.ts", b"one", 2000, 2001),
        Judgement::Right { generation: one }
    );
    let three = bench.put("s/a.ts", b"three", 200, 210);
    bench
        .ledger
        .answered("s/a.ts", three, Answer::Lost(bench.at(211)));
    assert_eq!(
        bench.judge("s/a.ts", b"one", 2000, 2001),
        Judgement::Right { generation: one }
    );
    assert_eq!(
        (bench.ledger.totals().refused, bench.ledger.totals().lost),
        (1, 1)
    );
}

/// A playlist may lag behind the tee but never behind what the viewer had.
#[test]
fn a_playlist_never_goes_back() {
    let bench = Bench::new();
    let one = bench.put("s/live.m3u8", b"#EXTM3U\n#a", 0, 1);
    let two = bench.put("s/live.m3u8", b"#EXTM3U\n#b", 1000, 1001);
    let judge = |body: &[u8], had| {
        let length = body.len() as u64;
        bench
            .ledger
            .judge_playlist("s/live.m3u8", &hash(body), length, had, bench.at(5000))
    };
    assert_eq!(
        judge(b"#EXTM3U\n#a", None),
        Judgement::Right { generation: one }
    );
    assert_eq!(
        judge(b"#EXTM3U\n#b", Some(one)),
        Judgement::Right { generation: two }
    );
    let back = Judgement::Stale {
        generation: one,
        wanted: two,
    };
    assert_eq!(judge(b"#EXTM3U\n#a", Some(two)), back);
    assert!(matches!(
        judge(b"#EXTM3U\n#c", None),
        Judgement::Wrong { .. }
    ));
}

fn playlist(sequence: u64, names: &[&str]) -> Vec<u8> {
    let mut text = format!("#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:{sequence}\n");
    for name in names {
        text.push_str(&format!("#EXTINF:2,\n{name}\n"));
    }
    text.into_bytes()
}

/// The listing knows when a segment came and went, and tells a restarted encoder's
/// numbers from those before.
#[test]
fn listings_know_windows_and_restarts() {
    let bench = Bench::new();
    let key = "s/live.m3u8";
    bench.put(key, &playlist(0, &["i0"]), 0, 1);
    bench.put(key, &playlist(0, &["i0", "i1"]), 2000, 2001);
    let third = bench.put(key, &playlist(1, &["i1", "i2"]), 4000, 4001);
    let listing = bench.ledger.listing(key).unwrap();
    assert_eq!(listing.entry(0, 0).unwrap().listed_at, bench.at(1));
    assert_eq!(bench.ledger.dropped_at(key, 0, 0), Some(bench.at(4001)));
    assert_eq!(bench.ledger.dropped_at(key, 0, 1), None);
    let again = bench.put(key, &playlist(0, &["i0"]), 6000, 6001);
    assert_eq!(bench.ledger.epoch(key, third), Some(0));
    assert_eq!(bench.ledger.epoch(key, again), Some(1));
    assert_eq!(bench.ledger.dropped_at(key, 0, 2), Some(bench.at(6001)));
    assert_eq!(bench.ledger.dropped_at(key, 0, 0), Some(bench.at(4001)));
    assert_eq!(bench.ledger.dropped_at(key, 1, 0), None);
    assert_eq!(bench.ledger.listing(key).unwrap().entries().count(), 4);
}

/// However many names pass, the ledger stays bounded and playlists outlive segments.
#[test]
fn objects_are_bounded() {
    let bench = Bench::new();
    bench.put("s/live.m3u8", b"#EXTM3U\n", 0, 1);
    for index in 0..OBJECTS_MAX + 10 {
        bench.put(&format!("s/i{index}.ts"), b"x", 0, 1);
    }
    assert!(bench.ledger.keys().len() <= OBJECTS_MAX);
    assert_eq!(bench.ledger.versions("s/live.m3u8").len(), 1);
    assert!(bench.ledger.versions("s/i0.ts").is_empty());
}

/// Targets of both shapes name the same object.
#[test]
fn keys() {
    assert_eq!(key_of("/live/s/a/b.ts?x"), Some("s/a/b.ts"));
    assert_eq!(key_of("/ingest/secret/s/a/b.ts"), Some("s/a/b.ts"));
    assert_eq!(key_of("/live/s"), None);
    assert_eq!(key_of("/metrics"), None);
}
