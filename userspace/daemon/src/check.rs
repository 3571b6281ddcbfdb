//! `zonecast check`: what a configuration would start, on one screen.

use std::fmt::{self, Write as _};
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;

use crate::config::{self, Settings, written};
use crate::units::Bytes;
use crate::{plan, probe};

/// Streams and certificates' names that are shown, at most.
const SHOWN_MAX: usize = 8;

/// A usual bit rate, to say how long a ring lasts: 10 Mb/s in bytes a second.
const USUAL_RATE: u64 = 10_000_000 / 8;

/// Checks the file and prints a summary and warnings.
///
/// # Errors
/// Everything that is wrong with the file.
pub fn run(path: &Path) -> anyhow::Result<ExitCode> {
    let mut settings = config::load(path, &plan::plan)?;
    settings.warnings.extend(probe::addresses(&settings));
    let mut out = std::io::stdout().lock();
    write!(out, "{}", Summary(&settings)).context("standard output")?;
    Ok(ExitCode::SUCCESS)
}

/// The screen that `check` prints.
pub struct Summary<'a>(pub &'a Settings);

impl fmt::Display for Summary<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let settings = self.0;
        let warnings = settings.warnings.len();
        writeln!(
            f,
            "{}: no mistakes, warnings: {warnings}\n",
            settings.path.display()
        )?;
        zones(settings, f)?;
        listeners(settings, f)?;
        streams(settings, f)?;
        let state = settings.state_dir.as_ref();
        let state = state.map_or("nothing is kept".to_owned(), |dir| {
            dir.display().to_string()
        });
        writeln!(f, "state         {state}")?;
        if warnings > 0 || !settings.planned.notes.is_empty() {
            writeln!(f)?;
        }
        for note in &settings.planned.notes {
            writeln!(f, "note: {note}")?;
        }
        for warning in &settings.warnings {
            writeln!(f, "warning: {warning}")?;
        }
        Ok(())
    }
}

fn zones(settings: &Settings, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let mut line = String::new();
    for zone in &settings.planned.zones {
        write!(line, "zone {}: loops on CPUs {:?}", zone.id, zone.loop_cpus)?;
        if !zone.control_cpus.is_empty() {
            write!(line, ", control on {:?}", zone.control_cpus)?;
        }
        line.push_str("; ");
    }
    writeln!(f, "zones         {}", line.trim_end_matches("; "))?;
    let arena = settings.file.memory.arena;
    writeln!(
        f,
        "memory        {arena} a zone, {} if the machine has them",
        settings.memory.pages
    )
}

fn listeners(settings: &Settings, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let kind = |tls| if tls { "TLS" } else { "plain" };
    for listener in &settings.listeners {
        let (address, max) = (written(&listener.address), listener.limits.connections_max);
        let kind = kind(listener.tls);
        writeln!(
            f,
            "viewers       {} at {address}, {kind}, {max} connections",
            listener.name
        )?;
    }
    if let Some(certificates) = &settings.certificates {
        let names = certificates.names();
        let shown = names
            .iter()
            .take(SHOWN_MAX)
            .copied()
            .collect::<Vec<_>>()
            .join(", ");
        writeln!(f, "certificates  {shown}{}", more(names.len()))?;
    }
    let ingest = &settings.ingest;
    for address in &ingest.addresses {
        let who = if ingest.open_token.is_some() {
            "streams made by a shared token"
        } else {
            "configured streams"
        };
        writeln!(
            f,
            "ingest        at {}, {}, {who}",
            written(address),
            kind(ingest.tls)
        )?;
    }
    writeln!(f, "admin         at {}", written(&settings.admin))
}

fn streams(settings: &Settings, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    for stream in settings.streams.iter().take(SHOWN_MAX) {
        let zone = stream
            .zone
            .map_or("any zone".to_owned(), |zone| format!("zone {zone}"));
        let ring = u64::from(stream.ring_bytes);
        let (tracks, seconds) = (stream.tracks_max, ring / USUAL_RATE);
        let ring = Bytes(ring);
        writeln!(
            f,
            "stream        {}: {zone}, {ring} a track ({seconds} s at 10 Mb/s), {tracks} tracks at most",
            stream.id
        )?;
    }
    match more(settings.streams.len()) {
        "" => Ok(()),
        _ => writeln!(
            f,
            "              and {} more",
            settings.streams.len() - SHOWN_MAX
        ),
    }
}

fn more(count: usize) -> &'static str {
    if count > SHOWN_MAX { ", …" } else { "" }
}
