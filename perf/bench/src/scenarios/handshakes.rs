//! Handshakes, one after the other on each of so many slots, full or resumed.
//!
//! OpenSSL sends one ticket after a resumed handshake where rustls sends two; both are left as
//! they are.

use std::sync::Arc;

use anyhow::{Result, bail};
use zonecast_load::handshakes::Handshakes;
use zonecast_load::{Latency, tls};

use crate::bed::Bed;
use crate::cost::Window;
use crate::figures::Figures;
use crate::peers::Peer;

pub(super) const FULL: &str = "full";
pub(super) const RESUMED: &str = "resumed";

pub(super) fn run(bed: &Bed, peer: &Peer, case: &str) -> Result<Figures> {
    let resumes = case == RESUMED;
    let configs = (0..bed.connections).map(|_| tls::client(bed.root.clone(), resumes));
    let configs = configs.map(|config| Ok(Arc::new(config?)));
    let configs: Vec<_> = configs.collect::<Result<_>>()?;
    let mut handshakes = Handshakes::start(peer.target, configs)?;
    handshakes.run(bed.times.warm_up)?;
    let _ = handshakes.take();
    let window = Window::open(peer.pid, bed.server_cpu, bed.load_cpu)?;
    handshakes.run(bed.times.measured)?;
    let cost = window.close()?;
    let shaken = handshakes.take();
    let due = if resumes { shaken.done } else { 0 };
    if shaken.done == 0 || shaken.resumed != due {
        bail!(
            "{} of {} handshakes were resumed",
            shaken.resumed,
            shaken.done
        );
    }
    let done = shaken.done as f64;
    let took = Latency::of(&shaken.took);
    let mut figures = Figures::default();
    figures.add("cpu_us_per_handshake", cost.server.busy_s() * 1e6 / done);
    figures.add("process_us_per_handshake", cost.process_s * 1e6 / done);
    figures.add("per_cpu_second", done / cost.server.busy_s());
    figures.add("per_second", done / cost.seconds);
    figures.add("took_p50_ms", took.p50_ms);
    figures.add("took_p99_ms", took.p99_ms);
    cost.note(&mut figures);
    Ok(figures)
}
