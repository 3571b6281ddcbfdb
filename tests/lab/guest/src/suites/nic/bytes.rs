//! What viewers get, and what the card says that it sealed.

use super::bed::{Bed, CARD, FETCHES, SEGMENT};
use crate::card::{Counts, Switch, let_go};
use anyhow::{Result, ensure};

/// What a record of TLS 1.2 with AES-GCM adds: header, explicit nonce, tag.
const RECORD_ADDS: u64 = 29;

/// How long the card keeps held segments.
pub(super) const HOLD_MS: &str = "2000";

impl Bed {
    /// The ledger and the card agree to the byte: what the card sealed is what was delivered, and what
    /// each record adds.
    pub(super) fn counted(&self) -> Result<String> {
        let (before, ledger) = (Counts::read(CARD)?, self.daemon.bytes_by("nic_ktls")?);
        self.fetch_equal()?;
        self.daemon.until_viewers(0)?;
        let counted = Counts::read(CARD)?.since(&before)?;
        let ledger = self.daemon.bytes_by("nic_ktls")? - ledger;
        ensure!(
            ledger > SEGMENT * FETCHES as u64,
            "{ledger} bytes by nic_ktls, {} by ktls, {} by userspace_tls; TlsTxDevice {}; {:?}",
            self.daemon.bytes_by("ktls")?,
            self.daemon.bytes_by("userspace_tls")?,
            counted.get("TlsTxDevice")?,
            self.daemon.logged("no card seals")?
        );
        let (device, software) = (counted.get("TlsTxDevice")?, counted.get("TlsTxSw")?);
        ensure!(
            (device, software) == (1, 0),
            "sockets: {device} device, {software} software"
        );
        let sealed = counted.get("sealed_bytes")?;
        let added = sealed.checked_sub(ledger);
        let added = added.ok_or_else(|| anyhow::anyhow!("{sealed} sealed of {ledger}"))?;
        let records = added / RECORD_ADDS;
        ensure!(
            added % RECORD_ADDS == 0,
            "{added} bytes are no {records} records' additions"
        );
        ensure!(
            records >= ledger / (16 << 10),
            "{records} records for {ledger} bytes"
        );
        Ok(format!(
            "{sealed} sealed = {ledger} delivered + {records} records x {RECORD_ADDS}"
        ))
    }

    /// The same bytes with a switch on, all of them by the card.
    pub(super) fn with(&self, switch: &str, nth: &str, seen: &str) -> Result<String> {
        let before = Counts::read(CARD)?;
        let (card, all) = (self.daemon.bytes_by("nic_ktls")?, self.all_bytes()?);
        {
            let _time = Switch::set("hold_ms", HOLD_MS)?;
            let _on = Switch::set(switch, nth)?;
            self.fetch_equal()?;
        }
        let counted = let_go(CARD)?.since(&before)?;
        let count = counted.get(seen)?;
        ensure!(count > 0, "{seen} is 0");
        ensure!(counted.get("held_changed")? == 0, "a held segment changed");
        let other = (self.all_bytes()? - all) - (self.daemon.bytes_by("nic_ktls")? - card);
        ensure!(other == 0, "{other} bytes not by the card");
        Ok(format!("{seen} {count}"))
    }
}
