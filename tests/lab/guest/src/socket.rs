//! What no safe library offers of sockets: handing TLS to the kernel, lending pages to a pipe, and
//! io_uring.
//! The only file of this crate with `unsafe`.

#![allow(unsafe_code)]

use anyhow::{Context, Result};
use io_uring::types::Fd;
use io_uring::{IoUring, opcode, squeue};
use std::io::Error;
use std::os::fd::{AsFd, AsRawFd};

/// `TCP_ULP`, `TLS_TX`, `TLS_RX` and others of `linux/tcp.h` and `linux/tls.h`.
const TCP_ULP: i32 = 31;
const TLS_TX: i32 = 1;
const TLS_RX: i32 = 2;
const TLS_TX_ZEROCOPY_RO: i32 = 3;
const TLS_SET_RECORD_TYPE: i32 = 1;
const AES_GCM_128: u16 = 51;

/// Which way a key is for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Way {
    Send,
    Receive,
}

/// Hands a connected socket's TLS to the kernel, with AES-128-GCM and a key that every caller in
/// the lab knows: it hides nothing. `version` is as on the wire (0x0304 is TLS 1.3).
pub(crate) fn kernel_tls(socket: impl AsFd, way: Way, version: u16) -> Result<()> {
    // struct tls12_crypto_info_aes_gcm_128: version, cipher, IV, key, salt, record number.
    let mut info = [7; 40];
    info[..2].copy_from_slice(&version.to_ne_bytes());
    info[2..4].copy_from_slice(&AES_GCM_128.to_ne_bytes());
    info[32..].fill(0);
    kernel_tls_with(socket, way, &info)
}

/// The same with a key of one's own: `struct tls12_crypto_info_aes_gcm_128`.
pub(crate) fn kernel_tls_with(socket: impl AsFd, way: Way, info: &[u8; 40]) -> Result<()> {
    set(&socket, libc::SOL_TCP, TCP_ULP, b"tls").context("TCP_ULP")?;
    let name = match way {
        Way::Send => TLS_TX,
        Way::Receive => TLS_RX,
    };
    set(&socket, libc::SOL_TLS, name, info).context("TLS_TX or TLS_RX")
}

/// Sends a record of another kind than application data on a socket whose sending side is the kernel's.
pub(crate) fn send_record(socket: impl AsFd, kind: u8, bytes: &[u8]) -> std::io::Result<()> {
    /// One control message with a byte in it, laid out as CMSG_SPACE(1) bytes.
    #[repr(C)]
    struct Control {
        length: usize,
        level: i32,
        name: i32,
        kind: u8,
    }
    let mut control = Control {
        length: std::mem::offset_of!(Control, kind) + 1,
        level: libc::SOL_TLS,
        name: TLS_SET_RECORD_TYPE,
        kind,
    };
    let mut piece = libc::iovec {
        iov_base: bytes.as_ptr().cast_mut().cast(),
        iov_len: bytes.len(),
    };
    // SAFETY: all zeros is a header that describes nothing.
    let mut header: libc::msghdr = unsafe { std::mem::zeroed() };
    (header.msg_iov, header.msg_iovlen) = (&raw mut piece, 1);
    header.msg_control = (&raw mut control).cast();
    header.msg_controllen = size_of::<Control>();
    let socket = socket.as_fd().as_raw_fd();
    // SAFETY: the header and what it points at live through the call, and the kernel only reads them.
    let sent = unsafe { libc::sendmsg(socket, &raw const header, libc::MSG_NOSIGNAL) };
    usize::try_from(sent).map_or_else(|_| Err(Error::last_os_error()), |_| Ok(()))
}

/// Lets a network card read a TLS socket's pages when it sends them, instead of copies.
pub(crate) fn zero_copy(socket: impl AsFd) -> Result<()> {
    let on = 1_i32.to_ne_bytes();
    set(&socket, libc::SOL_TLS, TLS_TX_ZEROCOPY_RO, &on).context("TLS_TX_ZEROCOPY_RO")
}

fn set(socket: &impl AsFd, level: i32, name: i32, value: &[u8]) -> Result<()> {
    let socket = socket.as_fd().as_raw_fd();
    let length = u32::try_from(value.len())?;
    // SAFETY: the kernel reads `length` bytes at `value`, which lives through the call.
    let result = unsafe { libc::setsockopt(socket, level, name, value.as_ptr().cast(), length) };
    if result == 0 {
        return Ok(());
    }
    Err(Error::last_os_error().into())
}

/// Lends the pages of `bytes` to a pipe, which never blocks: how many bytes of them. They are
/// never written to, and stay for ever, so whoever reads the pipe later finds what is here now.
pub(crate) fn lend(pipe: impl AsFd, bytes: &'static [u8]) -> std::io::Result<usize> {
    let piece = libc::iovec {
        iov_base: bytes.as_ptr().cast_mut().cast(),
        iov_len: bytes.len(),
    };
    let pipe = pipe.as_fd().as_raw_fd();
    // SAFETY: the kernel reads one iovec, and lends pages for reading that are never unmapped.
    let lent = unsafe { libc::vmsplice(pipe, &raw const piece, 1, libc::SPLICE_F_NONBLOCK) };
    usize::try_from(lent).map_err(|_| Error::last_os_error())
}

/// Has a ring tell when a descriptor can be read from.
pub(crate) fn ring_readable(ring: &mut IoUring, from: impl AsFd, number: u64) -> Result<()> {
    let from = Fd(from.as_fd().as_raw_fd());
    let entry = opcode::PollAdd::new(from, libc::POLLIN as u32).build();
    push(ring, &entry.user_data(number))
}

/// Has a ring send bytes, which stay for ever.
pub(crate) fn ring_send(
    ring: &mut IoUring,
    to: impl AsFd,
    bytes: &'static [u8],
    number: u64,
) -> Result<()> {
    let to = Fd(to.as_fd().as_raw_fd());
    let length = u32::try_from(bytes.len())?;
    let send = opcode::Send::new(to, bytes.as_ptr(), length);
    // Kernel TLS knows no MSG_WAITALL: a short send is the caller's to go on with.
    let entry = send.flags(libc::MSG_NOSIGNAL).build();
    push(ring, &entry.user_data(number))
}

fn push(ring: &mut IoUring, entry: &squeue::Entry) -> Result<()> {
    // SAFETY: the only memory that an entry of this file names is never freed nor written to.
    let pushed = unsafe { ring.submission().push(entry) };
    pushed.context("the ring is full")
}
