//! Viewers that follow HLS playlists and compare all they get with a tee's ledger.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use zonecast_perf::ledger::Ledger;
use zonecast_perf::tally::{Counts, Tally};
use zonecast_perf::viewer::{Audience, Followed, Plan};

use crate::bench::Bench;

/// Viewers at work.
#[derive(Debug)]
pub struct Watching {
    audience: Audience,
    tally: Arc<Tally>,
}

impl Watching {
    /// Starts `viewers` of a stream's `live.m3u8`, by HTTPS.
    ///
    /// # Errors
    /// No thread can be had.
    pub fn start(
        bench: &Bench,
        ledger: &Arc<Ledger>,
        stream: &str,
        viewers: u32,
    ) -> Result<Watching> {
        let tally = Tally::new();
        let plan = |id| Plan {
            id,
            target: bench.target(),
            playlists: vec![format!("/live/{stream}/live.m3u8")],
            join_after: Duration::from_millis(200) * id,
        };
        let plans = (0..viewers).map(plan).collect();
        let audience = Audience::start(plans, ledger, &tally).context("no viewers")?;
        Ok(Watching { audience, tally })
    }

    /// The counts now.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.tally.counts()
    }

    /// Lets the viewers come to the end of their playlists, at most for `patience`: what
    /// each came to, the counts, and the findings in words.
    pub async fn finish(self, patience: Duration) -> (Vec<Followed>, Counts, String) {
        let followed = self.audience.finish(Instant::now() + patience).await;
        let findings: Vec<String> = self
            .tally
            .findings()
            .iter()
            .map(|found| format!("{found}\n"))
            .collect();
        (followed, self.tally.counts(), findings.concat())
    }
}
