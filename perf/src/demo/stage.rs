//! Everything that runs during the demo, and its start.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::{DAEMON_MAX, Options};
use crate::child::Child;
use crate::client::Target;
use crate::daemon::Daemon;
use crate::ffmpeg::{Encode, Muxer, can_draw_text};
use crate::ledger::Ledger;
use crate::page::Page;
use crate::setup::{Ports, Setup, StreamSetup};
use crate::tally::Tally;
use crate::tee::Tee;
use crate::viewer::{Audience, Plan};

/// The two streams: name, shape, tone.
const STREAMS: [(&str, Muxer, u32); 2] = [("fmp4", Muxer::HlsFmp4, 440), ("ts", Muxer::HlsTs, 660)];
/// Viewers join over this long, so that they fall on every moment of a segment.
const JOIN_OVER: Duration = Duration::from_secs(4);

/// All that runs. What is dropped is ended, in the order of the fields.
pub(super) struct Stage {
    pub(super) encoders: Vec<Child>,
    pub(super) audience: Audience,
    pub(super) page: Page,
    pub(super) tee: Tee,
    pub(super) daemon: Daemon,
    pub(super) setup: Setup,
    pub(super) ledger: Arc<Ledger>,
    pub(super) tally: Arc<Tally>,
    pub(super) viewers: u32,
    pub(super) segment: Duration,
    pub(super) began: Instant,
}

impl Stage {
    pub(super) async fn start(options: &Options, folder: &Path) -> Result<Stage> {
        let mut setup = Setup::new(folder)?;
        setup.zones.clone_from(&options.zones);
        let zones = zones_wanted(&setup.zones);
        setup.streams = STREAMS
            .iter()
            .zip(0..)
            .map(|((id, ..), index)| StreamSetup {
                id: (*id).to_owned(),
                zone: zones.map(|zones| index % zones),
            })
            .collect();
        let mut daemon = Daemon::start(&options.zonecast, &setup)?;
        daemon.ready(DAEMON_MAX).await?;
        let ledger = Ledger::new();
        let tee = Tee::start(Ports::four(setup.ports.ingest), ledger.clone()).context("no tee")?;
        let page = Page::start(&page_streams(&setup))
            .await
            .context("no page")?;
        let clock = can_draw_text(&options.ffmpeg);
        let mut encoders = Vec::new();
        let mut segment = Duration::ZERO;
        for (id, muxer, tone_hertz) in STREAMS {
            let url = format!("http://{}/live/{id}", tee.address());
            let mut encode = Encode::new(muxer, url, setup.token.clone());
            encode.ffmpeg.clone_from(&options.ffmpeg);
            encode.size = options.size;
            encode.clock = clock;
            encode.tone_hertz = tone_hertz;
            segment = Duration::from_secs(u64::from(encode.segment_seconds));
            let log = folder.join(format!("ffmpeg-{id}.log"));
            let name = format!("ffmpeg of {id}");
            encoders.push(Child::start(&name, encode.command(), &log)?);
        }
        let tally = Tally::new();
        let plans = plans(options.viewers, &setup);
        let audience = Audience::start(plans, &ledger, &tally).context("no viewers")?;
        Ok(Stage {
            encoders,
            audience,
            page,
            tee,
            daemon,
            setup,
            ledger,
            tally,
            viewers: options.viewers,
            segment,
            began: Instant::now(),
        })
    }

    /// What outlasts the stage, for the logs.
    pub(super) fn records(&self) -> (Arc<Tally>, Arc<Ledger>) {
        (self.tally.clone(), self.ledger.clone())
    }

    /// Zones that must carry bytes.
    pub(super) fn zones(&self) -> u64 {
        zones_wanted(&self.setup.zones).map_or(1, u64::from)
    }

    /// Where to look, for people.
    pub(super) fn addresses(&self) -> String {
        let Ports { https, http, .. } = self.setup.ports;
        let mut text = format!(
            "page     {}   (in a browser, plays both)\n",
            self.page.url()
        );
        for (id, ..) in STREAMS {
            text.push_str(&format!(
                "{id:<8} https://localhost:{https}{}\n",
                playlist(id)
            ));
        }
        let (first, second) = (playlist(STREAMS[0].0), playlist(STREAMS[1].0));
        let certificate = self.setup.certificate.chain_file.display();
        text.push_str(&format!("ffplay   ffplay http://localhost:{http}{first}\n"));
        text.push_str(&format!("VLC      vlc http://localhost:{http}{second}\n"));
        text.push_str(&format!(
            "curl     curl --cacert {certificate} https://localhost:{https}{first}\n"
        ));
        text.push_str(&format!(
            "metrics  http://127.0.0.1:{}/metrics\n",
            self.setup.ports.admin
        ));
        text.push_str(&format!("tee      {} -> ingest", self.tee.address()));
        text
    }
}

/// N of `virtual:N`.
fn zones_wanted(zones: &str) -> Option<u16> {
    zones
        .strip_prefix("virtual:")?
        .parse()
        .ok()
        .filter(|zones| *zones > 0)
}

pub(super) fn playlist(stream: &str) -> String {
    format!("/live/{stream}/live.m3u8")
}

fn page_streams(setup: &Setup) -> Vec<(String, String)> {
    STREAMS
        .iter()
        .map(|(id, ..)| {
            let url = format!("http://localhost:{}{}", setup.ports.http, playlist(id));
            ((*id).to_owned(), url)
        })
        .collect()
}

/// Half of the viewers over IPv4, half over IPv6, joining one after the other.
fn plans(viewers: u32, setup: &Setup) -> Vec<Plan> {
    let Ports { https, .. } = setup.ports;
    let playlists: Vec<String> = STREAMS.iter().map(|(id, ..)| playlist(id)).collect();
    (0..viewers)
        .map(|id| {
            let address = if id % 2 == 0 {
                Ports::four(https)
            } else {
                setup.ports.six(https)
            };
            Plan {
                id,
                target: Target::tls(address, setup.certificate.client.clone()),
                playlists: playlists.clone(),
                join_after: JOIN_OVER * id / viewers.max(1),
            }
        })
        .collect()
}
