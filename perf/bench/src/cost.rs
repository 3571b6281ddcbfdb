//! What a span of time cost: the server's CPU, the server's process, the generator.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde::Serialize;
use zonecast_load::usage::{self, CpuTime};

use crate::figures::Figures;

/// A generator that is busier than this may be what limits a closed loop.
pub const LOAD_BUSY_MAX: f64 = 0.9;

/// A span that has begun.
#[derive(Debug)]
pub struct Window {
    began: Instant,
    server: CpuTime,
    load: CpuTime,
    process_s: f64,
    load_thread: Duration,
    pid: u32,
    cpus: (usize, usize),
}

/// What a span cost.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Cost {
    /// How long it was.
    pub seconds: f64,
    /// The server's CPU.
    pub server: CpuTime,
    /// The server's process, by its own account.
    pub process_s: f64,
    /// The generator's CPU.
    pub load: CpuTime,
    /// The generator itself.
    pub load_thread_s: f64,
}

impl Window {
    /// Begins a span: the server's process, its CPU, the generator's. The generator is the
    /// calling thread.
    ///
    /// # Errors
    /// The server is gone.
    pub fn open(pid: u32, server_cpu: usize, load_cpu: usize) -> Result<Window> {
        Ok(Window {
            began: Instant::now(),
            server: CpuTime::of_cpu(server_cpu)?,
            load: CpuTime::of_cpu(load_cpu)?,
            process_s: usage::process_s(pid).context("the server has ended")?,
            load_thread: usage::thread_time(),
            pid,
            cpus: (server_cpu, load_cpu),
        })
    }

    /// Ends it.
    ///
    /// # Errors
    /// The server is gone.
    pub fn close(self) -> Result<Cost> {
        Ok(Cost {
            seconds: self.began.elapsed().as_secs_f64(),
            server: CpuTime::of_cpu(self.cpus.0)? - self.server,
            process_s: usage::process_s(self.pid).context("the server has ended")? - self.process_s,
            load: CpuTime::of_cpu(self.cpus.1)? - self.load,
            load_thread_s: (usage::thread_time() - self.load_thread).as_secs_f64(),
        })
    }
}

impl Cost {
    /// Notes what every scenario shows: how busy both CPUs were, and what the hypervisor took.
    pub fn note(&self, figures: &mut Figures) {
        figures.add("server_busy_percent", self.server.busy_share() * 100.0);
        figures.add("load_busy_percent", self.load.busy_share() * 100.0);
        let own = self.load_thread_s / self.seconds;
        figures.add("load_own_percent", own * 100.0);
        figures.add("steal_s", self.server.steal_s + self.load.steal_s);
        figures.load_limited |= self.load.busy_share() > LOAD_BUSY_MAX;
    }
}
