//! Memory that the card reads: it stays as it is until the card has let go of it, whatever becomes of the
//! viewer and of the ring.

use super::bed::{Bed, CARD, FAR, FETCHES, LARGE, SEGMENT};
use super::bytes::HOLD_MS;
use crate::card::{Counts, Switch, let_go};
use crate::https::equal;
use crate::machine::write;
use crate::tool::{run as tool, start, until};
use anyhow::{Result, ensure};
use std::time::Duration;

/// Bytes of a response that go with its head, up to the first page, and in a last short piece, at most.
const COPIED_MAX: u64 = (4 << 10) + (16 << 10);

impl Bed {
    pub(super) fn left(&self) -> Result<String> {
        for round in 0..3 {
            let log = self.daemon.folder().join(format!("left-{round}"));
            let flags = ["--limit-rate", "200k", "-o", "/dev/null"];
            let mut slow = start(&mut self.client("large.ts", 1, &flags), &log)?;
            std::thread::sleep(Duration::from_millis(700));
            ensure!(slow.is_running(), "it was not slow");
            drop(slow);
        }
        self.daemon.until_viewers(0)?;
        until("no context in the card", || {
            let now = Counts::read(CARD)?.get("contexts_now")?;
            Ok((now == 0).then_some(()))
        })?;
        self.fetch_equal()?;
        Ok(String::from("3 left, none stayed; the next is served"))
    }

    /// Bytes that viewers have acknowledged, and that the card still has: the ring, which comes round
    /// meanwhile, leaves them alone.
    pub(super) fn overwritten(&mut self) -> Result<String> {
        let before = Counts::read(CARD)?;
        let (lent, over) = (self.lent()?, self.stepped_over()?);
        {
            let _time = Switch::set("hold_ms", HOLD_MS)?;
            let _on = Switch::set("hold_nth", "4")?;
            self.fetch_equal()?;
        }
        let lent = self.lent()? - lent;
        let sent = SEGMENT * FETCHES as u64;
        let copied = sent - lent;
        ensure!(
            copied <= COPIED_MAX * FETCHES as u64,
            "{copied} of {sent} bytes were copied"
        );
        self.overwrite()?;
        let counted = let_go(CARD)?.since(&before)?;
        let (held, changed) = (counted.get("held")?, counted.get("held_changed")?);
        ensure!(held > 0, "no segment was held");
        ensure!(changed == 0, "{changed} of {held} held segments changed");
        let over = self.stepped_over()? - over;
        ensure!(over > 0, "the ring has not come round");
        self.upload_again()?;
        Ok(format!(
            "{lent} bytes lent, {held} segments held, none changed; stepped over {over} times"
        ))
    }

    fn lent(&self) -> Result<u64> {
        let metrics = self.daemon.metrics()?;
        Ok(metrics.sum("zonecast_nic_tls_lent_bytes_total", &[])? as u64)
    }

    fn stepped_over(&self) -> Result<u64> {
        let metrics = self.daemon.metrics()?;
        Ok(metrics.sum("zonecast_ring_stepped_over_total", &[])? as u64)
    }

    /// Has the ring, of 8 MiB, come round.
    fn overwrite(&self) -> Result<()> {
        for n in 1..=6 {
            self.upload(&format!("over{n}.ts"), LARGE)?;
        }
        Ok(())
    }

    fn upload_again(&mut self) -> Result<()> {
        self.segment = self.upload("s0.ts", SEGMENT)?;
        self.large = self.upload("large.ts", LARGE)?;
        Ok(())
    }

    /// Viewers so slow that the ring comes round: each gets the right bytes, or a cut response.
    pub(super) fn turned_over(&mut self, lost_nth: &str) -> Result<String> {
        // What a socket holds of the object is no matter of the ring's.
        write("/proc/sys/net/ipv4/tcp_wmem", "4096 16384 262144")?;
        let far = "echo 4096 65536 262144 > /proc/sys/net/ipv4/tcp_rmem";
        tool("ip", &["netns", "exec", FAR, "sh", "-c", far])?;
        let mut slow = Vec::new();
        for viewer in 0..4 {
            let file = self.daemon.folder().join(format!("slow-{viewer}"));
            let log = self.daemon.folder().join(format!("slow-{viewer}.log"));
            let file = file.to_string_lossy().into_owned();
            let flags = ["--limit-rate", "300k", "-o", &file];
            slow.push((start(&mut self.client("large.ts", 1, &flags), &log)?, file));
        }
        self.daemon.until_viewers(4)?;
        let _lost = Switch::set("drop_nth", lost_nth)?;
        self.overwrite()?;
        let (mut whole, mut cut) = (0, 0);
        for (mut viewer, file) in slow {
            until("a slow viewer's end", || {
                Ok((!viewer.is_running()).then_some(()))
            })?;
            let came = std::fs::read(file)?;
            ensure!(came.len() <= self.large.len(), "{} bytes", came.len());
            equal(&came, &self.large[..came.len()])?;
            if came.len() == self.large.len() {
                whole += 1;
            } else {
                cut += 1;
            }
        }
        ensure!(cut > 0, "nobody was slow enough");
        self.upload_again()?;
        self.fetch_equal()?;
        Ok(format!("{whole} whole, {cut} cut, not a byte wrong"))
    }
}
