//! Socket options that rustix has no functions for.

use std::io;
use std::os::fd::{AsFd, AsRawFd};

/// Reads a socket option into `value`; how many bytes of it there are.
pub(crate) fn get_option(
    socket: impl AsFd,
    level: u32,
    option: u32,
    value: &mut [u8],
) -> io::Result<usize> {
    let raw = socket.as_fd().as_raw_fd();
    let pointer = value.as_mut_ptr().cast();
    let mut length = value.len() as libc::socklen_t;
    let read = &raw mut length;
    // SAFETY: the descriptor is borrowed for the call, and `pointer` points at `length` bytes.
    let result = unsafe { libc::getsockopt(raw, level as i32, option as i32, pointer, read) };
    if result == 0 {
        Ok(length as usize)
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Bytes that a TCP socket was given and its peer has not acknowledged.
pub(crate) fn unacknowledged(socket: impl AsFd) -> io::Result<u64> {
    let mut bytes: libc::c_int = 0;
    let raw = socket.as_fd().as_raw_fd();
    // SAFETY: the descriptor is borrowed for the call, which writes one int.
    let result = unsafe { libc::ioctl(raw, libc::TIOCOUTQ, &raw mut bytes) };
    if result == 0 {
        Ok(bytes as u64)
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Sets a socket option that is a string of bytes.
pub(crate) fn set_option(
    socket: impl AsFd,
    level: u32,
    option: u32,
    value: &[u8],
) -> io::Result<()> {
    let raw = socket.as_fd().as_raw_fd();
    let pointer = value.as_ptr().cast();
    let length = value.len() as libc::socklen_t;
    // SAFETY: the descriptor is borrowed for the call, and `pointer` points at `length` bytes.
    let result = unsafe { libc::setsockopt(raw, level as i32, option as i32, pointer, length) };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}
