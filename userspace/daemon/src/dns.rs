//! `zonecast dns`: the records that make names of zones and streams lead to their addresses.
//!
//! A zone's host has the zone's addresses. A stream's host has the stream's own address where there is
//! a network of such, and the addresses of its zone where its zone is fixed.

use std::io::Write;
use std::net::IpAddr;
use std::process::ExitCode;

use anyhow::Context;

use crate::cli::DnsArguments;
use crate::config::{self, Settings};
use crate::plan;

/// One record, or the reason why there is none.
#[derive(Debug, PartialEq, Eq)]
enum Line {
    Record { name: String, address: IpAddr },
    Missing { name: String, why: String },
}

/// Prints them, in the form of a zone file (RFC 1035 section 5).
///
/// # Errors
/// Everything that is wrong with the file.
pub fn run(arguments: &DnsArguments) -> anyhow::Result<ExitCode> {
    let settings = config::load(&arguments.config, &plan::plan)?;
    let mut out = std::io::stdout().lock();
    let lines = lines(&settings, &arguments.stream);
    if lines.is_empty() {
        anyhow::bail!("neither steering.stream_host nor a host of steering.zones is set");
    }
    for line in lines {
        match line {
            Line::Record { name, address } => {
                let kind = if address.is_ipv4() { "A" } else { "AAAA" };
                let ttl = arguments.ttl;
                writeln!(out, "{name}.\t{ttl}\tIN\t{kind}\t{address}")
            }
            Line::Missing { name, why } => writeln!(out, "; {name}: {why}"),
        }
        .context("standard output")?;
    }
    Ok(ExitCode::SUCCESS)
}

fn lines(settings: &Settings, more_streams: &[config::StreamId]) -> Vec<Line> {
    let steering = &settings.file.steering;
    let of_zone = |zone: u16| -> Vec<IpAddr> {
        let named = steering.zones.iter().filter(|names| names.zone == zone);
        named.flat_map(|names| names.addresses.clone()).collect()
    };
    let mut lines = Vec::new();
    for names in &steering.zones {
        if let Some(host) = &names.host {
            let why = || format!("zone {} has no addresses", names.zone);
            add(&mut lines, host, of_zone(names.zone), why);
        }
    }
    let configured = settings.streams.iter().map(|s| (s.id.clone(), s.zone));
    let more = more_streams.iter().map(|id| (id.as_str().to_owned(), None));
    for (id, zone) in configured.chain(more) {
        if settings.redirects.stream.is_none() {
            break;
        }
        let Some(host) = settings.redirects.stream_host(&id) else {
            let why = "no label of a host name: viewers are sent to its zone's host".to_owned();
            lines.push(Line::Missing { name: id, why });
            continue;
        };
        let addresses = match (steering.stream_prefix.0, zone) {
            (Some(prefix), _) => vec![prefix.address(&id).into()],
            (None, Some(zone)) => of_zone(zone),
            (None, None) => Vec::new(),
        };
        let why = || "no steering.stream_prefix, and its zone is not fixed".to_owned();
        add(&mut lines, &host, addresses, why);
    }
    lines
}

/// The records of one host; a port is no part of a name, and an address needs no record.
fn add(lines: &mut Vec<Line>, host: &str, addresses: Vec<IpAddr>, why: impl Fn() -> String) {
    let name = host.split(':').next().unwrap_or(host).to_owned();
    if host.starts_with('[') || name.parse::<IpAddr>().is_ok() {
        return;
    }
    if addresses.is_empty() {
        let why = why();
        return lines.push(Line::Missing { name, why });
    }
    let record = |address| Line::Record {
        name: name.clone(),
        address,
    };
    lines.extend(addresses.into_iter().map(record));
}
