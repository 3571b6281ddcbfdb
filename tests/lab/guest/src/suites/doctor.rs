//! `zonecast doctor` on a machine that has it all: two nodes with hugepages, kernel TLS, and a card
//! that seals. What it advises works.

use crate::card::load;
use crate::https::Certificate;
use crate::machine::{HUGEPAGES, hugepages};
use crate::report::{Report, Stop};
use crate::tool::run as tool;
use anyhow::{Context, Result, ensure};
use std::fs;
use std::path::PathBuf;

/// The card on node 1, and its address.
const CARD: &str = "tlsnic1";
const ADDRESS: &str = "10.6.1.1";

/// How the doctor begins what it advises.
const ADVICE: &str = "to change it: ";

pub(super) fn run(report: &mut Report) -> Result<(), Stop> {
    let mut made = None;
    report.step("a card on node 1", || {
        let patient = made.insert(Patient::prepare()?);
        patient.line("by tlsnic1")
    })?;
    let Some(patient) = made else {
        return Err(Stop);
    };
    let _ = report.step("kernel TLS is seen", || {
        let line = patient.line("kernel TLS")?;
        ensure!(line.contains("Tls12 Aes128Gcm"), "{line}");
        Ok(line)
    });
    let _ = report.step("the card is seen in its zone", || {
        let line = patient.line("by tlsnic1")?;
        let seen = "(node 1, zone 1, tls-hw-tx-offload on): ";
        ensure!(line.contains(seen) && line.contains("nic_ktls"), "{line}");
        Ok(line)
    });
    let _ = report.step("what it advises switches the card on", || patient.card());
    let _ = report.step("what it advises gives node 1 its pages", || patient.pages());
    Ok(())
}

/// A configuration to be asked about.
struct Patient {
    config: PathBuf,
}

impl Patient {
    fn prepare() -> Result<Patient> {
        load()?;
        tool(
            "ip",
            &["addr", "replace", &format!("{ADDRESS}/24"), "dev", CARD],
        )?;
        tool("ip", &["link", "set", CARD, "up"])?;
        let folder = PathBuf::from("/run/doctor");
        fs::create_dir_all(&folder)?;
        let certificate = Certificate::make(&folder)?;
        let (chain, key) = (&certificate.chain, &certificate.key);
        let config = folder.join("zonecast.toml");
        let text = format!(
            "[memory]\narena = \"64MiB\"\n[[certificates]]\nchain_file = {chain:?}\n\
             key_file = {key:?}\n[[listeners]]\nlisten = \"{ADDRESS}:8443\"\nnic_tls12 = true\n"
        );
        fs::write(&config, text)?;
        Ok(Patient { config })
    }

    /// All that the doctor says; an error if it says that nothing could be served.
    fn ask(&self) -> Result<String> {
        let config = self.config.to_string_lossy();
        tool("zonecast", &["doctor", "--config", &config])
    }

    /// The first line with this in it.
    fn line(&self, what: &str) -> Result<String> {
        let said = self.ask()?;
        let line = said.lines().find(|line| line.contains(what));
        let line = line.with_context(|| format!("no {what} in {said}"))?;
        Ok(line.trim().to_owned())
    }

    /// The command that is advised below the line with `what`.
    fn advice(&self, what: &str) -> Result<String> {
        let said = self.ask()?;
        let mut below = said.lines().skip_while(|line| !line.contains(what));
        let advice = below.find_map(|line| line.trim().strip_prefix(ADVICE));
        let advice = advice.with_context(|| format!("no advice in {said}"))?;
        Ok(advice.to_owned())
    }

    fn card(&self) -> Result<String> {
        tool("ethtool", &["-K", CARD, "tls-hw-tx-offload", "off"])?;
        let line = self.line("by tlsnic1")?;
        ensure!(line.contains("tls-hw-tx-offload off): ktls"), "{line}");
        let advice = self.advice("by tlsnic1")?;
        tool("sh", &["-c", &advice])?;
        let line = self.line("by tlsnic1")?;
        ensure!(line.contains("tls-hw-tx-offload on"), "{line}");
        Ok(advice)
    }

    fn pages(&self) -> Result<String> {
        let line = self.line("ring memory")?;
        ensure!(line.ends_with("64MiB a zone, in 2MiB pages"), "{line}");
        hugepages(1, 0)?;
        let line = self.line("ring memory")?;
        ensure!(!line.contains("in 2MiB pages"), "{line}");
        let advice = self.advice("ring memory")?;
        tool("sh", &["-c", &advice])?;
        let line = self.line("ring memory")?;
        ensure!(line.ends_with("in 2MiB pages"), "{line}");
        hugepages(1, HUGEPAGES)?;
        Ok(advice)
    }
}
