//! `zonecast doctor`: what this machine gives a configuration, and what would give it more.
//!
//! ```text
//! file -> settings ─┐
//! /proc, /sys ──────┼─▶ Diagnosis ──▶ lines for people, or JSON
//! netlink, probes ──┘
//! ```
//!
//! One file a subject: [`machine`] the process and io_uring, [`pages`] memory, [`sealing`] what the
//! kernel seals, [`steering`] how viewers get to zones, [`listeners`] which devices viewers are reached by, [`path`] how their bytes go.
//! [`start`] has the same of the last two for the log of a daemon that starts.
//! Nothing is changed and nothing that runs is disturbed: addresses are bound for a moment, a ring
//! is made and dropped, kernel TLS is tried on connections of our own.

pub mod listeners;
pub mod machine;
pub mod pages;
pub mod path;
pub mod roots;
pub mod sealing;
pub mod start;
pub mod steering;
mod text;

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;
use serde::Serialize;
use zonecast_io::KernelTls;
use zonecast_io::egress::{Address, Device, Egress};

use crate::cli::DoctorArguments;
use crate::config::{self, DEFAULT_PATH, Settings};
use crate::{plan, probe};
use roots::Roots;

/// All that there is to say.
#[derive(Debug, Serialize)]
pub struct Diagnosis {
    /// The configuration that was asked about.
    pub config: String,
    /// The kernel and this process.
    pub machine: machine::Machine,
    /// TLS in the kernel.
    pub kernel_tls: sealing::Sealing,
    /// Hugepages of each node that has a zone.
    pub nodes: Vec<pages::Node>,
    /// The zones.
    pub zones: Vec<Zone>,
    /// What the rings will lie in.
    pub memory: pages::Expected,
    /// How viewers get to zones.
    pub steering: steering::Steering,
    /// Viewers' listeners, then the encoders'.
    pub listeners: Vec<listeners::Listener>,
    /// What else should be known.
    pub notes: Vec<String>,
    /// Why it could not serve at all; empty where it could.
    pub obstacles: Vec<String>,
}

/// One zone as planned.
#[derive(Debug, Serialize)]
pub struct Zone {
    /// Its number.
    pub id: u16,
    /// The node of its memory; `None` where there is no one node.
    pub node: Option<u32>,
    /// Whether it is a slice of a node.
    pub is_virtual: bool,
    /// One loop runs on each of these.
    pub loop_cpus: Vec<usize>,
    /// Control threads run on these.
    pub control_cpus: Vec<usize>,
    /// The network cards on its node.
    pub cards: Vec<String>,
}

/// Prints what is found; the exit code says only whether it could serve at all.
///
/// # Errors
/// Everything that is wrong with the file, and what makes looking impossible.
pub fn run(arguments: &DoctorArguments) -> anyhow::Result<ExitCode> {
    let path = arguments.config.as_deref();
    let absent = path.is_none() && !Path::new(DEFAULT_PATH).exists();
    let settings = if absent {
        config::defaults(&plan::plan)?
    } else {
        config::load(path.unwrap_or(DEFAULT_PATH.as_ref()), &plan::plan)?
    };
    let mut diagnosis = diagnose(&settings, &Roots::host())?;
    if absent {
        let note = format!("there is no {DEFAULT_PATH}: this is about the defaults; see --config");
        diagnosis.notes.insert(0, note);
    }
    let mut out = std::io::stdout().lock();
    if arguments.json {
        serde_json::to_writer_pretty(&mut out, &diagnosis).context("standard output")?;
        writeln!(out)
    } else {
        write!(out, "{diagnosis}")
    }
    .context("standard output")?;
    Ok(match diagnosis.obstacles.is_empty() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}

fn diagnose(settings: &Settings, roots: &Roots) -> anyhow::Result<Diagnosis> {
    let (devices, addresses) = network(roots)?;
    let kernel = KernelTls::probe();
    let machine = machine::look(settings, roots);
    let sealing = sealing::describe(&kernel, roots);
    let (nodes, memory) = pages::look(settings, roots);
    let seen = listeners::Seen {
        devices: &devices,
        addresses: &addresses,
        zones: &settings.planned.zones,
        kernel: &kernel,
        sealing: &sealing,
    };
    let (in_use, refused): (Vec<_>, Vec<_>) = probe::refused(settings, &[])
        .into_iter()
        .partition(|(kind, _)| *kind == std::io::ErrorKind::AddrInUse);
    let mut obstacles: Vec<String> = refused.into_iter().map(|(_, p)| p.to_string()).collect();
    obstacles.extend(machine.io_uring.error.clone());
    let mut notes = settings.planned.notes.clone();
    if let Some((_, problem)) = in_use.first() {
        notes.push(format!(
            "{problem}; if that is zonecast, the memory and pages that it holds are not free"
        ));
    } else {
        obstacles.extend(memory.shortage.clone());
    }
    Ok(Diagnosis {
        config: settings.path.display().to_string(),
        kernel_tls: sealing.clone(),
        listeners: listeners::look(settings, &seen),
        zones: zones(settings),
        steering: steering::look(settings),
        machine,
        nodes,
        memory,
        notes,
        obstacles,
    })
}

/// The devices, and the addresses that they have.
fn network(roots: &Roots) -> anyhow::Result<(Vec<Device>, Vec<Address>)> {
    let egress = Egress::open().context("netlink")?;
    let devices = egress.devices(&roots.sys).context("network devices")?;
    Ok((devices, egress.addresses().context("addresses")?))
}

fn zones(settings: &Settings) -> Vec<Zone> {
    let zones = settings.planned.zones.iter().map(|zone| Zone {
        id: zone.id.0,
        node: zone.node,
        is_virtual: zone.is_virtual,
        loop_cpus: zone.loop_cpus.clone(),
        control_cpus: zone.control_cpus.clone(),
        cards: zone.nics.clone(),
    });
    zones.collect()
}
