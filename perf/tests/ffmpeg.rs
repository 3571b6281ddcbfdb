//! Shows that the command lines work with the ffmpeg at hand: each shape goes through the
//! tee, is read as HTTP to its last byte, is answered, and (for HLS) is followed to its
//! end by viewers that find nothing wrong. The daemon is a stand-in in memory.
#![allow(clippy::unwrap_used, missing_docs)]

mod origin;

use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use origin::{Fault, Origin, Role};
use zonecast_perf::child::Child;
use zonecast_perf::client::Target;
use zonecast_perf::ffmpeg::{self, Encode, Muxer};
use zonecast_perf::ledger::Ledger;
use zonecast_perf::tally::Tally;
use zonecast_perf::tee::Tee;
use zonecast_perf::viewer::{Audience, Plan};

const SECONDS: u32 = 5;

/// Encodes for five seconds while two viewers follow the HLS playlist, where there is one;
/// what the tee saw. `None` where there is no ffmpeg.
async fn encode(change: impl FnOnce(&mut Encode)) -> Option<Arc<Ledger>> {
    if !ffmpeg::available(Path::new("ffmpeg")) {
        println!("SKIP: ffmpeg is not installed");
        return None;
    }
    let folder = tempfile::tempdir().unwrap();
    let origin = Origin::new(Fault::None, None);
    let listen = |role| {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        origin.listen(listener, role, None);
        address
    };
    let (ingest, viewers) = (listen(Role::Ingest), listen(Role::Viewers));
    let (ledger, tally) = (Ledger::new(), Tally::new());
    let tee = Tee::start(ingest, ledger.clone()).unwrap();
    let url = format!("http://{}/live/s", tee.address());
    let mut encode = Encode::new(Muxer::HlsFmp4, url, "T".to_owned());
    encode.size = (320, 180);
    encode.segment_seconds = 1;
    encode.seconds = Some(SECONDS);
    change(&mut encode);
    let hls = !matches!(encode.muxer, Muxer::Dash { .. });
    let log = folder.path().join("ffmpeg.log");
    let mut child = Child::start("ffmpeg", encode.command(), &log).unwrap();
    let plans = (0..2).map(|id| Plan {
        id,
        target: Target::plain(viewers),
        playlists: vec!["/live/s/live.m3u8".to_owned()],
        join_after: Duration::ZERO,
    });
    let plans = plans.take(if hls { 2 } else { 0 }).collect();
    let audience = Audience::start(plans, &ledger, &tally).unwrap();
    let status = child
        .wait(Duration::from_secs(60))
        .await
        .unwrap()
        .expect("ffmpeg hung");
    assert!(status.success(), "{}", child.log_tail());
    for one in audience
        .finish(Instant::now() + Duration::from_secs(5))
        .await
    {
        assert!(one.ended, "{one:?}\n{}", ledger.describe());
        assert!(one.segments + 1 >= u64::from(SECONDS), "{one:?}");
    }
    drop(tee);
    assert!(tally.counts().clean(), "{:?}", tally.findings());
    let totals = ledger.totals();
    let bad = totals.aborted + totals.refused + totals.lost + totals.unreadable;
    assert_eq!(bad, 0, "{totals:?}\n{}", ledger.describe());
    Some(ledger)
}

/// Complete objects whose key ends like this.
fn count(ledger: &Ledger, end: &str) -> usize {
    ledger
        .keys()
        .iter()
        .filter(|key| key.ends_with(end))
        .count()
}

/// HLS with fragmented MP4, the init sent once.
#[tokio::test]
async fn hls_fmp4() {
    let Some(ledger) = encode(|_| {}).await else {
        return;
    };
    assert_eq!(count(&ledger, ".m4s"), SECONDS as usize);
    assert_eq!(ledger.versions("s/init.mp4").len(), 1);
    assert!(ledger.listing("s/live.m3u8").unwrap().ended());
}

/// The same with the init sent again after each segment: ffmpeg sends four objects in one
/// go and closes without reading; from a receiver that waits with its answers nothing is lost.
#[tokio::test]
async fn hls_fmp4_with_the_init_resent() {
    let Some(ledger) = encode(|encode| encode.resend_init = true).await else {
        return;
    };
    assert_eq!(count(&ledger, ".m4s"), SECONDS as usize);
    assert!(ledger.versions("s/init.mp4").len() > 1);
}

/// HLS with transport streams; a short window makes it delete.
#[tokio::test]
async fn hls_ts_with_deletes() {
    let short = |encode: &mut Encode| {
        encode.muxer = Muxer::HlsTs;
        encode.window = 2;
    };
    let Some(ledger) = encode(short).await else {
        return;
    };
    assert_eq!(count(&ledger, ".ts"), SECONDS as usize);
    assert!(ledger.totals().deletes > 0);
    assert!(ledger.deleted_at("s/index0.ts").is_some());
}

/// DASH, each segment sent while it is being encoded.
#[tokio::test]
async fn dash_while_encoding() {
    let streaming = |encode: &mut Encode| encode.muxer = Muxer::Dash { streaming: true };
    let Some(ledger) = encode(streaming).await else {
        return;
    };
    assert!(
        count(&ledger, ".m4s") >= 2 * SECONDS as usize - 2,
        "{}",
        ledger.describe()
    );
    assert!(ledger.versions("s/live.mpd").len() > 1);
    let open = |key: &Arc<str>| {
        let version = &ledger.versions(key)[0];
        match version.state {
            zonecast_perf::ledger::State::Complete { at, .. } => at - version.started,
            _ => Duration::ZERO,
        }
    };
    let longest = ledger
        .keys()
        .iter()
        .filter(|key| key.contains("chunk"))
        .map(open)
        .max();
    assert!(
        longest.unwrap() > Duration::from_millis(500),
        "{}",
        ledger.describe()
    );
}
