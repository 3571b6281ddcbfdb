//! What each byte path costs, in instructions of the guest for each byte that a viewer gets.
//!
//! Runs in a machine of its own (`cargo xtask lab bench`): one CPU, instructions counted. Each
//! row starts a server, has kept connections ask for an object over and over, and reads what the
//! server took, and what the whole machine but the viewers took.

pub(crate) mod bare;
mod cable;
mod counts;
mod curve;
mod decision;
mod peers;
mod rows;
mod viewer;

use crate::https::{Certificate, segment};
use crate::machine::{read, tls_stat};
use crate::report::{Report, Stop};
use crate::tool::run as tool;
use anyhow::{Context, Result, ensure};
use counts::{Cost, Counts};
use peers::{Bed, Peer};
use rows::{Kernel, Measured, ROWS, Row};
use std::path::PathBuf;
use viewer::Viewer;

/// Where all files are: in memory, in huge pages where they fit.
const FOLDER: &str = "/run/cost";

/// The object's file in it.
const OBJECT: &str = "s0.ts";

/// Flags of a CPU by which code for AES-GCM is chosen.
const CPU_FLAGS: [&str; 7] = [
    "aes",
    "pclmulqdq",
    "avx",
    "avx2",
    "vaes",
    "vpclmulqdq",
    "avx512f",
];

/// How often each connection asks before it is measured.
const WARM_UP: usize = 2;

/// How much is asked of a server.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Shape {
    /// Bytes of the object.
    bytes: u64,
    /// Kept connections, all asked at once.
    connections: usize,
    /// How often each asks while it is measured.
    rounds: usize,
}

impl Shape {
    /// That of all rows but the curves'.
    const USUAL: Shape = Shape {
        bytes: 500_000,
        connections: 8,
        rounds: 10,
    };

    fn delivered(self) -> u64 {
        self.bytes * (self.connections * self.rounds) as u64
    }
}

pub(super) fn run(report: &mut Report) -> Result<(), Stop> {
    let mut made = None;
    report.step("the object", || {
        let bed = made.insert(bed()?);
        Ok(format!("{} bytes", bed.object.len()))
    })?;
    let Some(mut bed) = made else {
        return Err(Stop);
    };
    let _ = report.step("the CPU", cpu);
    let _ = report.step("quiet", || {
        Ok(format!("after {} instructions", counts::quiet()?))
    });
    let wanted = wanted();
    if wanted
        .iter()
        .any(|word| decision::NAME.contains(word.as_str()))
    {
        let _ = report.step(decision::NAME, decision::measure);
    }
    for row in ROWS.iter().chain(&curve::ROWS) {
        if wanted.iter().any(|word| row.is_meant(word)) {
            let _ = report.step(row.name, || {
                bed.shaped(row.shape)?;
                measured(row, (row.measure)(&bed)?)
            });
        }
    }
    Ok(())
}

/// What the CPU has of what code for AES-GCM is chosen by.
fn cpu() -> Result<String> {
    let text = read("/proc/cpuinfo")?;
    let line = text.lines().find(|line| line.starts_with("flags"));
    let flags = line.context("no flags in /proc/cpuinfo")?.split(' ');
    let known: Vec<_> = flags.filter(|flag| CPU_FLAGS.contains(flag)).collect();
    Ok(known.join(" "))
}

/// The words of the kernel's command line that pick rows; without any, all.
fn wanted() -> Vec<String> {
    let line = read("/proc/cmdline").unwrap_or_default();
    let words = line.split(' ').find_map(|w| w.strip_prefix("lab.rows="));
    let words = words.unwrap_or_default().split(',');
    words.map(|word| word.replace('_', " ")).collect()
}

fn bed() -> Result<Bed> {
    let folder = PathBuf::from(FOLDER);
    std::fs::create_dir_all(&folder)?;
    let options = "size=64m,huge=always";
    tool(
        "/bin/mount",
        &["-t", "tmpfs", "-o", options, "tmpfs", FOLDER],
    )?;
    Ok(Bed {
        certificate: Certificate::make(&folder)?,
        object: segment(&folder.join(OBJECT), Shape::USUAL.bytes)?,
        shape: Shape::USUAL,
        folder,
    })
}

/// What the host reads: a line of numbers, or why there are none.
fn measured(row: &Row, measured: Measured) -> Result<String> {
    match measured {
        Measured::Skipped(why) => Ok(format!("skipped: {why}")),
        Measured::Cost(cost) => {
            ensure!(cost.own > 0, "{} took nothing", row.name);
            let bytes = row.shape.delivered();
            let (other, took) = &cost.other;
            Ok(format!(
                "own={} whole={} client={} bytes={bytes} beside={}:{took}",
                cost.own,
                cost.whole,
                cost.client,
                other.replace(' ', "_"),
            ))
        }
    }
}

/// Has a server deliver, and reads the meter around it. What it delivers is compared before and
/// after.
fn deliver(bed: &Bed, peer: &Peer, kernel: Kernel) -> Result<Cost> {
    Viewer::check(&peer.place, &bed.object).context("before")?;
    let before = sealed_by_kernel()?;
    let connect = || Viewer::connect(&peer.place, &bed.object);
    let Shape {
        connections,
        rounds: measured,
        ..
    } = bed.shape;
    let mut viewers = (0..connections)
        .map(|_| connect())
        .collect::<Result<Vec<_>>>()?;
    rounds(&mut viewers, WARM_UP)?;
    kernel.check(sealed_by_kernel()?.since(before), connections as u64)?;
    let pid = peer.server.0.id();
    let before = Counts::read(pid)?;
    rounds(&mut viewers, measured)?;
    let cost = Counts::read(pid)?.since(&before)?;
    Viewer::check(&peer.place, &bed.object).context("after")?;
    Ok(cost)
}

fn rounds(viewers: &mut [Viewer], count: usize) -> Result<()> {
    for _ in 0..count {
        for viewer in &mut *viewers {
            viewer.ask()?;
        }
        for viewer in &mut *viewers {
            viewer.discard()?;
        }
    }
    Ok(())
}

/// Sockets whose sending TLS was ever handed to the kernel, and of these to a card.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Sealed {
    software: u64,
    device: u64,
}

impl Sealed {
    fn since(self, before: Sealed) -> Sealed {
        Sealed {
            software: self.software - before.software,
            device: self.device - before.device,
        }
    }
}

fn sealed_by_kernel() -> Result<Sealed> {
    Ok(Sealed {
        software: tls_stat("TlsTxSw")?,
        device: tls_stat("TlsTxDevice")?,
    })
}
