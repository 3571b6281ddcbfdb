//! Making the ring: the best kind that this kernel offers, each step down with its reason.

use std::io;
use std::os::fd::AsRawFd;

use io_uring::{IoUring, squeue};
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
use rustix::process::{Resource, getrlimit};

use super::UringConfig;
use super::close::no_linger_entry;
use super::connections::Target;

/// How the kernel hands completions over, best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RingKind {
    /// Inside `turn` alone (SINGLE_ISSUER and DEFER_TASKRUN; Linux 6.1).
    DeferTaskrun,
    /// At any system call of the loop, without interrupting it (COOP_TASKRUN; Linux 5.19).
    CoopTaskrun,
    /// Whenever there is one, by an interrupt to the loop's CPU.
    Plain,
}

/// Workers of the kernel's that may run what cannot be done without blocking (a shutdown, say).
const WORKERS_MAX: u32 = 2;

/// The kernel's limit on a completion queue (IORING_MAX_CQ_ENTRIES).
const COMPLETIONS_MAX: u32 = 65_536;

pub(super) struct Made {
    pub(super) ring: IoUring,
    /// The size of the table of direct descriptors; 0 where they cannot be used.
    pub(super) direct_max: u32,
    pub(super) step_downs: Vec<String>,
}

/// Makes the ring and prepares it on the calling thread, which alone may use it.
pub(super) fn make(config: &UringConfig, best: RingKind) -> io::Result<Made> {
    let mut step_downs = Vec::new();
    let mut ring = make_ring(config, best, &mut step_downs)?;
    if !ring.params().is_feature_ext_arg() || !ring.params().is_feature_nodrop() {
        let message = "io_uring here cannot wait with a time limit (Linux 5.11 can)";
        return Err(io::Error::new(io::ErrorKind::Unsupported, message));
    }
    let direct_max = direct_descriptors(&mut ring, config.connections_max, &mut step_downs)?;
    if let Err(error) = place_workers(&ring) {
        step_downs.push(format!("kernel workers run on any CPU: {error}"));
    }
    Ok(Made {
        ring,
        direct_max,
        step_downs,
    })
}

/// Tries each kind from `best` down, each with and without the array that new kernels can omit.
fn make_ring(
    config: &UringConfig,
    best: RingKind,
    step_downs: &mut Vec<String>,
) -> io::Result<IoUring> {
    let kinds = [
        RingKind::DeferTaskrun,
        RingKind::CoopTaskrun,
        RingKind::Plain,
    ];
    let first = kinds.iter().position(|kind| *kind == best).unwrap_or(0);
    let mut attempts = kinds[first..]
        .iter()
        .flat_map(|kind| [(*kind, true), (*kind, false)])
        .peekable();
    while let Some((kind, no_array)) = attempts.next() {
        match build(config, kind, no_array) {
            Ok(ring) => return Ok(ring),
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) => {
                let Some((next, next_no_array)) = attempts.peek() else {
                    return Err(error);
                };
                step_downs.push(format!(
                    "ring {kind:?}{} refused ({error}): trying {next:?}{}",
                    suffix(no_array),
                    suffix(*next_no_array),
                ));
            }
            Err(error) => return Err(error),
        }
    }
    unreachable!("the last attempt returns")
}

fn suffix(no_array: bool) -> &'static str {
    if no_array { " without array" } else { "" }
}

fn build(config: &UringConfig, kind: RingKind, no_array: bool) -> io::Result<IoUring> {
    let mut builder = IoUring::<squeue::Entry>::builder();
    // A receive, a send and a wait for room a connection may complete in one turn, without an
    // overflow.
    let completions = config
        .connections_max
        .saturating_mul(3)
        .max(4 * config.sq_entries);
    builder
        .setup_cqsize(completions.min(COMPLETIONS_MAX))
        .setup_clamp()
        .setup_submit_all();
    if no_array {
        builder.setup_no_sqarray();
    }
    match kind {
        RingKind::DeferTaskrun => builder.setup_single_issuer().setup_defer_taskrun(),
        RingKind::CoopTaskrun => builder.setup_coop_taskrun(),
        RingKind::Plain => &mut builder,
    };
    if kind != RingKind::Plain {
        // The kernel says when it has deferred work, so that a check for it costs no call.
        builder.setup_taskrun_flag();
    }
    builder.build(config.sq_entries)
}

/// Registers the table of direct descriptors; 0 where this kernel cannot do all that they need.
fn direct_descriptors(
    ring: &mut IoUring,
    wanted: u32,
    step_downs: &mut Vec<String>,
) -> io::Result<u32> {
    if !can_set_options(ring)? {
        step_downs.push("plain descriptors: no socket commands here (Linux 6.7 has them)".into());
        return Ok(0);
    }
    let limit = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let count = u64::from(wanted).min(limit) as u32;
    if count < wanted {
        step_downs.push(format!(
            "{count} direct descriptors, not {wanted}: the limit on open files"
        ));
    }
    match ring.submitter().register_files_sparse(count) {
        Ok(()) => Ok(count),
        Err(error) => {
            step_downs.push(format!(
                "plain descriptors: no table of {count} direct ones: {error}"
            ));
            Ok(0)
        }
    }
}

/// Whether a socket option can be set through the ring, without which a direct descriptor cannot be
/// closed with a reset. Only trying tells.
fn can_set_options(ring: &mut IoUring) -> io::Result<bool> {
    let flags = SocketFlags::CLOEXEC;
    let (socket, _peer) = socketpair(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    let entry = no_linger_entry(Target::Plain(socket.as_raw_fd()));
    // SAFETY: the entry points at a static.
    let pushed = unsafe { ring.submission().push(&entry) };
    assert!(pushed.is_ok(), "a new queue has room");
    loop {
        match ring.submit_and_wait(1) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
            Ok(_) => {}
        }
        if let Some(completion) = ring.completion().next() {
            return Ok(completion.result() >= 0);
        }
    }
}

/// Keeps the kernel's workers for this ring on the loop's own CPUs, and few.
fn place_workers(ring: &IoUring) -> io::Result<()> {
    // SAFETY: a CPU set is a plain array of bits, for which zero is valid.
    let mut cpus: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    // SAFETY: `cpus` is as long as said; 0 is the calling thread.
    let result = unsafe { libc::sched_getaffinity(0, size_of::<libc::cpu_set_t>(), &raw mut cpus) };
    if result != 0 {
        return Err(io::Error::last_os_error());
    }
    ring.submitter().register_iowq_aff(&cpus)?;
    ring.submitter()
        .register_iowq_max_workers(&mut [WORKERS_MAX, WORKERS_MAX])
}
