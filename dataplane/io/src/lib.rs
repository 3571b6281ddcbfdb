//! The completion drivers of a loop, below the pipeline and beside the ring.
//!
//! [`driver`] is what a loop sees: one trait, [`Driver`], of owned operations and their
//! completions. [`pool`] holds the buffers that travel through it, [`wake`] ends a loop's wait from
//! another thread, [`listen`] makes listening sockets, [`kernel_tls`] says what the kernel can seal,
//! [`egress`] tells by which device a connection leaves and who seals it, and [`uring`] is the driver that runs in
//! production; [`sim`] is the seeded simulation of it. This crate knows sockets and bytes; it knows
//! no protocol, no ring and no viewer.

pub mod driver;
pub mod egress;
pub mod kernel_tls;
pub mod listen;
mod memory;
pub mod pool;
pub mod sim;
mod socket_option;
pub mod uring;
pub mod wake;

pub use driver::{
    Completion, Conn, Driver, Event, Leaving, ListenerId, OpId, Outgoing, Owed, RECORD_MESSAGE_MAX,
    Time, Token,
};
pub use kernel_tls::{KernelKey, KernelTls, TlsCipher, TlsVersion};
pub use pool::{BUFFER_BYTES, BURST_BYTES, Buffer, Received};
pub use uring::{Descriptors, RingKind, UringConfig, UringDriver, UringStats};
pub use wake::Waker;
