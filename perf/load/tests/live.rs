//! Shows that live viewers find what a server does wrong, each kind as what it is: late, expired,
//! wrong, broken; and nothing at a server that does everything right. The server is the stand-in
//! of the demo's tests, by TLS and in plain; producers upload to it.
#![allow(clippy::unwrap_used, missing_docs)]

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use zonecast_load::live::{
    Arrivals, Audience, Board, LiveReport, LiveSpec, Media, Plan, Pool, ProduceSpec, Sink, Track,
    Verify, clients, run,
};
use zonecast_perf::setup::Certificate;

#[path = "../../tests/origin/mod.rs"]
mod origin;

use origin::{Fault, Origin, Role};

const SEGMENT: Duration = Duration::from_secs(1);
const VIEWERS: u32 = 8;
/// Longer than a busy machine keeps anybody waiting.
const PATIENT: Duration = Duration::from_secs(30);

/// A stand-in with producers and viewers.
struct Stage {
    spec: LiveSpec,
    produce: ProduceSpec,
    pool: Arc<Pool>,
    _folder: tempfile::TempDir,
}

/// A stand-in that does one thing wrong, on a thread that ends with the process.
fn serve(fault: Fault, certificate: &Certificate) -> [SocketAddr; 3] {
    let (say, hear) = mpsc::channel();
    let (chain, key) = (certificate.chain_file.clone(), certificate.key_file.clone());
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let origin = Origin::new(fault, None);
            let tls = origin::acceptor(&chain, &key);
            let listeners = [
                (Role::Ingest, None),
                (Role::Viewers, None),
                (Role::Viewers, Some(tls)),
            ];
            let addresses = listeners.map(|(role, tls)| {
                let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
                let address = listener.local_addr().unwrap();
                origin.listen(listener, role, tls);
                address
            });
            say.send(addresses).unwrap();
            std::future::pending::<()>().await;
        });
    });
    hear.recv().unwrap()
}

/// Two tracks of two renditions each at a stand-in; viewers that nothing makes late.
fn stage(fault: Fault, tls: bool) -> Stage {
    let folder = tempfile::tempdir().unwrap();
    let certificate = Certificate::make(folder.path()).unwrap();
    let [ingest, plain, sealed] = serve(fault, &certificate);
    let track = |n, rate| Track {
        playlist: format!("/live/b{n}/index.m3u8"),
        rate,
        weight: 1,
    };
    let media = Arc::new(Media::make(
        5,
        vec![track(0, 2e6), track(1, 400e3)],
        SEGMENT,
    ));
    let board = Arc::new(Board::new(2));
    let ramp = Arrivals::ramp(VIEWERS, Duration::from_millis(500));
    let target = if tls { sealed } else { plain };
    let mut spec = LiveSpec::new(target, Arc::clone(&media), vec![ramp]);
    let pool = Arc::new(Pool::default());
    if tls {
        let root = CertificateDer::from_pem_file(&certificate.chain_file).unwrap();
        spec.tls = Some(clients(root, &pool).unwrap());
    }
    spec.verify = Verify::Media(4);
    (spec.cushion, spec.start_within) = (PATIENT, PATIENT);
    spec.board = Some(Arc::clone(&board));
    let sink = Sink::Http {
        targets: vec![ingest],
        tls: None,
        token: None,
    };
    let produce = ProduceSpec {
        sink,
        media,
        slices: 4,
        listed: 4,
        first: 0,
        preload: 3,
        board: Some(board),
    };
    Stage {
        spec,
        produce,
        pool,
        _folder: folder,
    }
}

impl Stage {
    /// Until `enough`, which looks at all that came so far, or for half a minute.
    fn run(&self, mut enough: impl FnMut(&zonecast_load::live::Tally) -> bool) -> LiveReport {
        let plan = Plan {
            warm_up: Duration::ZERO,
            measured: PATIENT,
            cpus: Vec::new(),
        };
        let mut sum = zonecast_load::live::Tally::default();
        let each = |second: &zonecast_load::live::Second| {
            sum.add(&second.tally);
            !enough(&sum)
        };
        run(self.spec.clone(), Some(self.produce.clone()), &plan, each).unwrap()
    }
}

/// Every segment comes in order and whole, a part compared; nothing is wrong. Tickets come in,
/// too, and the delay behind the producers is known.
#[test]
fn a_right_server_passes() {
    for tls in [true, false] {
        let stage = stage(Fault::None, tls);
        let report = stage.run(|sum| sum.amounts.segments >= 60);
        assert_eq!(report.errors, 0, "{report}");
        assert!(report.amounts.segments >= 60, "{report}");
        assert!(
            0 < report.amounts.verified && report.amounts.verified <= report.amounts.segments,
            "{report}"
        );
        assert_eq!((report.amounts.came, report.viewers), (VIEWERS.into(), 8));
        assert_eq!(
            report.amounts.handshakes,
            if tls { 8 } else { 0 },
            "{report}"
        );
        assert_eq!(stage.pool.count() > 0, tls);
        assert!(report.delay("live_last").is_some(), "{report}");
        assert_eq!((report.uploads_broken, report.slow), Default::default());
    }
}

/// A segment that takes longer than it plays is late.
#[test]
fn late_is_found() {
    let mut stage = stage(Fault::Late("s0000".to_owned(), SEGMENT * 3), true);
    stage.spec.cushion = Duration::ZERO;
    let report = stage.run(|sum| sum.faults[0] >= 8);
    assert!(report.watchers.late >= 8, "{report}");
    assert_eq!((report.watchers.wrong, report.watchers.broken), (0, 0));
}

/// Of a crowd at a server that says nothing, everybody is late once and gives up; nobody who stays
/// does.
#[test]
fn a_crowd_gives_up() {
    let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let mut spec = stage(Fault::None, true).spec;
    spec.target = silent.local_addr().unwrap();
    spec.start_within = Duration::from_millis(50);
    let crowd = Arrivals {
        segments: Some(1),
        ..Arrivals::ramp(5, Duration::ZERO)
    };
    spec.arrivals = vec![crowd, Arrivals::ramp(2, Duration::ZERO)];
    let began = Instant::now();
    let mut audience = Audience::new(Arc::new(spec), began, (0, 1)).unwrap();
    let (mut late, mut left) = (0, 0);
    while late < 7 || audience.count() > 2 {
        assert!(
            began.elapsed() < PATIENT,
            "{late} late, {} there",
            audience.count()
        );
        audience
            .run(Instant::now() + Duration::from_millis(20))
            .unwrap();
        let tally = audience.take();
        late += tally.errors();
        left += tally.amounts.left;
    }
    assert_eq!((audience.count(), left), (2, 0));
}

/// A playlist that stands still leaves viewers without anything to play.
#[test]
fn a_playlist_that_stands_still_is_late() {
    let mut stage = stage(Fault::Frozen("index.m3u8".to_owned()), false);
    stage.spec.cushion = Duration::ZERO;
    let report = stage.run(|sum| sum.faults[0] >= 8);
    assert!(report.watchers.late >= 8, "{report}");
}

/// A listed segment that is gone has expired, whichever way the server says so.
#[test]
fn expired_is_found() {
    let name = || "s000003".to_owned();
    for fault in [Fault::Gone(name()), Fault::Drop(name())] {
        let report = stage(fault, true).run(|sum| sum.faults[1] >= 8);
        let watchers = report.watchers;
        assert_eq!((watchers.expired, watchers.wrong), (8, 0), "{report}");
        assert!(report.examples[0].contains("s000003"), "{report}");
    }
}

/// One bit of a segment: whoever verifies finds it, and nobody else.
#[test]
fn wrong_bytes_are_found() {
    for tls in [true, false] {
        let report = stage(Fault::Flip("s000003".to_owned()), tls).run(|sum| {
            // All have had the segments behind it.
            sum.amounts.segments >= 8 * 6
        });
        let watchers = report.watchers;
        assert_eq!((watchers.expired, watchers.broken), (0, 0), "{report}");
        assert!(report.examples[0].contains("wrong byte"), "{report}");
        // The stand-in frames every other body in chunks, which everyone opens.
        assert!((2..=8).contains(&watchers.wrong), "{report}");
    }
}

/// A playlist that goes back is wrong.
#[test]
fn a_playlist_that_goes_back_is_found() {
    let report = stage(Fault::Back("index.m3u8".to_owned()), true).run(|sum| sum.faults[2] >= 2);
    assert!(report.watchers.wrong >= 2, "{report}");
    assert!(report.examples[0].contains("a playlist up to"), "{report}");
}

/// A body that is cut is a broken connection, and the segment comes on the next one.
#[test]
fn a_cut_body_is_found() {
    let report =
        stage(Fault::Cut("s000003".to_owned()), true).run(|sum| sum.amounts.segments >= 8 * 6);
    let watchers = report.watchers;
    assert_eq!((watchers.broken, watchers.wrong), (2, 0), "{report}");
}

/// A crowd joins, has one segment each and leaves; most resume with the tickets of the others.
#[test]
fn a_crowd_comes_and_goes() {
    let mut stage = stage(Fault::None, true);
    let crowd: Arrivals = "40@1+2/1~90%".parse().unwrap();
    stage.spec.arrivals.push(crowd);
    let report = stage.run(|sum| sum.amounts.left >= 40);
    assert_eq!((report.errors, report.amounts.left), (0, 40), "{report}");
    assert_eq!(report.amounts.handshakes, 48, "{report}");
    // Everyone gets two tickets, so there are enough.
    assert_eq!(report.amounts.resumed, 36, "{report}");
    assert_eq!(report.delay("join").unwrap().count, 48, "{report}");
    assert_eq!(report.viewers, 8);
}

/// Slow readers fall behind, and nobody else is blamed for it; where viewers leave, others come.
#[test]
fn slow_readers_and_churn() {
    let mut stage = stage(Fault::None, true);
    stage.spec.slow = 25.0;
    stage.spec.slow_rate = 20e3;
    stage.spec.start_within = SEGMENT;
    stage.spec.churn = 600.0;
    let report = stage.run(|sum| sum.slow_faults[0] >= 2 && sum.amounts.left >= 4);
    assert!(report.slow.late >= 2, "{report}");
    assert!(report.amounts.left >= 4, "{report}");
    assert_eq!(report.amounts.came, 8 + report.amounts.left, "{report}");
    let watchers = report.watchers;
    assert_eq!((watchers.wrong, watchers.expired), (0, 0), "{report}");
}
