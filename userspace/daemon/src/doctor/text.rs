//! The diagnosis as lines for people.

use std::fmt;

use super::listeners::{Listener, Way};
use super::machine::{Capability, Machine};
use super::pages::{Expected, Node};
use super::{Diagnosis, Zone};
use crate::check::ranges;
use crate::units::Bytes;

/// A value with its label; a label is said once.
fn line(f: &mut fmt::Formatter<'_>, label: &str, value: impl fmt::Display) -> fmt::Result {
    writeln!(f, "{label:<14}{value}")
}

/// What would change the value above.
fn change(f: &mut fmt::Formatter<'_>, change: Option<&str>) -> fmt::Result {
    change.map_or(Ok(()), |change| {
        line(f, "", format_args!("to change it: {change}"))
    })
}

impl fmt::Display for Diagnosis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n", self.config)?;
        machine(&self.machine, f)?;
        let sealing = &self.kernel_tls;
        line(f, "kernel TLS", sealing)?;
        change(f, sealing.change.as_deref())?;
        for node in &self.nodes {
            pools(node, f)?;
        }
        self.zones.iter().try_for_each(|one| zone(one, f))?;
        memory(&self.memory, f)?;
        let (path, why) = (self.steering.path, &self.steering.why);
        line(f, "steering", format_args!("{path}: {why}"))?;
        change(f, self.steering.change)?;
        self.listeners.iter().try_for_each(|one| listener(one, f))?;
        if !self.notes.is_empty() || !self.obstacles.is_empty() {
            writeln!(f)?;
        }
        for note in &self.notes {
            writeln!(f, "note: {note}")?;
        }
        for obstacle in &self.obstacles {
            writeln!(f, "it cannot serve: {obstacle}")?;
        }
        Ok(())
    }
}

fn machine(machine: &Machine, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    line(f, "kernel", format_args!("Linux {}", machine.kernel))?;
    let ring = &machine.io_uring;
    match (&ring.error, &ring.lacks[..]) {
        (Some(error), _) => line(f, "io_uring", error)?,
        (None, []) => line(
            f,
            "io_uring",
            "lacks nothing: completions inside the turn, direct descriptors",
        )?,
        (None, lacks) => {
            line(f, "io_uring", "there, with less:")?;
            lacks.iter().try_for_each(|lack| line(f, "", lack))?;
        }
    }
    for limit in &machine.limits {
        let written = |number: u64| match limit.is_bytes {
            true => Bytes(number).to_string(),
            false => number.to_string(),
        };
        let number = limit.limit.map_or("no limit".to_owned(), written);
        let (name, wanted) = (limit.name, written(limit.wanted));
        let enough = limit.without.as_deref().unwrap_or("enough");
        line(
            f,
            limit.what,
            format_args!("{number} ({name}), {wanted} at most wanted: {enough}"),
        )?;
    }
    let (held, lacking): (Vec<_>, Vec<_>) = machine.capabilities.iter().partition(|c| c.held);
    let said = |c: &&Capability| {
        let needed = if c.needed && !c.held {
            ", needed here"
        } else {
            ""
        };
        format!("{} ({}{needed})", c.name, c.gives)
    };
    let all = |list: &[&Capability]| match list {
        [] => "none".to_owned(),
        list => list.iter().map(said).collect::<Vec<_>>().join(", "),
    };
    line(f, "capabilities", format_args!("has {}", all(&held)))?;
    match lacking.is_empty() {
        true => Ok(()),
        false => line(f, "", format_args!("lacks {}", all(&lacking))),
    }
}

fn pools(node: &Node, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let name = node
        .node
        .map_or("machine".to_owned(), |node| format!("node {node}"));
    if node.pools.is_empty() {
        return line(f, &name, "no hugepages are asked for");
    }
    for (pool, at) in node.pools.iter().zip(0..) {
        let label = if at == 0 { name.as_str() } else { "" };
        let (pages, needed) = (pool.pages, pool.needed);
        match (pool.total, pool.free) {
            (Some(total), Some(free)) => line(
                f,
                label,
                format_args!("{pages} pages: {total} in all, {free} free, {needed} needed"),
            )?,
            _ => line(
                f,
                label,
                format_args!("{pages} pages: the kernel has none, {needed} needed"),
            )?,
        }
    }
    Ok(())
}

fn zone(zone: &Zone, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let node = zone
        .node
        .map_or("no one node".to_owned(), |node| format!("node {node}"));
    let slice = if zone.is_virtual {
        ", a slice of it"
    } else {
        ""
    };
    let (loops, control) = (ranges(&zone.loop_cpus), ranges(&zone.control_cpus));
    let cards = match zone.cards.is_empty() {
        true => "no cards".to_owned(),
        false => format!("cards {}", zone.cards.join(", ")),
    };
    let label = format!("zone {}", zone.id);
    line(
        f,
        &label,
        format_args!("{node}{slice}; loops on CPUs {loops}, control on {control}; {cards}"),
    )
}

fn memory(memory: &Expected, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let (arena, pages) = (Bytes(memory.arena_bytes), memory.pages);
    let why = memory
        .why
        .as_ref()
        .map_or(String::new(), |why| format!(": {why}"));
    line(
        f,
        "ring memory",
        format_args!("{arena} a zone, in {pages} pages{why}"),
    )?;
    change(f, memory.change.as_deref())
}

/// One line for each way out; why, and what would change it, once for all that have it in common.
fn listener(listener: &Listener, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let kind = if listener.tls { "TLS" } else { "plain" };
    let (name, address) = (&listener.name, &listener.address);
    match listener.zone {
        None => line(f, "listener", format_args!("{name} at {address}, {kind}"))?,
        Some(zone) => line(
            f,
            "listener",
            format_args!("{name} at {address}, {kind}, of zone {zone}"),
        )?,
    }
    for (at, way) in listener.egress.iter().enumerate() {
        line(
            f,
            "",
            format_args!("  {}: {}", device(way), way.choice.path.as_str()),
        )?;
        let next = listener.egress.get(at + 1);
        if next.is_none_or(|next| next.choice != way.choice) {
            line(f, "", format_args!("    {}", way.choice.why))?;
            if let Some(change) = &way.choice.change {
                line(f, "", format_args!("    to change it: {change}"))?;
            }
        }
    }
    Ok(())
}

fn device(way: &Way) -> String {
    let Some(card) = &way.device else {
        return "no device of its own".to_owned();
    };
    let zones: Vec<String> = card
        .zones
        .iter()
        .map(|zone| format!("zone {zone}"))
        .collect();
    let place = match (card.node, &zones[..]) {
        (Some(node), []) => format!("node {node}, no zone"),
        (Some(node), zones) => format!("node {node}, {}", zones.join(", ")),
        (None, []) => "no zone".to_owned(),
        (None, zones) => zones.join(", "),
    };
    let up = if card.is_up { "" } else { ", down" };
    let kind = if card.is_virtual { ", virtual" } else { "" };
    let offload = &card.tls_hw_tx_offload;
    format!(
        "by {} ({place}{up}{kind}, tls-hw-tx-offload {offload})",
        card.name
    )
}
