//! The way of pages into a socket without a copy: lent to a pipe (vmsplice), moved on (splice).
//!
//! Both calls are made on the loop, and neither waits: io_uring would hand each splice to a worker
//! thread. The pipe is empty between two calls, so one serves all connections of a loop.
//!
//! Measured in the lab's guest, where time is instructions (`cargo xtask lab bench`, rows *card, not
//! copied*): 1.28 a byte with 256 KiB a call, 2.54 with 64 KiB, so the pipe is made large; `sendfile`
//! from a ring in tmpfs takes 1.34, and would need rings in two kinds of memory.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;
use rustix::pipe::{
    IoSliceRaw, PipeFlags, SpliceFlags, fcntl_setpipe_size, pipe_with, splice, vmsplice,
};

/// Room for 256 pages of 4 KiB, each of which takes a place.
const PIPE_BYTES: usize = 1 << 20;

pub(super) struct Pipe {
    /// `None` while there is none: a pipe that could not be emptied has gone.
    ends: Option<Ends>,
    /// Where pages go that a socket has no room for.
    nowhere: File,
}

struct Ends {
    into: OwnedFd,
    out: OwnedFd,
}

impl Pipe {
    pub(super) fn open() -> io::Result<Pipe> {
        Ok(Pipe {
            ends: Some(Ends::open()?),
            nowhere: File::options().write(true).open("/dev/null")?,
        })
    }

    /// Moves the pages of `length` bytes into a socket, as far as it has room; how many bytes that is.
    /// A socket that is not O_NONBLOCK is waited for: SPLICE_F_NONBLOCK speaks of the pipe alone. `more`
    /// bytes are there to follow. A peer that is gone is a SIGPIPE, which Rust's programs ignore.
    ///
    /// # Safety
    /// The bytes stay mapped for the call. Whoever reads the socket's pages later finds them as they are
    /// now only if nobody changes them.
    pub(super) unsafe fn move_into(
        &mut self,
        socket: BorrowedFd<'_>,
        start: *const u8,
        length: usize,
        more: bool,
    ) -> io::Result<usize> {
        let ends = match self.ends.take() {
            Some(ends) => ends,
            None => Ends::open()?,
        };
        // SAFETY: the bytes are mapped, as the caller has promised.
        let bytes = unsafe { std::slice::from_raw_parts(start, length) };
        let slice = [IoSliceRaw::from_slice(bytes)];
        // SAFETY: as above; the kernel only reads them.
        let lent = unsafe { vmsplice(&ends.into, &slice, SpliceFlags::NONBLOCK) }?;
        let more = match more {
            true => SpliceFlags::MORE,
            false => SpliceFlags::empty(),
        };
        let moved = ends.splice_to(socket, lent, more);
        // Another viewer must never get what is left: without this the pipe goes, and that with it.
        if ends.empty(&self.nowhere, lent - moved.unwrap_or(0)) {
            self.ends = Some(ends);
        }
        match moved {
            Err(Errno::AGAIN | Errno::INTR) => Ok(0),
            moved => Ok(moved?),
        }
    }
}

impl Ends {
    fn open() -> io::Result<Ends> {
        let (out, into) = pipe_with(PipeFlags::CLOEXEC)?;
        // A smaller one only costs more calls.
        let _ = fcntl_setpipe_size(&into, PIPE_BYTES);
        Ok(Ends { into, out })
    }

    fn splice_to(
        &self,
        to: impl AsFd,
        length: usize,
        more: SpliceFlags,
    ) -> rustix::io::Result<usize> {
        let flags = SpliceFlags::NONBLOCK | more;
        splice(&self.out, None, to, None, length, flags)
    }

    /// Drops so many bytes that the pipe still has; false where it could not.
    fn empty(&self, nowhere: &File, mut left: usize) -> bool {
        while left > 0 {
            match self.splice_to(nowhere, left, SpliceFlags::empty()) {
                Ok(dropped) if dropped > 0 => left -= dropped,
                _ => return false,
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;
    use std::net::{TcpListener, TcpStream};

    /// Shows that a socket gets the bytes in order, as far as it has room, and that what it had no room
    /// for is in nobody's way afterwards.
    #[test]
    fn a_socket_gets_what_it_has_room_for_and_the_next_gets_its_own() {
        let bytes: Vec<u8> = (0..1_usize << 18).map(|n| (n / 7) as u8).collect();
        let mut pipe = Pipe::open().unwrap();
        let mut lend = |to: &TcpStream, from: usize| {
            let rest = &bytes[from..];
            // SAFETY: the bytes live through the test, and nobody changes them.
            unsafe { pipe.move_into(to.as_fd(), rest.as_ptr(), rest.len(), false) }.unwrap()
        };
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let pair = || {
            let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            near.set_nonblocking(true).unwrap();
            (near, listener.accept().unwrap().0)
        };
        let ((full, mut reader), mut given) = (pair(), 0);
        loop {
            match lend(&full, given % 1000) {
                0 => break,
                n => given += n,
            }
        }
        let (other, mut other_reader) = pair();
        let taken = lend(&other, 5);
        assert!(taken > 0);
        drop((full, other));
        let mut came = Vec::new();
        other_reader.read_to_end(&mut came).unwrap();
        assert!(came == bytes[5..5 + taken], "{taken} other bytes");
        came.clear();
        reader.read_to_end(&mut came).unwrap();
        assert_eq!(came.len(), given);
    }
}
