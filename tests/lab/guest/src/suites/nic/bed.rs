//! A daemon behind a card, something to fetch, and clients at the far end of the cable.

use crate::card::load;
use crate::daemon::{Daemon, TOKEN};
use crate::https::{equal, put, segment};
use crate::tool::{bytes, run as tool};
use anyhow::Result;
use std::process::Command;

/// The second pair of cards, with addresses of its own.
pub(super) const CARD: &str = "tlsnic1";
pub(super) const FAR: &str = "farther";
pub(super) const NEAR_ADDRESS: &str = "10.6.0.1";
pub(super) const FAR_ADDRESS: &str = "10.6.0.2";

/// Bytes of the object that is fetched most, and of one that no socket holds.
pub(super) const SEGMENT: u64 = 500_009;
pub(super) const LARGE: u64 = 3_900_001;
pub(super) const FETCHES: usize = 3;

/// A daemon behind a card, with something to fetch.
pub(super) struct Bed {
    pub(super) daemon: Daemon,
    pub(super) segment: Vec<u8>,
    pub(super) large: Vec<u8>,
}

impl Bed {
    pub(super) fn make() -> Result<Bed> {
        load()?;
        let far = format!("{CARD}p");
        tool("ip", &["netns", "add", FAR])?;
        tool("ip", &["link", "set", &far, "netns", FAR])?;
        let near = format!("{NEAR_ADDRESS}/24");
        tool("ip", &["addr", "add", &near, "dev", CARD])?;
        tool("ip", &["link", "set", CARD, "up"])?;
        tool(
            "ip",
            &[
                "-n",
                FAR,
                "addr",
                "add",
                &format!("{FAR_ADDRESS}/24"),
                "dev",
                &far,
            ],
        )?;
        tool("ip", &["-n", FAR, "link", "set", &far, "up"])?;
        let listener =
            format!("[[listeners]]\nlisten = \"{NEAR_ADDRESS}:8444\"\nnic_tls12 = true\n");
        let daemon = Daemon::start_with("nic", &listener)?;
        let mut bed = Bed {
            daemon,
            segment: Vec::new(),
            large: Vec::new(),
        };
        bed.segment = bed.upload("s0.ts", SEGMENT)?;
        bed.large = bed.upload("large.ts", LARGE)?;
        Ok(bed)
    }

    pub(super) fn upload(&self, name: &str, length: u64) -> Result<Vec<u8>> {
        let file = self.daemon.folder().join(name);
        let sent = segment(&file, length)?;
        put(&self.daemon.ingest("a", name), &file, TOKEN)?;
        Ok(sent)
    }

    /// A client at the far end.
    pub(super) fn client(&self, name: &str, times: usize, flags: &[&str]) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", FAR, "curl", "-sS", "-f", "--cacert"]);
        command.arg(&self.daemon.certificate.chain);
        command.args(["--resolve", &format!("localhost:8444:{NEAR_ADDRESS}")]);
        command.args(flags);
        let url = format!("https://localhost:8444/live/a/{name}");
        command.args(std::iter::repeat_n(url, times));
        command
    }

    /// Fetches the segment several times over one connection, and compares.
    pub(super) fn fetch_equal(&self) -> Result<()> {
        let came = bytes(&mut self.client("s0.ts", FETCHES, &[]))?;
        equal(&came, &self.segment.repeat(FETCHES))
    }

    pub(super) fn all_bytes(&self) -> Result<u64> {
        Ok(self.daemon.metrics()?.sum("zonecast_bytes_total", &[])? as u64)
    }
}
