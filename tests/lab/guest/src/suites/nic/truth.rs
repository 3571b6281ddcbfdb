//! Who sealed: what the daemon says when the card has no place, or is left.

use super::bed::{Bed, FETCHES, LARGE, SEGMENT};
use crate::card::Switch;
use crate::https::equal;
use crate::tool::{run as tool, start, until};
use anyhow::{Result, ensure};

impl Bed {
    pub(super) fn refused(&self) -> Result<String> {
        let before = self.daemon.bytes_by("ktls")?;
        let _full = Switch::set("contexts_max", "0")?;
        self.fetch_equal()?;
        let by = self.daemon.bytes_by("ktls")? - before;
        ensure!(by > SEGMENT * FETCHES as u64, "{by} bytes by ktls");
        Ok(self.daemon.logged("no card seals")?.join(" "))
    }

    /// Something happens to the way of a viewer who reads, and is mended once it was noticed.
    pub(super) fn fell_back(&self, happens: &[&[&str]], mended: &[&[&str]]) -> Result<String> {
        let file = self.daemon.folder().join("fallback");
        let log = self.daemon.folder().join("fallback.log");
        let _ = std::fs::remove_file(&file);
        let path = file.to_string_lossy().into_owned();
        let (before, said) = (self.daemon.bytes_by("ktls_fallback")?, self.said()?.len());
        let flags = ["--limit-rate", "700k", "-o", &path];
        let mut slow = start(&mut self.client("large.ts", 1, &flags), &log)?;
        until("it reads", || {
            Ok((std::fs::metadata(&file).map_or(0, |m| m.len()) > 100_000).then_some(()))
        })?;
        for arguments in happens {
            tool("ip", arguments)?;
        }
        let said = until("it is said", || Ok(self.said()?.get(said).cloned()))?;
        for arguments in mended {
            tool("ip", arguments)?;
        }
        until("its end", || Ok((!slow.is_running()).then_some(())))?;
        equal(&std::fs::read(&file)?, &self.large)?;
        let by = self.daemon.bytes_by("ktls_fallback")? - before;
        ensure!(by > 0 && by <= LARGE, "{by} bytes by ktls_fallback");
        let next = self.daemon.bytes_by("nic_ktls")?;
        self.fetch_equal()?;
        let next = self.daemon.bytes_by("nic_ktls")? - next;
        ensure!(next > 0, "the card is there and not used");
        Ok(format!("{by} bytes by ktls_fallback; {said}"))
    }

    fn said(&self) -> Result<Vec<String>> {
        self.daemon.logged("has left its card")
    }
}
