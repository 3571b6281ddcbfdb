//! Shows that the viewers are satisfied by a daemon that does everything right, and that
//! each thing done wrong is found, named, and nothing else with it. The daemon is a
//! stand-in in memory; the tee, the ledger, TLS and the viewers are real.
#![allow(clippy::unwrap_used, missing_docs)]

mod origin;

use std::net::{Ipv4Addr, Ipv6Addr, TcpListener};
use std::time::{Duration, Instant};

use origin::encoder::{Encoder, SEGMENTS};
use origin::{Fault, Origin, Role};
use zonecast_perf::client::Target;
use zonecast_perf::ledger::Ledger;
use zonecast_perf::setup::Certificate;
use zonecast_perf::tally::{Counts, Finding, Tally};
use zonecast_perf::tee::Tee;
use zonecast_perf::viewer::{Audience, Followed, Plan};

const VIEWERS: u32 = 4;

/// One whole run: what the viewers found, and what each came to.
async fn watch(fault: Fault, encoder: Encoder) -> (Counts, Vec<Finding>, Vec<Followed>) {
    let folder = tempfile::tempdir().unwrap();
    let certificate = Certificate::make(folder.path()).unwrap();
    let tls = origin::acceptor(&certificate.chain_file, &certificate.key_file);
    let origin = Origin::new(fault, None);
    let ingest = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let ingest_address = ingest.local_addr().unwrap();
    origin.listen(ingest, Role::Ingest, None);
    let four = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let mut addresses = vec![four.local_addr().unwrap()];
    origin.listen(four, Role::Viewers, Some(tls.clone()));
    if let Ok(six) = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)) {
        addresses.push(six.local_addr().unwrap());
        origin.listen(six, Role::Viewers, Some(tls));
    }
    let ledger = Ledger::new();
    let tally = Tally::new();
    let tee = Tee::start(ingest_address, ledger.clone()).unwrap();
    let plans = (0..VIEWERS)
        .map(|id| Plan {
            id,
            target: Target::tls(
                addresses[id as usize % addresses.len()],
                certificate.client.clone(),
            ),
            playlists: vec!["/live/s/live.m3u8".to_owned()],
            join_after: Duration::ZERO,
        })
        .collect();
    let audience = Audience::start(plans, &ledger, &tally).unwrap();
    encoder.run(tee.address()).await;
    let followed = audience
        .finish(Instant::now() + Duration::from_secs(4))
        .await;
    let totals = ledger.totals();
    assert_eq!(totals.complete, u64::from(2 * SEGMENTS + 1), "{totals:?}");
    assert_eq!(
        (
            totals.aborted,
            totals.refused,
            totals.lost,
            totals.unreadable
        ),
        (0, 0, 0, 0)
    );
    (tally.counts(), tally.findings(), followed)
}

const PLAIN: Encoder = Encoder {
    names: 100,
    window: 100,
    target_seconds: 1,
};
/// Names come round after a second and a half, well after an upload has settled.
const REUSING: Encoder = Encoder {
    names: 6,
    window: 5,
    target_seconds: 1,
};

/// All findings name the object that the fault was done to.
fn only(findings: &[Finding], name: &str) {
    assert!(
        findings.iter().all(|finding| finding.object.contains(name)),
        "{findings:?}"
    );
}

/// A daemon that does everything right, with names used again: nothing is found, and every
/// viewer comes to the end with every segment.
#[tokio::test]
async fn all_is_well() {
    let (counts, findings, followed) = watch(Fault::None, REUSING).await;
    assert!(counts.clean(), "{findings:?}");
    assert_eq!((counts.cut, counts.lapped, counts.retries), (0, 0, 0));
    assert_eq!(counts.connects, u64::from(VIEWERS));
    assert_eq!(followed.len() as u32, VIEWERS);
    for one in followed {
        assert!(one.ended);
        assert!(one.segments >= u64::from(SEGMENTS) - 2, "{one:?}");
    }
}

/// One bit flipped in one segment: corrupt, once a viewer.
#[tokio::test]
async fn a_flipped_bit_is_corrupt() {
    let (counts, findings, _) = watch(Fault::Flip("seg5.m4s".to_owned()), PLAIN).await;
    assert_eq!(counts.corrupt, u64::from(VIEWERS), "{findings:?}");
    assert_eq!(
        counts.stale + counts.missing + counts.late,
        0,
        "{findings:?}"
    );
    only(&findings, "seg5.m4s");
}

/// The init segment is compared like the others.
#[tokio::test]
async fn a_flipped_bit_in_the_init_is_corrupt() {
    let (counts, findings, _) = watch(Fault::Flip("init.mp4".to_owned()), PLAIN).await;
    assert_eq!(counts.corrupt, u64::from(VIEWERS), "{findings:?}");
    only(&findings, "init.mp4");
}

/// A name used again, served with its old bytes: stale, not merely different.
#[tokio::test]
async fn an_old_generation_is_stale() {
    let (counts, findings, _) = watch(Fault::Old("seg2.m4s".to_owned()), REUSING).await;
    assert_eq!(counts.stale, u64::from(VIEWERS), "{findings:?}");
    assert_eq!(
        counts.corrupt + counts.missing + counts.late,
        0,
        "{findings:?}"
    );
    only(&findings, "seg2.m4s");
}

/// A segment that is never served: missing, reported once the playlist has dropped it.
#[tokio::test]
async fn a_dropped_segment_is_missing() {
    let encoder = Encoder {
        names: 100,
        window: 6,
        target_seconds: 1,
    };
    let (counts, findings, _) = watch(Fault::Drop("seg3.m4s".to_owned()), encoder).await;
    assert!(counts.missing >= u64::from(VIEWERS), "{findings:?}");
    assert_eq!(counts.corrupt + counts.stale, 0, "{findings:?}");
    assert!(
        findings
            .iter()
            .any(|finding| finding.detail.contains("segment 3 ")),
        "{findings:?}"
    );
}

/// A segment that the ring has overtaken: missing at once, and counted as lapped.
#[tokio::test]
async fn a_lapped_viewer_misses_a_segment() {
    let (counts, findings, _) = watch(Fault::Gone("seg3.m4s".to_owned()), PLAIN).await;
    assert_eq!(counts.missing, u64::from(VIEWERS), "{findings:?}");
    assert_eq!(counts.lapped, counts.missing);
    only(&findings, "seg3.m4s");
}

/// A segment that takes longer than a target duration: late, though intact.
#[tokio::test]
async fn a_slow_segment_is_late() {
    let fault = Fault::Late("seg4.m4s".to_owned(), Duration::from_millis(1300));
    let (counts, findings, followed) = watch(fault, PLAIN).await;
    assert_eq!(counts.late, u64::from(VIEWERS), "{findings:?}");
    assert_eq!(
        counts.corrupt + counts.stale + counts.missing,
        0,
        "{findings:?}"
    );
    only(&findings, "seg4.m4s");
    assert!(followed.iter().all(|one| one.ended));
}

/// A segment whose first byte comes after the playlist has dropped it: late, too, even
/// within a target duration. (While they wait, viewers may miss others.)
#[tokio::test]
async fn a_segment_after_its_time_is_late() {
    let encoder = Encoder {
        names: 100,
        window: 6,
        target_seconds: 2,
    };
    let fault = Fault::Late("seg4.m4s".to_owned(), Duration::from_millis(1700));
    let (counts, findings, _) = watch(fault, encoder).await;
    let late = |finding: &&Finding| {
        finding.object.contains("seg4") && finding.detail.contains("had dropped it")
    };
    assert_eq!(
        findings.iter().filter(late).count() as u32,
        VIEWERS,
        "{findings:?}"
    );
    assert_eq!(counts.corrupt + counts.stale, 0, "{findings:?}");
}

/// A body cut off in the middle is never taken for a whole one: it is asked for again.
#[tokio::test]
async fn a_cut_body_is_asked_for_again() {
    let (counts, findings, followed) = watch(Fault::Cut("seg6.m4s".to_owned()), PLAIN).await;
    assert_eq!(counts.cut, 1, "{counts:?}");
    assert!(counts.clean(), "{findings:?}");
    assert!(followed.iter().all(|one| one.ended));
}

/// A playlist that stands still: each viewer is told what it never heard of.
#[tokio::test]
async fn a_frozen_playlist_is_missing_segments() {
    let (counts, findings, followed) = watch(Fault::Frozen("live.m3u8".to_owned()), PLAIN).await;
    assert!(
        counts.missing >= u64::from(VIEWERS * (SEGMENTS - 6)),
        "{findings:?}"
    );
    assert!(followed.iter().all(|one| !one.ended));
}

/// A playlist older than one that the viewer had is stale; the viewer does not follow it
/// back.
#[tokio::test]
async fn a_playlist_that_goes_back_is_stale() {
    let (counts, findings, followed) = watch(Fault::Back("live.m3u8".to_owned()), PLAIN).await;
    assert!(counts.stale > 0, "{counts:?}");
    assert_eq!(counts.corrupt + counts.missing, 0, "{findings:?}");
    only(&findings, "live.m3u8");
    assert!(followed.iter().all(|one| one.ended));
}

/// A playlist that lags one version behind is right by the rule, until the end never comes.
#[tokio::test]
async fn a_playlist_without_its_end_is_missing_the_last() {
    let (counts, findings, _) = watch(Fault::Old("live.m3u8".to_owned()), PLAIN).await;
    assert_eq!(counts.stale + counts.corrupt, 0, "{findings:?}");
    assert_eq!(counts.missing, u64::from(VIEWERS), "{findings:?}");
    assert!(
        findings
            .iter()
            .all(|finding| finding.detail.starts_with("seg11.m4s"))
    );
}
