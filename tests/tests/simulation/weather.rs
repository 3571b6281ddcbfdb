//! Scenarios drawn by lot: each seed has a size, a weather, encoders, viewers and accidents of its
//! own. Some kinds are frequent in a seed and others missing, since a run that has all of them at
//! once seldom gets far enough to show the rare ones.

use std::rc::Rc;
use std::time::Duration;

use zonecast_dataplane::simulation::{Door, Flaw};
use zonecast_dataplane::tls::RECORDS_PER_KEY;
use zonecast_io::sim::Faults;

use super::encoder::EncoderPlan;
use super::random::Random;
use super::scenario::{KIB, Kill, Scenario};
use super::viewer::ViewerPlan;

impl Scenario {
    /// Everything, as the seed wants it.
    pub(crate) fn from_seed(seed: u64) -> Self {
        let mut random = Random::of(seed, 0);
        let loops = random
            .pick(&[&[0][..], &[0, 0], &[0, 1], &[0, 0, 1], &[0, 1, 1, 0]])
            .to_vec();
        let mut all_names = Vec::new();
        let tls_percent = random.pick(&[0, 0, 30, 60]);
        let mut encoders = Vec::new();
        for stream in ["a", "b"].iter().take(random.between(1, 2)) {
            for track in ["", "v1/"].iter().take(random.between(1, 2)) {
                let names = names(stream, track, random.between(2, 8));
                for _ in 0..random.between(1, 2) {
                    encoders.push(encoder(&mut random, names.clone(), tls_percent));
                }
                all_names.extend(names.iter().cloned());
            }
        }
        all_names.push("/live/a/never.ts".into());
        all_names.push("/live/none/s0.ts".into());
        let names: Rc<[Rc<str>]> = all_names.into();
        let viewers = (0..random.between(3, 10))
            .map(|_| viewer(&mut random, names.clone(), tls_percent))
            .collect();
        let fair = random.percent(8);
        let ends = random.below(10);
        Self {
            seed,
            faults: if fair {
                Faults::none()
            } else {
                Faults::from_seed(seed)
            },
            loops,
            ring_bytes: random.pick(&[256, 512, 1024, 2048]) * KIB,
            send_buffers: random.pick(&[4, 8, 16, 32]),
            connections_max: random.pick(&[8, 64, 64]),
            waiting_max: random.pick(&[2, 100, 100]),
            encoders,
            viewers,
            vandalism: random.pick(&[0, 0, 10]),
            stream_idle: Duration::from_secs(random.pick(&[1, 3600, 3600])),
            records_per_key: random.pick(&[20, RECORDS_PER_KEY]),
            mail_max: random.pick(&[1, 3, 4096]),
            reloads: reloads(&mut random),
            drains: (ends == 0).then(|| random.up_to_ms(4000)),
            kills: if ends > 7 {
                kills(&mut random)
            } else {
                Vec::new()
            },
            late_mail: random.pick(&[0, 2, 20]),
            part_bytes: random.pick(&[16, 64, 128]) * KIB,
            pinned_max: random.pick(&[2, 64, 64, 64, 64]),
            tracks_max: random.pick(&[1, 16, 16, 16, 16]),
            stalls: false,
            flaw: Flaw::None,
        }
    }
}

fn kills(random: &mut Random) -> Vec<Kill> {
    let kill = |random: &mut Random| Kill {
        at: random.up_to_ms(6000),
        down: random.up_to_ms(1500),
    };
    (0..random.pick(&[1, 1, 2])).map(|_| kill(random)).collect()
}

fn reloads(random: &mut Random) -> Vec<Duration> {
    let count = random.pick(&[0, 0, 0, 1, 4]);
    (0..count).map(|_| random.up_to_ms(8000)).collect()
}

/// Segments of both kinds, an init segment and a playlist of one track.
pub(crate) fn names(stream: &str, track: &str, segments: usize) -> Rc<[Rc<str>]> {
    let name = |n: usize| match n {
        0 => format!("/live/{stream}/{track}live.m3u8"),
        1 => format!("/live/{stream}/{track}init.mp4"),
        n if n % 3 == 0 => format!("/live/{stream}/{track}s{n}.m4s"),
        n => format!("/live/{stream}/{track}s{n}.ts"),
    };
    (0..segments + 2).map(|n| name(n).into()).collect()
}

fn encoder(random: &mut Random, names: Rc<[Rc<str>]>, tls_percent: usize) -> EncoderPlan {
    let tls = random.percent(tls_percent);
    let storms = random.percent(15);
    EncoderPlan {
        door: if tls { Door::EncoderTls } else { Door::Encoder },
        index: random.below(8),
        names,
        objects: if storms { 100 } else { random.between(5, 30) },
        bytes_max: random.pick(&[4_000, 20_000, 100_000, 400_000]),
        cuts_percent: random.pick(&[0, 10, 30]),
        deletes_percent: random.pick(&[0, 10]),
        leaves_percent: random.pick(&[0, 20]),
        ahead_percent: if storms { 90 } else { random.pick(&[0, 50]) },
        pause_ms: if storms {
            0
        } else {
            random.pick(&[1, 20, 300])
        },
        lies: false,
    }
}

fn viewer(random: &mut Random, names: Rc<[Rc<str>]>, tls_percent: usize) -> ViewerPlan {
    let door = match (random.percent(tls_percent), random.percent(5)) {
        (false, false) => Door::Viewer,
        (true, false) => Door::ViewerTls,
        (false, true) => Door::Encoder,
        (true, true) => Door::EncoderTls,
    };
    ViewerPlan {
        door,
        index: random.below(8),
        names,
        connections: random.between(1, 6),
        requests: random.between(1, 12),
        pipelined: random.pick(&[1, 1, 2, 5]),
        manners_percent: random.pick(&[0, 30, 60]),
        is_odd: random.percent(60),
        range_percent: random.pick(&[0, 20, 80]),
        http10_percent: random.pick(&[0, 0, 10]),
    }
}
