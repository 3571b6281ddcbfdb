//! Viewers come to the zone of their stream by their first packet: by an address of the zone, and by the
//! card that the packet came in on; and the kernel counts them there.

use super::numa::homes::{self, FAR, FETCHES, Homes, Triples, near, triple};
use crate::daemon::Daemon;
use crate::machine::NODES;
use crate::report::{Report, Stop};
use crate::tool::{run as tool, until};
use anyhow::{Result, ensure};

/// One listener for all loops of both zones.
const PORT: u16 = 8446;
/// An address that is no zone's.
const ANYCAST: &str = "10.7.9.9";

pub(super) fn run(report: &mut Report) -> Result<(), Stop> {
    let mut started = None;
    report.step("the daemon steers", || {
        homes::lay()?;
        let daemon = started.insert(Daemon::start_with("steering", &configuration())?);
        let said = daemon.logged("steering: ")?;
        let steers = said.last().is_some_and(|line| line.contains("sk_lookup"));
        ensure!(steers, "{said:?}");
        Ok(said.join(" "))
    })?;
    let Some(daemon) = started else {
        return Err(Stop);
    };
    let homes = Homes::step(report, &daemon)?;
    let _ = report.step("a zone's address leads home: three times the same", || {
        let came = NODES.map(|zone| homes.fetch_at(&near(zone), PORT, zone as usize));
        all_at_home(&daemon, came, "zone")
    });
    let _ = report.step("so does the card that it came in on", || {
        tool(
            "ip",
            &["addr", "add", &format!("{ANYCAST}/32"), "dev", "lo"],
        )?;
        let came = NODES.map(|zone| {
            let via = near(zone);
            let route = ["-n", FAR, "route", "replace", ANYCAST, "via", &via];
            tool("ip", &route)?;
            homes.fetch_at(ANYCAST, PORT, zone as usize)
        });
        all_at_home(&daemon, came, "interface")
    });
    let _ = report.step("who was in the wrong zone comes home the next time", || {
        learned(&daemon, &homes)
    });
    let _ = report.step("sealed by the kernel, on sockets of the map", || {
        let by = |name: &str| daemon.metrics()?.sum(name, &[]);
        let taken = by("zonecast_kernel_tls_handovers_total")?;
        ensure!(taken >= 5.0 * FETCHES as f64, "{taken} hand-overs");
        Ok(format!(
            "{taken} connections, {} bytes",
            daemon.bytes_by("ktls")?
        ))
    });
    let _ = report.step("accepted and closed as often as steered", || {
        counted(&daemon)
    });
    Ok(())
}

/// He comes in on the wrong zone's card, and is served there; later, by the loops of his stream's zone.
fn learned(daemon: &Daemon, homes: &Homes) -> Result<String> {
    tool(
        "ip",
        &["-n", FAR, "route", "replace", ANYCAST, "via", &near(0)],
    )?;
    let mut tries = 0;
    let by_affinity = ["zone=\"1\"", "rule=\"affinity\""];
    until("what was learned counts", || {
        tries += 1;
        homes.fetch_at(ANYCAST, PORT, 1)?;
        let steered = daemon
            .metrics()?
            .sum("zonecast_steered_total", &by_affinity)?;
        Ok((steered > 0.0).then_some(()))
    })?;
    let added = homes.fetch_at(ANYCAST, PORT, 1)?;
    let only = added.keys().collect::<Vec<_>>();
    // What he is sent goes back by the card that he came in on.
    ensure!(only == [&triple(1, 1, 0)], "{added:?}");
    let misplaced = daemon
        .metrics()?
        .sum("zonecast_requests_misplaced_total", &[])?;
    Ok(format!(
        "after {misplaced} misplaced requests, all by affinity"
    ))
}

fn configuration() -> String {
    let zone = |node| format!("{{ zone = {node}, addresses = [\"{}\"] }}", near(node));
    let zones = NODES.map(zone).join(", ");
    format!("[[listeners]]\nlisten = \"0.0.0.0:{PORT}\"\n[steering]\nzones = [{zones}]\n")
}

/// Each zone's bytes came from its ring, by its loops and its card, and the rule was this one every time.
fn all_at_home(daemon: &Daemon, came: [Result<Triples>; 2], rule: &str) -> Result<String> {
    for (zone, added) in NODES.into_iter().zip(came) {
        let added = added?;
        let only = added.keys().collect::<Vec<_>>();
        ensure!(
            only == [&triple(zone, zone, zone)],
            "zone {zone}: {added:?}"
        );
        let labels = [format!("zone=\"{zone}\""), format!("rule=\"{rule}\"")];
        let labels = labels.each_ref().map(String::as_str);
        let steered = daemon.metrics()?.sum("zonecast_steered_total", &labels)?;
        ensure!(
            steered == FETCHES as f64,
            "zone {zone}: {steered} by {rule}"
        );
    }
    Ok(format!("{} connections by rule {rule}", 2 * FETCHES))
}

fn counted(daemon: &Daemon) -> Result<String> {
    let by = |name: &str| daemon.metrics()?.sum(name, &[]);
    until("all are closed", || {
        Ok((by("zonecast_connections")? == 0.0).then_some(()))
    })?;
    let (steered, came) = (
        by("zonecast_steered_total")?,
        by("zonecast_connections_total")?,
    );
    let missed = by("zonecast_steering_missed_total")?;
    ensure!(
        steered == came && missed == 0.0,
        "{steered} steered, {came} came, {missed} missed"
    );
    Ok(format!("{came} of {steered}"))
}
