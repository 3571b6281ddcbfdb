//! Putting a thread on its CPU.
//!
//! Each loop pins itself before it makes its io_uring, so that what the kernel
//! allocates for it lies in the zone too.

use std::io;

use rustix::thread::{CpuSet, sched_setaffinity};

/// Pins the calling thread to one CPU, by the kernel's number.
///
/// # Errors
/// `InvalidInput` for a number that no CPU can have; what the kernel says when the
/// CPU is not there or not allowed.
pub fn pin_current_thread(cpu: usize) -> io::Result<()> {
    pin_current_thread_to(&[cpu])
}

/// Lets the calling thread run on these CPUs only.
///
/// # Errors
/// As [`pin_current_thread`]; `InvalidInput` also for an empty list. CPUs of the
/// list that do not exist are ignored by the kernel as long as one is left.
pub fn pin_current_thread_to(cpus: &[usize]) -> io::Result<()> {
    let mut set = CpuSet::new();
    for &cpu in cpus {
        if cpu >= CpuSet::MAX_CPU {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("CPU {cpu}: numbers end at {}", CpuSet::MAX_CPU - 1),
            ));
        }
        set.set(cpu);
    }
    if set.count() == 0 {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "no CPU to pin to",
        ));
    }
    sched_setaffinity(None, &set)?;
    Ok(())
}

/// The CPUs that the calling thread may run on, ascending.
///
/// # Errors
/// What the kernel says; it refuses when the machine has more CPUs than the set holds.
pub fn current_affinity() -> io::Result<Vec<usize>> {
    let set = rustix::thread::sched_getaffinity(None)?;
    Ok((0..CpuSet::MAX_CPU)
        .filter(|&cpu| set.is_set(cpu))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A pinned thread may run on that CPU and no other, and runs there. The pin is
    /// the thread's own: the test's other threads keep theirs.
    #[test]
    fn a_pinned_thread_runs_where_it_is_told() {
        let allowed = current_affinity().unwrap();
        let pinned = *allowed.last().unwrap();
        std::thread::spawn(move || {
            pin_current_thread(pinned).unwrap();
            assert_eq!(current_affinity().unwrap(), [pinned]);
            assert_eq!(rustix::thread::sched_getcpu(), pinned);
        })
        .join()
        .unwrap();
        assert_eq!(current_affinity().unwrap(), allowed);
    }

    /// What cannot be pinned to is refused, and changes nothing.
    #[test]
    fn absurd_cpus_are_refused() {
        let before = current_affinity().unwrap();
        assert!(pin_current_thread_to(&[]).is_err());
        assert!(pin_current_thread(usize::MAX).is_err());
        assert!(
            pin_current_thread(CpuSet::MAX_CPU - 1).is_err() || before.len() >= CpuSet::MAX_CPU
        );
        assert_eq!(current_affinity().unwrap(), before);
    }
}
