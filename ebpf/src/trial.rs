//! What the programs would do with a packet, without one: the kernel runs them on a description.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsRawFd;
use std::time::Duration;

use libbpf_rs::libbpf_sys;

use crate::{Error, Steering};

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

impl Steering {
    /// Has the kernel decide `times` times; what it decides is counted as always.
    ///
    /// # Errors
    /// [`Error::Attach`]: the kernel runs no trials of such programs.
    pub fn trial(&self, arrival: &Arrival, times: u32) -> Result<Trial, Error> {
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
        let program = self.programs.lookup.as_raw_fd();
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
