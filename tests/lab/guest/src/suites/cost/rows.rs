//! The table: what is measured, in the order in which it is shown.

use super::bare::Method;
use super::counts::Cost;
use super::peers::Bed;
use super::viewer::Framing;
use super::{Sealed, deliver};
use anyhow::{Result, ensure};
use std::net::Ipv4Addr;

/// A row.
pub(super) struct Row {
    pub(super) name: &'static str,
    pub(super) measure: fn(&Bed) -> Result<Measured>,
}

/// What came of a row.
pub(super) enum Measured {
    Cost(Cost),
    /// Why it cannot be measured here.
    Skipped(String),
}

/// Who must seal.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Kernel {
    /// The server, or nobody.
    Nothing,
    Software,
    Device,
}

impl Kernel {
    /// That of so many sockets each was handed where it belongs.
    pub(super) fn check(self, sealed: Sealed, sockets: u64) -> Result<()> {
        let wanted = match self {
            Kernel::Nothing => (0, 0),
            Kernel::Software => (sockets, 0),
            Kernel::Device => (0, sockets),
        };
        ensure!(
            (sealed.software, sealed.device) == wanted,
            "of {sockets} sockets the kernel seals {sealed:?}"
        );
        Ok(())
    }
}

/// All of them.
pub(super) const ROWS: [Row; 12] = [
    row("zonecast, TLS in the process", |bed| {
        let listener = if bed.daemon_knows(KERNEL_TLS_OFF)? {
            KERNEL_TLS_OFF
        } else {
            ""
        };
        cost(deliver(bed, &bed.daemon(true, listener)?, Kernel::Nothing))
    }),
    row("zonecast, TLS in the kernel", |bed| {
        if !bed.daemon_knows(KERNEL_TLS_OFF)? {
            let why = "this daemon's listeners have no kernel_tls";
            return Ok(Measured::Skipped(why.to_owned()));
        }
        cost(deliver(bed, &bed.daemon(true, "")?, Kernel::Software))
    }),
    row("zonecast, plain", |bed| {
        cost(deliver(
            bed,
            &bed.daemon(false, "tls = false")?,
            Kernel::Nothing,
        ))
    }),
    row("nginx, TLS in the process", |bed| {
        cost(deliver(bed, &bed.nginx(Some(""))?, Kernel::Nothing))
    }),
    row("nginx, TLS in the kernel, sendfile", |bed| {
        let peer = bed.nginx(Some("ssl_conf_command Options KTLS;"))?;
        cost(deliver(bed, &peer, Kernel::Software))
    }),
    row("nginx, plain, sendfile", |bed| {
        cost(deliver(bed, &bed.nginx(None)?, Kernel::Nothing))
    }),
    row("bare, TLS in the kernel, send 16 KiB", |bed| {
        sealed(bed, 16 << 10)
    }),
    row("bare, TLS in the kernel, send 64 KiB", |bed| {
        sealed(bed, 64 << 10)
    }),
    row("bare, TLS in the kernel, send 256 KiB", |bed| {
        sealed(bed, 256 << 10)
    }),
    row("bare, plain, send 64 KiB", |bed| {
        plain(bed, Method::Send, 64 << 10)
    }),
    row("bare, plain, send 256 KiB", |bed| {
        plain(bed, Method::Send, 256 << 10)
    }),
    row("bare, plain, sendfile 256 KiB", |bed| {
        plain(bed, Method::Sendfile, 256 << 10)
    }),
];

/// What a listener is told that is to seal in the process.
const KERNEL_TLS_OFF: &str = "kernel_tls = false";

const fn row(name: &'static str, measure: fn(&Bed) -> Result<Measured>) -> Row {
    Row { name, measure }
}

fn cost(cost: Result<Cost>) -> Result<Measured> {
    cost.map(Measured::Cost)
}

fn sealed(bed: &Bed, size: usize) -> Result<Measured> {
    let network = (Ipv4Addr::LOCALHOST, false);
    let peer = bed.bare(Method::Send, size, Framing::Tls13, network)?;
    cost(deliver(bed, &peer, Kernel::Software))
}

fn plain(bed: &Bed, method: Method, size: usize) -> Result<Measured> {
    let network = (Ipv4Addr::LOCALHOST, false);
    let peer = bed.bare(method, size, Framing::Plain, network)?;
    cost(deliver(bed, &peer, Kernel::Nothing))
}
