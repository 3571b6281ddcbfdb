//! Records that the kernel seals, without a card: every version and cipher, the right bytes, and
//! everybody's counts in agreement.

use crate::daemon::{Daemon, TOKEN};
use crate::https::{Certificate, equal, put, segment};
use crate::machine::tls_stat;
use crate::report::{Report, Stop};
use crate::tap::{Tap, nonces};
use crate::tool::bytes;
use anyhow::{Result, ensure};
use std::process::Command;

/// Bytes of the object that is fetched most, and of one that no socket holds.
const SEGMENT: u64 = 500_009;
const LARGE: u64 = 3_900_001;

/// How often it is fetched over one connection.
const FETCHES: usize = 3;

/// What a client is told, and what the kernel would have to seal.
const OFFERS: [(&str, &str, &str); 6] = [
    ("1.3", "TLS_AES_128_GCM_SHA256", "Tls13 Aes128Gcm"),
    ("1.3", "TLS_AES_256_GCM_SHA384", "Tls13 Aes256Gcm"),
    (
        "1.3",
        "TLS_CHACHA20_POLY1305_SHA256",
        "Tls13 ChaCha20Poly1305",
    ),
    ("1.2", "ECDHE-ECDSA-AES128-GCM-SHA256", "Tls12 Aes128Gcm"),
    ("1.2", "ECDHE-ECDSA-AES256-GCM-SHA384", "Tls12 Aes256Gcm"),
    (
        "1.2",
        "ECDHE-ECDSA-CHACHA20-POLY1305",
        "Tls12 ChaCha20Poly1305",
    ),
];

pub(super) fn run(report: &mut Report) -> Result<(), Stop> {
    let mut made = None;
    report.step("the daemon takes the kernel's path, and says so", || {
        let bed = made.insert(Bed::make()?);
        Ok(bed.said.clone())
    })?;
    let Some(bed) = made else { return Err(Stop) };
    for offer in OFFERS {
        let _ = report.step(&format!("{} {}", offer.0, offer.1), || bed.equal_by(offer));
    }
    let _ = report.step("a playlist, from memory outside the ring", || {
        let playlist = bed.daemon.folder().join("index.m3u8");
        std::fs::write(&playlist, "#EXTM3U\n#EXT-X-TARGETDURATION:2\n")?;
        put(&bed.daemon.ingest("a", "index.m3u8"), &playlist, TOKEN)?;
        let came = bed.fetch("index.m3u8", 1, &[])?;
        equal(&came, &std::fs::read(&playlist)?)?;
        Ok(format!("{} bytes, equal", came.len()))
    });
    let _ = report.step(
        "a connection that ends with its response loses nothing",
        || {
            for rate in ["100M", "1M"] {
                let came = bed.fetch("large.ts", 1, &["--http1.0", "--limit-rate", rate])?;
                equal(&came, &bed.large)?;
            }
            Ok(format!("2 x {LARGE} bytes, equal"))
        },
    );
    let _ = report.step("no explicit nonce twice on the wire (TLS 1.2)", || {
        bed.tapped()
    });
    let _ = report.step("the kernel's counts and ours agree", || bed.counted());
    Ok(())
}

/// A daemon with something to fetch.
struct Bed {
    daemon: Daemon,
    said: String,
    segment: Vec<u8>,
    large: Vec<u8>,
    /// Sockets that had been sealed for before: by the kernel, by cards.
    earlier: [u64; 2],
}

impl Bed {
    fn make() -> Result<Bed> {
        let earlier = [tls_stat("TlsTxSw")?, tls_stat("TlsTxDevice")?];
        let daemon = Daemon::start("ktls")?;
        let said = daemon.logged("kernel TLS: ")?.join(" ");
        let way = daemon.logged("byte path of")?.join(" ");
        ensure!(way.contains(": ktls by lo "), "it says {way}");
        let upload = |name: &str, length| {
            let file = daemon.folder().join(name);
            let sent = segment(&file, length)?;
            put(&daemon.ingest("a", name), &file, TOKEN)?;
            anyhow::Ok(sent)
        };
        Ok(Bed {
            segment: upload("s0.ts", SEGMENT)?,
            large: upload("large.ts", LARGE)?,
            said,
            daemon,
            earlier,
        })
    }

    /// Fetches an object so many times over one connection.
    fn fetch(&self, name: &str, times: usize, flags: &[&str]) -> Result<Vec<u8>> {
        let url = self.daemon.url("a", name);
        fetch(&self.daemon.certificate, &url, times, flags)
    }

    /// One version and cipher: equal bytes, all of them by the path that the kernel's answer allows.
    fn equal_by(&self, (version, cipher, kind): (&str, &str, &str)) -> Result<String> {
        let path = if self.said.contains(kind) {
            "ktls"
        } else {
            "userspace_tls"
        };
        let before = self.daemon.bytes_by(path)?;
        let flags = match version {
            "1.3" => vec!["--tlsv1.3", "--tls13-ciphers", cipher],
            _ => vec!["--tls-max", "1.2", "--ciphers", cipher],
        };
        let came = self.fetch("s0.ts", FETCHES, &flags)?;
        equal(&came, &self.segment.repeat(FETCHES))?;
        let sent = self.daemon.bytes_by(path)? - before;
        // Each response has a head of a few hundred bytes.
        let wanted = came.len() as u64;
        let most = wanted + FETCHES as u64 * 1024;
        ensure!(
            (wanted..most).contains(&sent),
            "{sent} bytes by {path} of {wanted}"
        );
        Ok(format!("{wanted} bytes, equal, by {path}"))
    }

    /// Several responses of a TLS 1.2 connection, seen from the wire.
    fn tapped(&self) -> Result<String> {
        let tap = Tap::on("127.0.0.1:8443".parse()?)?;
        let url = format!("https://localhost:{}/live/a/s0.ts", tap.address.port());
        let flags = [
            "--tls-max",
            "1.2",
            "--ciphers",
            "ECDHE-ECDSA-AES128-GCM-SHA256",
        ];
        let came = fetch(&self.daemon.certificate, &url, FETCHES, &flags)?;
        equal(&came, &self.segment.repeat(FETCHES))?;
        let count = nonces(&tap.sent()?)?;
        Ok(format!("{count} records, all different"))
    }

    /// Sockets that the kernel says it has sealed for are those that the daemon says it handed over,
    /// besides the daemon's own attempts at its start.
    fn counted(&self) -> Result<String> {
        let metrics = self.daemon.metrics()?;
        let handed = metrics.sum("zonecast_kernel_tls_handovers_total", &[])? as u64;
        let refused = metrics.sum("zonecast_kernel_tls_refusals_total", &[])? as u64;
        ensure!(refused == 0, "{refused} refused");
        let kinds = OFFERS
            .iter()
            .filter(|(_, _, kind)| self.said.contains(kind));
        let attempts = kinds.count() as u64;
        let sockets = tls_stat("TlsTxSw")? - self.earlier[0];
        ensure!(
            sockets == handed + attempts,
            "the kernel has sealed for {sockets} sockets; {handed} were handed over, {attempts} tried"
        );
        let by_cards = tls_stat("TlsTxDevice")? - self.earlier[1];
        ensure!(by_cards == 0, "{by_cards} sealed by a card");
        let now = tls_stat("TlsCurrTxSw")?;
        ensure!(now == 0, "{now} sockets still");
        Ok(format!("{handed} handed over, none left"))
    }
}

/// Fetches a URL so many times over one connection, and nothing but bodies of 200s.
fn fetch(certificate: &Certificate, url: &str, times: usize, flags: &[&str]) -> Result<Vec<u8>> {
    let mut command = Command::new("curl");
    command
        .args(["-sS", "-f", "--cacert"])
        .arg(&certificate.chain);
    command.args(flags);
    bytes(command.args(std::iter::repeat_n(url, times)))
}
