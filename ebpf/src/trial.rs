//! What the programs would do with a packet, without one: the kernel runs them on a description.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::path::Path;
use std::time::Duration;

use libbpf_rs::query::LinkInfo;
use libbpf_rs::{MapCore, MapFlags, MapHandle, libbpf_sys};

use crate::folder::versioned;
use crate::{Counters, Error, Steering, links};

/// A connection's first packet. The kernel lets no interface be named.
#[derive(Clone, Copy, Debug)]
pub struct Arrival {
    /// Who connects.
    pub client: SocketAddr,
    /// To where.
    pub address: SocketAddr,
}

/// What was decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trial {
    /// The cookie of the listening socket that was assigned; `None`: left to the kernel.
    pub socket: Option<u64>,
    /// What one decision took, on average.
    pub took: Duration,
}

/// `struct bpf_sk_lookup`, as the kernel takes it for a trial.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Context {
    cookie: u64,
    family: u32,
    protocol: u32,
    remote_ip4: u32,
    remote_ip6: [u32; 4],
    remote_port: u16,
    pad: u16,
    local_ip4: u32,
    local_ip6: [u32; 4],
    local_port: u32,
    interface: u32,
    end: u32,
}

/// Where a connection would go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The zone.
    pub zone: u16,
    /// The loop.
    pub loop_id: u16,
    /// The listener, by its number among those of TCP.
    pub listener: u16,
}

impl Steering {
    /// Has the kernel decide `times` times; what it decides is counted as always.
    ///
    /// # Errors
    /// [`Error::Attach`]: the kernel runs no trials of such programs.
    pub fn trial(&self, arrival: &Arrival, times: u32) -> Result<Trial, Error> {
        arrival.run(self.programs.lookup.as_fd(), times)
    }
}

/// Has the program that is attached from `folder` decide `times` times, without its daemon. What it
/// decides is counted as always. Takes root. The place is `None` where it is left to the kernel.
///
/// # Errors
/// Nothing is attached from there, or the kernel runs no trials.
pub fn try_attached(
    folder: &Path,
    arrival: &Arrival,
    times: u32,
) -> Result<(Option<Place>, Duration), Error> {
    let link = folder.join("links/lookup");
    let unreachable = |error| Error::Folder {
        path: link.clone(),
        error,
    };
    let attached = links::open(&link).map_err(unreachable)?;
    let of = |error: libbpf_rs::Error| Error::Attach {
        program: "sk_lookup",
        error: io::Error::other(error),
    };
    let id = LinkInfo::from_fd(attached.as_fd()).map_err(of)?.prog_id;
    let program = libbpf_rs::Program::fd_from_id(id).map_err(of)?;
    let trial = arrival.run(program.as_fd(), times)?;
    let Some(cookie) = trial.socket else {
        return Ok((None, trial.took));
    };
    let loops = Counters::open(folder)?.loops()?.unwrap_or_default();
    let sockets = MapHandle::from_pinned_path(versioned(folder).join("sockets"));
    let sockets = sockets.map_err(Error::map("sockets"))?;
    let has = |at: &u32| {
        let found = sockets
            .lookup(&at.to_ne_bytes(), MapFlags::ANY)
            .ok()
            .flatten();
        found.is_some_and(|found| found == cookie.to_ne_bytes())
    };
    let place = (0..sockets.max_entries()).find(has).and_then(|at| {
        let (at, count) = (at as usize, loops.len());
        let loop_id = at.checked_rem(count)?;
        Some(Place {
            zone: loops[loop_id].zone,
            loop_id: loop_id as u16,
            listener: (at / count) as u16,
        })
    });
    Ok((place, trial.took))
}

impl Arrival {
    fn run(&self, program: BorrowedFd<'_>, times: u32) -> Result<Trial, Error> {
        let arrival = self;
        let mut context = Context {
            protocol: libc::IPPROTO_TCP as u32,
            remote_port: arrival.client.port().to_be(),
            local_port: u32::from(arrival.address.port()),
            ..Context::default()
        };
        let words = crate::address::words;
        match (arrival.client.ip(), arrival.address.ip()) {
            (IpAddr::V4(client), IpAddr::V4(address)) => {
                context.family = libc::AF_INET as u32;
                context.remote_ip4 = u32::from_ne_bytes(client.octets());
                context.local_ip4 = u32::from_ne_bytes(address.octets());
            }
            (client, address) => {
                context.family = libc::AF_INET6 as u32;
                context.remote_ip6 = words(client);
                context.local_ip6 = words(address);
            }
        }
        let mut options = libbpf_sys::bpf_test_run_opts {
            sz: size_of::<libbpf_sys::bpf_test_run_opts>() as libbpf_sys::size_t,
            ctx_in: (&raw const context).cast(),
            ctx_size_in: size_of::<Context>() as u32,
            repeat: times as i32,
            ..Default::default()
        };
        let mut answer = Context::default();
        options.ctx_out = (&raw mut answer).cast();
        options.ctx_size_out = size_of::<Context>() as u32;
        let program = program.as_raw_fd();
        // SAFETY: both contexts live through the call, which writes at most as much as it is told.
        let result = unsafe { libbpf_sys::bpf_prog_test_run_opts(program, &raw mut options) };
        if result < 0 {
            return Err(Error::Attach {
                program: "sk_lookup",
                error: io::Error::from_raw_os_error(-result),
            });
        }
        Ok(Trial {
            socket: (answer.cookie != 0).then_some(answer.cookie),
            took: Duration::from_nanos(u64::from(options.duration)),
        })
    }
}
