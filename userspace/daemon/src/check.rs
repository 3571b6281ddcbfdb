//! `zonecast check`: what a configuration would start, on one screen.

use std::fmt;
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
    settings.warnings.extend(probe::addresses(&settings, &[]));
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
        steering(settings, f)?;
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
    let all = &settings.planned.zones;
    for zone in all.iter().take(SHOWN_MAX) {
        write!(
            f,
            "zone {:<8} loops on CPUs {}",
            zone.id,
            ranges(&zone.loop_cpus)
        )?;
        if zone.control_cpus != zone.loop_cpus {
            write!(f, ", control on {}", ranges(&zone.control_cpus))?;
        }
        writeln!(f)?;
    }
    and_more(all.len(), f)?;
    let arena = settings.file.memory.arena;
    let pages = settings.memory.pages;
    writeln!(
        f,
        "memory        {arena} a zone, {pages} if the machine has them"
    )
}

/// Numbers as ranges: `0-3,8`.
pub(crate) fn ranges(numbers: &[usize]) -> String {
    let mut ranges: Vec<(usize, usize)> = Vec::new();
    for &number in numbers {
        match ranges.last_mut() {
            Some((_, last)) if *last + 1 == number => *last = number,
            _ => ranges.push((number, number)),
        }
    }
    let text = |&(first, last): &(usize, usize)| match first == last {
        true => first.to_string(),
        false => format!("{first}-{last}"),
    };
    ranges.iter().map(text).collect::<Vec<_>>().join(",")
}

fn listeners(settings: &Settings, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let kind = |tls| if tls { "TLS" } else { "plain" };
    for listener in &settings.listeners {
        let (address, max) = (written(&listener.address), listener.limits.connections_max);
        let kind = kind(listener.tls);
        let zone = listener
            .zone
            .map_or(String::new(), |zone| format!(", zone {zone}"));
        writeln!(
            f,
            "viewers       {} at {address}, {kind}, {max} connections{zone}",
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
        let more = if names.len() > SHOWN_MAX { ", …" } else { "" };
        writeln!(f, "certificates  {shown}{more}")?;
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

fn steering(settings: &Settings, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let Some(steering) = &settings.steering else {
        return writeln!(
            f,
            "steering      off: the kernel spreads viewers over all loops"
        );
    };
    write!(
        f,
        "steering      where the kernel lets us, pinned in {}",
        steering.folder.display()
    )?;
    if let Some(prefix) = &steering.streams {
        write!(f, "; streams in {prefix}")?;
    }
    writeln!(f)?;
    for names in &steering.zones {
        let addresses = names.addresses.iter().map(ToString::to_string);
        let named: Vec<String> = addresses.chain(names.interfaces.iter().cloned()).collect();
        writeln!(f, "              zone {}: {}", names.zone, named.join(", "))?;
    }
    Ok(())
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
    and_more(settings.streams.len(), f)
}

fn and_more(count: usize, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match count.saturating_sub(SHOWN_MAX) {
        0 => Ok(()),
        more => writeln!(f, "              and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Neighbours are joined.
    #[test]
    fn cpu_ranges() {
        for (cpus, text) in [
            (&[] as &[_], ""),
            (&[5], "5"),
            (&[0, 1, 2, 4, 6, 7], "0-2,4,6-7"),
        ] {
            assert_eq!(ranges(cpus), text);
        }
    }
}
