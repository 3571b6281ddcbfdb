//! Keys that change, or may not, on connections that the kernel seals: KeyUpdates from the client with
//! and without an answer, floods of them and of alerts, renegotiation, and ends without a word.

use crate::alerts::flood;
use crate::daemon::{Daemon, TOKEN};
use crate::dialog::Dialog;
use crate::https::put;
use crate::machine::tls_stat;
use crate::offer::offer;
use crate::report::{Report, Stop};
use crate::tool::until;
use anyhow::{Context, Result, ensure};

/// What the object that is fetched says.
const BODY: &str = "what the viewer asked for\n";
/// KeyUpdates of one connection, each with a response after it.
const UPDATES: usize = 5;
/// More KeyUpdates in a row than anybody sends.
const FLOOD: usize = 200;

pub(super) fn run(report: &mut Report) -> Result<(), Stop> {
    let mut started = None;
    report.step("daemon starts", || {
        let bed = started.insert(Bed::make("keyupdate")?);
        Ok(bed.daemon.logged("byte path of")?.join(" "))
    })?;
    let Some(bed) = started else { return Err(Stop) };
    let _ = report.step("KeyUpdates that ask for one in return", || bed.answered());
    let _ = report.step("KeyUpdates that do not", || bed.unanswered());
    let _ = report.step("a flood of KeyUpdates is refused by an alert", || {
        bed.flooded()
    });
    let _ = report.step(
        "a flood of alerts ends the connection, and nobody else's",
        || bed.alerted(),
    );
    let _ = report.step("renegotiation (TLS 1.2) is refused", || bed.renegotiated());
    let _ = report.step("clients that end without a word leave nothing", || {
        bed.left()
    });
    Ok(())
}

/// A daemon and a small object.
pub(super) struct Bed {
    pub(super) daemon: Daemon,
}

impl Bed {
    pub(super) fn make(name: &str) -> Result<Bed> {
        let daemon = Daemon::start(name)?;
        let file = daemon.folder().join("k0.ts");
        std::fs::write(&file, BODY)?;
        put(&daemon.ingest("a", "k0.ts"), &file, TOKEN)?;
        Ok(Bed { daemon })
    }

    pub(super) fn open(&self, flags: &[&str]) -> Result<Dialog> {
        let output = self.daemon.folder().join("client.log");
        Dialog::open(&self.daemon.certificate, output, flags)
    }

    fn answered(&self) -> Result<String> {
        let before = rekeyed()?;
        let mut client = self.open(&["-tls1_3"])?;
        ask(&mut client, 1)?;
        for update in 1..=UPDATES {
            client.say("K\n")?;
            client.wait("KEYUPDATE", update)?;
            ask(&mut client, update + 1)?;
        }
        let changed = rekeyed()? - before;
        ensure!(
            changed == UPDATES as u64,
            "the kernel has changed {changed} keys"
        );
        let refused = self.metric("zonecast_kernel_tls_refusals_total")?;
        ensure!(refused == 0, "{refused} refused");
        Ok(format!(
            "{UPDATES} updates, each answered by a new key of the kernel's"
        ))
    }

    fn unanswered(&self) -> Result<String> {
        let before = rekeyed()?;
        let mut client = self.open(&["-tls1_3"])?;
        for update in 1..=UPDATES {
            client.say("k\n")?;
            client.wait("KEYUPDATE", update)?;
            ask(&mut client, update)?;
        }
        let changed = rekeyed()? - before;
        ensure!(changed == 0, "the kernel has changed {changed} keys");
        Ok(format!("{UPDATES} updates, and the server's key stays"))
    }

    fn flooded(&self) -> Result<String> {
        let mut client = self.open(&["-tls1_3"])?;
        for update in 1..=FLOOD {
            if client.has_ended()? || client.say("K\n").is_err() {
                break;
            }
            let heard = until("the command", || {
                let heard = client.printed()?.matches("KEYUPDATE").count() >= update;
                Ok((heard || client.has_ended()?).then_some(()))
            });
            heard?;
        }
        let said = client.ended()?;
        let updates = said.matches("KEYUPDATE").count();
        ensure!(updates < FLOOD, "{updates} were taken");
        let alert = said.lines().find(|line| line.contains("alert"));
        let alert = alert.with_context(|| format!("no alert after {updates}: {said}"))?;
        Ok(format!("after {updates}: {}", last_part(alert)))
    }

    /// `user_canceled`, which is a warning, and which nobody says more than once.
    fn alerted(&self) -> Result<String> {
        let mut other = self.open(&["-tls1_3"])?;
        ask(&mut other, 1)?;
        let config = offer(&self.daemon.certificate, 0x0304)?;
        let server = "127.0.0.1:8443".parse()?;
        let heard = flood(&config, server, [1, 90], FLOOD)?;
        ask(&mut other, 2)?;
        drop(other);
        self.daemon.until_viewers(0)?;
        Ok(format!(
            "ended after {heard} of {FLOOD} at most; the other goes on"
        ))
    }

    fn renegotiated(&self) -> Result<String> {
        let mut client = self.open(&["-tls1_2"])?;
        ask(&mut client, 1)?;
        client.say("R\n")?;
        let said = client.ended()?;
        ensure!(said.contains("RENEGOTIATING"), "{said}");
        let told = said
            .lines()
            .rev()
            .find(|line| line.contains("renegotiation"));
        let mut again = self.open(&["-tls1_2"])?;
        ask(&mut again, 1)?;
        Ok(told.map_or_else(|| "closed".to_owned(), |line| last_part(line).to_owned()))
    }

    /// Killed while idle, and killed in mid-response.
    fn left(&self) -> Result<String> {
        for _ in 0..3 {
            let mut client = self.open(&["-tls1_3"])?;
            ask(&mut client, 1)?;
            drop(client);
        }
        self.daemon.until_viewers(0)?;
        let now = tls_stat("TlsCurrTxSw")?;
        ensure!(now == 0, "{now} sockets still");
        Ok(String::from("no viewer, no socket"))
    }

    pub(super) fn metric(&self, name: &str) -> Result<u64> {
        Ok(self.daemon.metrics()?.sum(name, &[])? as u64)
    }
}

/// Asks for the object; it must have come so many times then.
pub(super) fn ask(client: &mut Dialog, times: usize) -> Result<()> {
    client.say("GET /live/a/k0.ts HTTP/1.1\r\nHost: localhost\r\n\r\n")?;
    client.wait(BODY, times)
}

fn rekeyed() -> Result<u64> {
    tls_stat("TlsTxRekeyOk")
}

/// OpenSSL's errors end with what they mean, in parts between colons.
fn last_part(line: &str) -> &str {
    let mut parts = line.rsplit(':');
    parts
        .find(|part| part.contains("alert") || part.contains("renegotiation"))
        .unwrap_or(line)
}
