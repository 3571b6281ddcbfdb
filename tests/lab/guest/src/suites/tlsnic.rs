//! The emulated network card (`tests/lab/tlsnic`): it offloads, counts, and its switches do what
//! they say. OpenSSL's server hands its TLS 1.2 sockets to the kernel, which hands them to the
//! card; OpenSSL's client at the other end of the cable, in a network namespace of its own,
//! decrypts in the process.

use crate::card::{Counts, Switch, let_go as let_go_of, load as load_cards};
use crate::https::{Certificate, equal, segment};
use crate::machine::number;
use crate::report::{Report, Stop};
use crate::tool::{Server, bytes, run as tool, start, until};
use anyhow::{Context, Result, bail, ensure};
use std::fs::{self, File};
use std::path::PathBuf;
use std::process::Command;

/// The card at the near end.
const CARD: &str = "tlsnic0";

/// The namespace of the far end, and the addresses of both.
const FAR: &str = "far";
const NEAR_ADDRESS: &str = "10.5.0.1";
const FAR_ADDRESS: &str = "10.5.0.2";

/// Bytes of the file that is served.
const LENGTH: u64 = 2_000_003;

/// How long a card keeps held segments, where a step waits for it.
const HOLD_MS: &str = "3000";

/// What the server is told beyond the usual.
const ZERO_COPY: [&str; 2] = ["-sendfile", "-zerocopy_sendfile"];

pub(super) fn run(report: &mut Report) -> Result<(), Stop> {
    report.step("cards on both nodes", plug_in)?;
    let mut made = None;
    report.step("openssl s_server -ktls", || {
        made = Some(Cable::lay()?);
        Ok(String::from("listening"))
    })?;
    let Some(mut cable) = made else {
        return Err(Stop);
    };
    report.step("records are sealed by the card", || cable.offloaded())?;
    let _ = report.step("every 7th segment lost", || {
        cable.with("drop_nth", "7", &["dropped", "again_bytes"])
    });
    let _ = report.step("every 5th segment out of order", || {
        cable.with("reorder_nth", "5", &["reordered"])
    });
    let _ = report.step("resync asked for at every 10th", || {
        cable.with("resync_nth", "10", &["resyncs_asked", "resyncs"])
    });
    let _ = report.step("segments held past their acknowledgement", || cable.held());
    let _ = report.step("pages that change under a held segment are noticed", || {
        cable.held_and_changed()
    });
    let _ = report.step("no place in the card: software", || cable.refused());
    let _ = report.step("an ideal card seals nothing", || cable.ideal());
    Ok(())
}

/// Loads the module; each card must be where it was told to be.
fn plug_in() -> Result<String> {
    load_cards()?;
    for pair in 0..2 {
        for name in [format!("tlsnic{pair}"), format!("tlsnic{pair}p")] {
            let node: i32 = number(&format!("/sys/class/net/{name}/device/numa_node"))?;
            ensure!(node == pair, "{name} is on node {node}");
        }
    }
    let features = tool("ethtool", &["-k", "tlsnic0"])?;
    ensure!(
        features.contains("tls-hw-tx-offload: on"),
        "no offload in {features}"
    );
    Ok(String::from("tlsnic0 on 0, tlsnic1 on 1"))
}

/// The first pair with a server at its near end.
struct Cable {
    folder: PathBuf,
    certificate: Certificate,
    file: Vec<u8>,
    server: Option<Server>,
}

impl Cable {
    fn lay() -> Result<Cable> {
        tool("ip", &["netns", "add", FAR])?;
        tool("ip", &["link", "set", "tlsnic0p", "netns", FAR])?;
        let near = format!("{NEAR_ADDRESS}/24");
        let far = format!("{FAR_ADDRESS}/24");
        tool("ip", &["addr", "add", &near, "dev", "tlsnic0"])?;
        tool("ip", &["link", "set", "tlsnic0", "up"])?;
        tool("ip", &["-n", FAR, "addr", "add", &far, "dev", "tlsnic0p"])?;
        tool("ip", &["-n", FAR, "link", "set", "tlsnic0p", "up"])?;
        let folder = PathBuf::from("/run/tlsnic");
        fs::create_dir_all(&folder)?;
        let mut cable = Cable {
            certificate: Certificate::make(&folder)?,
            file: segment(&folder.join("file"), LENGTH)?,
            folder,
            server: None,
        };
        fs::write(cable.folder.join("request"), "GET /file HTTP/1.0\r\n\r\n")?;
        cable.serve(&[])?;
        Ok(cable)
    }

    /// Starts the server anew.
    fn serve(&mut self, flags: &[&str]) -> Result<()> {
        self.server = None;
        let log = self.folder.join("server.log");
        let mut command = Command::new("openssl");
        command.args(["s_server", "-accept", "4433", "-WWW", "-ktls", "-tls1_2"]);
        command.args(["-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256"]);
        command.arg("-cert").arg(&self.certificate.chain);
        command.arg("-key").arg(&self.certificate.key);
        command.args(flags).current_dir(&self.folder);
        let mut server = start(&mut command, &log)?;
        until("s_server", || {
            ensure!(server.is_running(), "{}", fs::read_to_string(&log)?);
            let said = fs::read_to_string(&log)?;
            Ok(said.contains("ACCEPT").then_some(()))
        })?;
        self.server = Some(server);
        Ok(())
    }

    /// Fetches the file from the far end; an error is the client's.
    fn fetch(&self) -> Result<Vec<u8>> {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", FAR, "openssl", "s_client", "-quiet"]);
        command.args(["-connect", &format!("{NEAR_ADDRESS}:4433"), "-tls1_2"]);
        command.stdin(File::open(self.folder.join("request"))?);
        let came = bytes(&mut command)?;
        let head = came.windows(4).position(|four| four == b"\r\n\r\n");
        let head = head.with_context(|| format!("no head in {} bytes", came.len()))?;
        Ok(came[head + 4..].to_vec())
    }

    /// Fetches, compares, and returns what the card and the kernel counted meanwhile.
    fn fetch_equal(&self) -> Result<Counts> {
        let before = Counts::read(CARD)?;
        equal(&self.fetch()?, &self.file)?;
        Counts::read(CARD)?.since(&before)
    }

    /// The offload itself: set up by the driver, all bytes through the card, once.
    fn offloaded(&self) -> Result<String> {
        let counted = self.fetch_equal()?;
        let (device, sealed) = (counted.get("TlsTxDevice")?, counted.get("sealed_bytes")?);
        ensure!(device == 1, "TlsTxDevice says {device}");
        ensure!(counted.get("TlsTxSw")? == 0, "a socket in software");
        ensure!(counted.get("contexts")? == 1, "no context in the card");
        // A record of at most 16 KiB adds 29 bytes; heads and the end of the stream are small.
        let most = LENGTH + 1024 + (LENGTH / 1024) * 29;
        ensure!(
            (LENGTH..=most).contains(&sealed),
            "{sealed} bytes sealed for {LENGTH}"
        );
        until("the context's end", || {
            let now = Counts::read(CARD)?.get("contexts_now")?;
            Ok((now == 0).then_some(()))
        })?;
        Ok(format!("{sealed} bytes sealed for {LENGTH}"))
    }

    /// The same with a switch on; these counters must have moved.
    fn with(&self, switch: &str, value: &str, counters: &[&str]) -> Result<String> {
        let _on = Switch::set(switch, value)?;
        let counted = self.fetch_equal()?;
        let mut seen = Vec::new();
        for name in counters {
            let count = counted.get(name)?;
            ensure!(count > 0, "{name} is 0");
            seen.push(format!("{name} {count}"));
        }
        ensure!(counted.get("TlsTxDevice")? == 1, "not offloaded");
        Ok(seen.join(", "))
    }

    /// Segments that the card keeps hold their pages, which nobody changes here.
    fn held(&self) -> Result<String> {
        let before = Counts::read(CARD)?;
        let said = {
            let _time = Switch::set("hold_ms", HOLD_MS)?;
            self.with("hold_nth", "4", &["held"])?
        };
        let changed = let_go_of(CARD)?.since(&before)?.get("held_changed")?;
        ensure!(changed == 0, "{changed} changed");
        Ok(format!("{said}, none changed"))
    }

    /// A file sent without a copy, and written to while the card still has parts of it.
    fn held_and_changed(&mut self) -> Result<String> {
        self.serve(&ZERO_COPY)?;
        let before = Counts::read(CARD)?;
        {
            let _time = Switch::set("hold_ms", HOLD_MS)?;
            self.with("hold_nth", "4", &["held"])?;
        }
        let other: Vec<u8> = self.file.iter().map(|byte| !byte).collect();
        let in_place = File::options().write(true).open(self.folder.join("file"))?;
        std::os::unix::fs::FileExt::write_all_at(&in_place, &other, 0)?;
        self.file = other;
        let changed = let_go_of(CARD)?.since(&before)?.get("held_changed")?;
        ensure!(changed > 0, "none of the held segments changed");
        self.serve(&[])?;
        Ok(format!("{changed} changed"))
    }

    fn refused(&self) -> Result<String> {
        let _full = Switch::set("contexts_max", "0")?;
        let counted = self.fetch_equal()?;
        ensure!(counted.get("refused")? > 0, "not refused");
        let software = counted.get("TlsTxSw")?;
        ensure!(software == 1, "TlsTxSw says {software}");
        ensure!(counted.get("TlsTxDevice")? == 0, "offloaded all the same");
        ensure!(counted.get("sealed_segments")? == 0, "the card sealed");
        Ok(String::from("equal, TlsTxSw 1"))
    }

    /// Without sealing no client can be content: what the other steps compare is no accident.
    fn ideal(&self) -> Result<String> {
        let _ideal = Switch::set("ideal", "1")?;
        let before = Counts::read(CARD)?;
        let Err(error) = self.fetch() else {
            bail!("the client took what was not sealed");
        };
        let passed = Counts::read(CARD)?.since(&before)?.get("sealed_bytes")?;
        ensure!(passed > 0, "nothing passed the card");
        let error = format!("{error:#}").to_lowercase();
        ensure!(error.contains("bad record mac"), "{error}");
        Ok(String::from("the client says: bad record mac"))
    }
}
