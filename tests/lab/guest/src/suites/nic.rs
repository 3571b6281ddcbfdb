//! Records that a network card seals, by our daemon: right bytes under everything that a network does,
//! and the truth about who sealed them.

use crate::card::{Counts, Switch, let_go, load};
use crate::daemon::{Daemon, TOKEN};
use crate::https::{equal, put, segment};
use crate::machine::write;
use crate::report::{Report, Stop};
use crate::tool::{bytes, run as tool, start, until};
use anyhow::{Result, ensure};
use std::process::Command;
use std::time::Duration;

/// The second pair of cards, with addresses of its own.
const CARD: &str = "tlsnic1";
const FAR: &str = "farther";
const NEAR_ADDRESS: &str = "10.6.0.1";
const FAR_ADDRESS: &str = "10.6.0.2";

/// Bytes of the object that is fetched most, and of one that no socket holds.
const SEGMENT: u64 = 500_009;
const LARGE: u64 = 3_900_001;
const FETCHES: usize = 3;
/// What a record of TLS 1.2 with AES-GCM adds: header, explicit nonce, tag.
const RECORD_ADDS: u64 = 29;

/// How long the card keeps held segments.
const HOLD_MS: &str = "2000";

pub(super) fn run(report: &mut Report) -> Result<(), Stop> {
    let mut made = None;
    report.step("a cable, and the daemon at its near end", || {
        let bed = made.insert(Bed::make()?);
        Ok(bed.daemon.logged("byte path of")?.join(" "))
    })?;
    let Some(mut bed) = made else {
        return Err(Stop);
    };
    report.step("the card seals, and counts the ledger's bytes", || {
        bed.counted()
    })?;
    for (what, switch, nth, seen) in [
        ("every 7th segment lost", "drop_nth", "7", "again_bytes"),
        (
            "every 5th segment out of order",
            "reorder_nth",
            "5",
            "reordered",
        ),
        (
            "resync asked for at every 10th",
            "resync_nth",
            "10",
            "resyncs_asked",
        ),
        (
            "every 4th segment held past its acknowledgement",
            "hold_nth",
            "4",
            "held",
        ),
    ] {
        let _ = report.step(what, || bed.with(switch, nth, seen));
    }
    let _ = report.step("viewers that leave with bytes unacknowledged", || {
        bed.left()
    });
    let _ = report.step("the ring turns over under slow viewers", || {
        bed.turned_over()
    });
    let _ = report.step("no place in the card: ktls, with the reason", || {
        bed.refused()
    });
    let _ = report.step("card down and up in mid-stream: ktls_fallback", || {
        let (down, up) = (["link", "set", CARD, "down"], ["link", "set", CARD, "up"]);
        bed.fell_back(&[&down, &up], &[])
    });
    let _ = report.step("route pulled in mid-stream: ktls_fallback", || {
        let route = |word| ["route", word, FAR_ADDRESS, "dev", "lo"];
        bed.fell_back(&[&route("add")], &[&route("del")])
    });
    Ok(())
}

/// A daemon behind a card, with something to fetch.
struct Bed {
    daemon: Daemon,
    segment: Vec<u8>,
    large: Vec<u8>,
}

impl Bed {
    fn make() -> Result<Bed> {
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

    fn upload(&self, name: &str, length: u64) -> Result<Vec<u8>> {
        let file = self.daemon.folder().join(name);
        let sent = segment(&file, length)?;
        put(&self.daemon.ingest("a", name), &file, TOKEN)?;
        Ok(sent)
    }

    /// A client at the far end.
    fn client(&self, name: &str, times: usize, flags: &[&str]) -> Command {
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
    fn fetch_equal(&self) -> Result<()> {
        let came = bytes(&mut self.client("s0.ts", FETCHES, &[]))?;
        equal(&came, &self.segment.repeat(FETCHES))
    }

    /// The ledger and the card agree to the byte: what the card sealed is what was delivered, and what
    /// each record adds.
    fn counted(&self) -> Result<String> {
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
    fn with(&self, switch: &str, nth: &str, seen: &str) -> Result<String> {
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

    fn all_bytes(&self) -> Result<u64> {
        Ok(self.daemon.metrics()?.sum("zonecast_bytes_total", &[])? as u64)
    }

    fn left(&self) -> Result<String> {
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

    /// Viewers so slow that the ring comes round: each gets the right bytes, or a cut response.
    fn turned_over(&mut self) -> Result<String> {
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
        // The ring has 8 MiB.
        for n in 1..=6 {
            self.upload(&format!("over{n}.ts"), LARGE)?;
        }
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
        self.segment = self.upload("s0.ts", SEGMENT)?;
        self.large = self.upload("large.ts", LARGE)?;
        self.fetch_equal()?;
        Ok(format!("{whole} whole, {cut} cut, not a byte wrong"))
    }

    fn refused(&self) -> Result<String> {
        let before = self.daemon.bytes_by("ktls")?;
        let _full = Switch::set("contexts_max", "0")?;
        self.fetch_equal()?;
        let by = self.daemon.bytes_by("ktls")? - before;
        ensure!(by > SEGMENT * FETCHES as u64, "{by} bytes by ktls");
        Ok(self.daemon.logged("no card seals")?.join(" "))
    }

    /// Something happens to the way of a viewer who reads, and is mended once it was noticed.
    fn fell_back(&self, happens: &[&[&str]], mended: &[&[&str]]) -> Result<String> {
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
