//! The virtual machine's own meter. It is booted with instruction counting and one CPU: a virtual
//! nanosecond is one instruction, and nothing else runs while a task does, so the run times that
//! the kernel keeps are counts of instructions.

use crate::machine::read;
use crate::tool::until;
use anyhow::{Context, Result, ensure};
use rustix::time::{ClockId, clock_gettime};
use std::collections::BTreeMap;
use std::fs;
use std::thread;
use std::time::Duration;

/// In this time everyone has gone to sleep, so the kernel's account of each is complete.
const SETTLE: Duration = Duration::from_millis(20);

/// The machine is quiet once tasks take less than this in [`LULL`]: what booting left to do is
/// done.
const QUIET: u64 = 1_000_000;
const LULL: Duration = Duration::from_millis(200);

/// The field of a CPU's line in `/proc/schedstat`, its name being the first: nanoseconds that
/// tasks ran on it (`Documentation/scheduler/sched-stats.rst`).
const BUSY: usize = 7;

/// What the meter says now.
pub(super) struct Counts {
    /// This thread.
    client: u64,
    /// All tasks on all CPUs.
    busy: u64,
    /// Each thread of the server.
    server: BTreeMap<String, u64>,
    /// Each other task, by its name and number.
    others: BTreeMap<String, u64>,
}

/// What a span of time took, in instructions.
#[derive(Debug, Clone)]
pub(super) struct Cost {
    /// All threads of the server.
    pub(super) own: u64,
    /// All tasks but this thread.
    pub(super) whole: u64,
    /// This thread.
    pub(super) client: u64,
    /// The task that took most beside these, with what it took.
    pub(super) other: (String, u64),
}

impl Counts {
    /// Reads the meter, with the server being the process `pid`.
    pub(super) fn read(pid: u32) -> Result<Counts> {
        thread::sleep(SETTLE);
        let now = clock_gettime(ClockId::ThreadCPUTime);
        let busy = read("/proc/schedstat")?;
        Ok(Counts {
            client: u64::try_from(now.tv_sec)? * 1_000_000_000 + u64::try_from(now.tv_nsec)?,
            busy: busy_in(&busy)?,
            server: threads(pid)?,
            others: others(pid)?,
        })
    }

    /// What was added since `before`.
    pub(super) fn since(&self, before: &Counts) -> Result<Cost> {
        let own = added(&self.server, &before.server);
        let others = added(&self.others, &before.others);
        let client = self.client - before.client;
        let busy = self.busy - before.busy;
        ensure!(busy > client, "all tasks ran {busy}, and this one {client}");
        Ok(Cost {
            own: own.iter().map(|(_, time)| time).sum(),
            whole: busy - client,
            client,
            other: others.into_iter().max_by_key(|o| o.1).unwrap_or_default(),
        })
    }
}

/// Waits until nobody has anything to do; how much was done meanwhile.
pub(super) fn quiet() -> Result<u64> {
    let first = busy_in(&read("/proc/schedstat")?)?;
    let mut last = first;
    until("quiet", || {
        thread::sleep(LULL);
        let now = busy_in(&read("/proc/schedstat")?)?;
        let done = now - std::mem::replace(&mut last, now);
        Ok((done < QUIET).then_some(now - first))
    })
}

/// What each task ran since `before`.
fn added(now: &BTreeMap<String, u64>, before: &BTreeMap<String, u64>) -> Vec<(String, u64)> {
    let of = |(task, time): (&String, &u64)| {
        let before = before.get(task).copied().unwrap_or_default();
        (task.clone(), time.saturating_sub(before))
    };
    now.iter().map(of).collect()
}

/// The run time of all tasks but the server's and this process. They come and go.
fn others(pid: u32) -> Result<BTreeMap<String, u64>> {
    let mut others = BTreeMap::new();
    for process in fs::read_dir("/proc")? {
        let number = process?.file_name().to_string_lossy().into_owned();
        let own = [pid, std::process::id()].map(|pid| pid.to_string());
        let Ok(name) = read(&format!("/proc/{number}/comm")) else {
            continue;
        };
        if !own.contains(&number)
            && let Ok(process) = number.parse()
            && let Ok(threads) = threads(process)
        {
            others.insert(format!("{name}-{number}"), threads.values().sum());
        }
    }
    Ok(others)
}

/// The run time of each thread, workers of its io_uring included.
fn threads(pid: u32) -> Result<BTreeMap<String, u64>> {
    let mut threads = BTreeMap::new();
    for thread in fs::read_dir(format!("/proc/{pid}/task"))? {
        let thread = thread?;
        let text = read(&thread.path().join("schedstat").to_string_lossy())?;
        let ran = text.split(' ').next().unwrap_or_default().parse();
        let name = thread.file_name().to_string_lossy().into_owned();
        threads.insert(name, ran.with_context(|| text.clone())?);
    }
    Ok(threads)
}

/// What tasks ran on all CPUs together.
fn busy_in(text: &str) -> Result<u64> {
    let mut busy = None;
    for line in text.lines().filter(|line| line.starts_with("cpu")) {
        let field = line.split_whitespace().nth(BUSY);
        let field = field.with_context(|| line.to_owned())?;
        *busy.get_or_insert(0) += field.parse::<u64>()?;
    }
    busy.context("no CPU in /proc/schedstat")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The seventh number of each CPU counts, and nothing of the domains.
    #[test]
    fn reads_schedstat() {
        let text = "version 17\ntimestamp 4\ncpu0 0 0 9 9 9 9 100 5 3\ndomain0 MC 3 1 2 3 4 5 6 7\n\
                    cpu1 0 0 9 9 9 9 20 5 3";
        assert_eq!(busy_in(text).unwrap(), 120);
        assert!(busy_in("version 17").is_err());
    }

    /// A thread that is new, one that was there, and one that has ended.
    #[test]
    fn adds_up_threads() {
        let counts = |client, busy, threads: &[(&str, u64)]| Counts {
            client,
            busy,
            server: threads.iter().map(|(n, t)| ((*n).to_owned(), *t)).collect(),
            others: BTreeMap::new(),
        };
        let before = counts(10, 100, &[("1", 50), ("2", 7)]);
        let cost = counts(30, 220, &[("1", 90), ("3", 5)])
            .since(&before)
            .unwrap();
        assert_eq!((cost.own, cost.whole, cost.client), (45, 100, 20));
        assert!(counts(500, 220, &[]).since(&before).is_err());
    }
}
