//! Socket options that rustix has no functions for.

use std::io;
use std::os::fd::{AsFd, AsRawFd};

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
