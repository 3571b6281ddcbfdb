//! What a load cost: the busy time of whole CPUs, of processes, and of this thread.

use std::io;
use std::ops::Sub;
use std::time::Duration;

use rustix::process::{Resource, getrlimit, setrlimit};
use rustix::thread::{CpuSet, sched_setaffinity};
use rustix::time::{ClockId, clock_gettime};
use serde::Serialize;

/// Keeps the calling thread, and what it starts from now on, on one CPU.
///
/// # Errors
/// There is no such CPU, or this process may not use it.
pub fn pin(cpu: usize) -> io::Result<()> {
    let mut set = CpuSet::new();
    if cpu >= CpuSet::MAX_CPU {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    set.set(cpu);
    Ok(sched_setaffinity(None, &set)?)
}

/// Lets this process open as many files, and so connections, as the system lets it.
pub fn raise_descriptors() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    // Where this is refused, connections will be, with a reason.
    let _ = setrlimit(Resource::Nofile, limit);
}

/// The time of one CPU since the machine started, by what it was spent on: a line `cpuN` of
/// `/proc/stat` (proc_stat(5)).
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct CpuTime {
    /// In programs.
    pub user_s: f64,
    /// In the kernel for programs.
    pub system_s: f64,
    /// In interrupts.
    pub irq_s: f64,
    /// In soft interrupts, where the kernel counts them apart.
    pub softirq_s: f64,
    /// Idle, or waiting for disks.
    pub idle_s: f64,
    /// Taken by the hypervisor.
    pub steal_s: f64,
}

impl CpuTime {
    /// Reads the time of one CPU.
    ///
    /// # Errors
    /// There is no such CPU.
    pub fn of_cpu(cpu: usize) -> io::Result<CpuTime> {
        let stat = std::fs::read_to_string("/proc/stat")?;
        CpuTime::parse(&stat, cpu, ticks_per_second())
            .ok_or_else(|| io::Error::other(format!("/proc/stat has no cpu{cpu}")))
    }

    fn parse(stat: &str, cpu: usize, ticks: f64) -> Option<CpuTime> {
        let name = format!("cpu{cpu}");
        let line = stat
            .lines()
            .find(|line| line.split(' ').next() == Some(&name))?;
        let fields: Vec<f64> = line
            .split_whitespace()
            .skip(1)
            .map_while(|field| Some(field.parse::<f64>().ok()? / ticks))
            .collect();
        let at = |index: usize| fields.get(index).copied().unwrap_or(0.0);
        Some(CpuTime {
            user_s: at(0) + at(1),
            system_s: at(2),
            irq_s: at(5),
            softirq_s: at(6),
            idle_s: at(3) + at(4),
            steal_s: at(7),
        })
    }

    /// Seconds spent on anything.
    #[must_use]
    pub fn busy_s(&self) -> f64 {
        self.user_s + self.system_s + self.irq_s + self.softirq_s
    }

    /// The part of the time that was spent on anything, of what the hypervisor left.
    #[must_use]
    pub fn busy_share(&self) -> f64 {
        let all = self.busy_s() + self.idle_s;
        if all > 0.0 { self.busy_s() / all } else { 0.0 }
    }
}

impl Sub for CpuTime {
    type Output = CpuTime;

    fn sub(self, before: CpuTime) -> CpuTime {
        CpuTime {
            user_s: self.user_s - before.user_s,
            system_s: self.system_s - before.system_s,
            irq_s: self.irq_s - before.irq_s,
            softirq_s: self.softirq_s - before.softirq_s,
            idle_s: self.idle_s - before.idle_s,
            steal_s: self.steal_s - before.steal_s,
        }
    }
}

/// Seconds that a process has spent in all its threads (`/proc/PID/stat`, utime and stime).
///
/// # Errors
/// There is no such process.
pub fn process_s(pid: u32) -> io::Result<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name may hold blanks and parentheses; what follows the last one is numbers.
    let numbers = stat.rsplit(')').next().unwrap_or_default();
    let fields: Vec<&str> = numbers.split_whitespace().collect();
    let ticks = |index: usize| fields.get(index)?.parse::<f64>().ok();
    match (ticks(11), ticks(12)) {
        (Some(user), Some(system)) => Ok((user + system) / ticks_per_second()),
        _ => Err(io::Error::other("/proc/PID/stat cannot be read")),
    }
}

/// Seconds since 1970.
#[must_use]
pub fn unix_seconds() -> u64 {
    u64::try_from(clock_gettime(ClockId::Realtime).tv_sec).unwrap_or_default()
}

/// CPU time of the calling thread.
#[must_use]
pub fn thread_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or_default())
}

fn ticks_per_second() -> f64 {
    rustix::param::clock_ticks_per_second() as f64
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// The CPU's own line is read, not that of all CPUs or of another; the guest's time, which
    /// is in the user's already, is left out.
    #[test]
    fn reads_one_cpu() {
        let stat = "cpu  9 9 9 9 9 9 9 9 9 9\ncpu0 100 20 30 400 50 6 7 8 9 10\ncpu10 1 1 1 1";
        let time = CpuTime::parse(stat, 0, 100.0).unwrap();
        assert_eq!(time.user_s, 1.2);
        assert_eq!(time.idle_s, 4.5);
        assert_eq!(time.steal_s, 0.08);
        assert!((time.busy_s() - 1.63).abs() < 1e-9);
        assert!((time.busy_share() - 1.63 / 6.13).abs() < 1e-9);
        assert!(CpuTime::parse(stat, 1, 100.0).is_none());
    }

    /// This process and its thread have spent time, and time only grows.
    #[test]
    fn reads_this_process() {
        let pid = std::process::id();
        let (before, thread) = (process_s(pid).unwrap(), thread_time());
        let mut sum = 0_u64;
        while thread_time() - thread < Duration::from_millis(30) {
            sum = std::hint::black_box(sum.wrapping_add(1));
        }
        assert!(process_s(pid).unwrap() >= before + 0.01);
    }
}
