//! The table: what is measured, in the order in which it is shown.

use super::bare::{Method, Orders};
use super::cable;
use super::counts::Cost;
use super::peers::Bed;
use super::viewer::Framing;
use super::{Sealed, Shape, deliver};
use anyhow::{Result, ensure};
use std::net::Ipv4Addr;

/// A row.
pub(super) struct Row {
    pub(super) name: &'static str,
    pub(super) measure: fn(&Bed) -> Result<Measured>,
    pub(super) shape: Shape,
}

impl Row {
    /// Whether a word picks this row; the empty one picks all but the curves.
    pub(super) fn is_meant(&self, word: &str) -> bool {
        let is_curve = self.shape != Shape::USUAL;
        match word {
            "" => !is_curve,
            _ => self.name.replace('_', " ").contains(word),
        }
    }
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
pub(super) const ROWS: [Row; 26] = [
    row("zonecast, TLS in the process", ours),
    row("zonecast, TLS in the kernel", |bed| {
        if !bed.daemon_knows(KERNEL_TLS_OFF)? {
            let why = "this daemon's listeners have no kernel_tls";
            return Ok(Measured::Skipped(why.to_owned()));
        }
        let peer = bed.daemon(LOCALHOST, Framing::Tls13, "")?;
        cost(deliver(bed, &peer, Kernel::Software))
    }),
    row("zonecast, plain", |bed| {
        let peer = bed.daemon(LOCALHOST, Framing::Plain, "tls = false")?;
        cost(deliver(bed, &peer, Kernel::Nothing))
    }),
    row("zonecast, TLS 1.2 on the card", |bed| {
        let listener = "nic_tls12 = true";
        through(bed, Framing::Unsealed, listener, Kernel::Device)
    }),
    row("zonecast, TLS in the kernel, through the card", |bed| {
        through(bed, Framing::Tls13, "", Kernel::Software)
    }),
    row("zonecast, plain, through the card", |bed| {
        through(bed, Framing::Plain, "tls = false", Kernel::Nothing)
    }),
    row("nginx, TLS in the process", nginx),
    row("nginx, TLS in the kernel, sendfile", |bed| {
        let peer = bed.nginx(Some("ssl_conf_command Options KTLS;"))?;
        cost(deliver(bed, &peer, Kernel::Software))
    }),
    row("nginx, plain, sendfile", |bed| {
        cost(deliver(bed, &bed.nginx(None)?, Kernel::Nothing))
    }),
    row("bare, TLS in the kernel, send 16 KiB", |bed| {
        bare(bed, &Orders::new(Method::Send, Framing::Tls13, 16 << 10))
    }),
    row("bare, TLS in the kernel, send 64 KiB", |bed| {
        bare(bed, &Orders::new(Method::Send, Framing::Tls13, 64 << 10))
    }),
    row("bare, TLS in the kernel, send 256 KiB", |bed| {
        bare(bed, &Orders::new(Method::Send, Framing::Tls13, 256 << 10))
    }),
    row("bare, TLS in the kernel, blocking 256 KiB", |bed| {
        let method = Method::Blocking;
        bare(bed, &Orders::new(method, Framing::Tls13, 256 << 10))
    }),
    row("bare, TLS in the kernel, io_uring 256 KiB", |bed| {
        bare(bed, &Orders::new(Method::Uring, Framing::Tls13, 256 << 10))
    }),
    row("bare, TLS in the kernel, sendfile 256 KiB", |bed| {
        bare(
            bed,
            &Orders::new(Method::Sendfile, Framing::Tls13, 256 << 10),
        )
    }),
    row("bare, plain, send 64 KiB", |bed| {
        bare(bed, &Orders::new(Method::Send, Framing::Plain, 64 << 10))
    }),
    row("bare, plain, send 256 KiB", |bed| {
        bare(bed, &Orders::new(Method::Send, Framing::Plain, 256 << 10))
    }),
    row("bare, plain, blocking 256 KiB", |bed| {
        let method = Method::Blocking;
        bare(bed, &Orders::new(method, Framing::Plain, 256 << 10))
    }),
    row("bare, plain, io_uring 256 KiB", |bed| {
        bare(bed, &Orders::new(Method::Uring, Framing::Plain, 256 << 10))
    }),
    row("bare, plain, sendfile 256 KiB", |bed| {
        bare(
            bed,
            &Orders::new(Method::Sendfile, Framing::Plain, 256 << 10),
        )
    }),
    row("card, TLS 1.2, copied, send 64 KiB", |bed| {
        let orders = Orders::new(Method::Send, Framing::Unsealed, 64 << 10);
        card(bed, orders, false)
    }),
    row("card, TLS 1.2, not copied, vmsplice 64 KiB", |bed| {
        let orders = Orders::new(Method::Splice, Framing::Unsealed, 64 << 10);
        card(bed, orders, true)
    }),
    row("card, TLS 1.2, not copied, vmsplice 256 KiB", |bed| {
        let orders = Orders::new(Method::Splice, Framing::Unsealed, 256 << 10);
        card(bed, orders, true)
    }),
    row("card, TLS 1.2, not copied, sendfile 256 KiB", |bed| {
        let orders = Orders::new(Method::Sendfile, Framing::Unsealed, 256 << 10);
        card(bed, orders, true)
    }),
    row("card, plain, send 64 KiB", |bed| {
        card(
            bed,
            Orders::new(Method::Send, Framing::Plain, 64 << 10),
            false,
        )
    }),
    row("card, plain, sendfile 256 KiB", |bed| {
        card(
            bed,
            Orders::new(Method::Sendfile, Framing::Plain, 256 << 10),
            false,
        )
    }),
];

const LOCALHOST: Ipv4Addr = Ipv4Addr::LOCALHOST;

/// What a listener is told that is to seal in the process.
const KERNEL_TLS_OFF: &str = "kernel_tls = false";

const fn row(name: &'static str, measure: fn(&Bed) -> Result<Measured>) -> Row {
    Row {
        name,
        measure,
        shape: Shape::USUAL,
    }
}

fn cost(cost: Result<Cost>) -> Result<Measured> {
    cost.map(Measured::Cost)
}

/// The daemon, sealing in its process.
pub(super) fn ours(bed: &Bed) -> Result<Measured> {
    let listener = if bed.daemon_knows(KERNEL_TLS_OFF)? {
        KERNEL_TLS_OFF
    } else {
        ""
    };
    let peer = bed.daemon(LOCALHOST, Framing::Tls13, listener)?;
    cost(deliver(bed, &peer, Kernel::Nothing))
}

/// nginx, sealing in its process.
pub(super) fn nginx(bed: &Bed) -> Result<Measured> {
    cost(deliver(bed, &bed.nginx(Some(""))?, Kernel::Nothing))
}

/// The daemon through the emulated card, to viewers at the other end of the cable.
fn through(bed: &Bed, framing: Framing, listener: &str, kernel: Kernel) -> Result<Measured> {
    if let Err(error) = cable::lay() {
        return Ok(Measured::Skipped(format!("no emulated card: {error:#}")));
    }
    let peer = bed.daemon(cable::NEAR, framing, listener)?;
    cost(cable::at_the_far_end(|| deliver(bed, &peer, kernel)))
}

/// The bare program over loopback.
fn bare(bed: &Bed, orders: &Orders) -> Result<Measured> {
    let kernel = match orders.framing {
        Framing::Plain => Kernel::Nothing,
        _ => Kernel::Software,
    };
    cost(deliver(bed, &bed.bare(orders)?, kernel))
}

/// The bare program through the emulated card, to viewers at the other end of the cable.
fn card(bed: &Bed, orders: Orders, zero_copy: bool) -> Result<Measured> {
    let kernel = match orders.framing {
        Framing::Plain => Kernel::Nothing,
        _ => Kernel::Device,
    };
    if let Err(error) = cable::lay() {
        return Ok(Measured::Skipped(format!("no emulated card: {error:#}")));
    }
    let peer = bed.bare(&orders.through(cable::NEAR, zero_copy))?;
    cost(cable::at_the_far_end(|| deliver(bed, &peer, kernel)))
}
