//! Is it worth registering send buffers? One connection over loopback, CPU seconds of the
//! sending thread per GB, by operation and size:
//!
//! ```text
//! cargo run --release -p zonecast-io --example fixed_buffers
//! ```
//!
//! `SEND` from plain memory against `WRITE_FIXED` from registered memory (which takes no
//! MSG flags; `SEND` with a registered buffer is refused by kernels before 7.x).

use std::io;
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsRawFd;

use io_uring::{IoUring, opcode, squeue, types::Fd};

const BUFFERS: usize = 64;
const BUFFER_BYTES: usize = 64 << 10;
const BYTES: usize = 1_000_000_000;
const ROUNDS: usize = 5;

fn main() -> io::Result<()> {
    let mut ring: IoUring = IoUring::builder()
        .setup_single_issuer()
        .setup_defer_taskrun()
        .build(8)?;
    let mut buffers = vec![[7u8; BUFFER_BYTES]; BUFFERS];
    let list: Vec<libc::iovec> = buffers.iter_mut().map(iovec).collect();
    // SAFETY: `buffers` is neither moved nor freed before the ring, which is dropped first.
    unsafe { ring.submitter().register_buffers(&list) }?;
    let socket = connected_to_a_sink()?;
    let fd = Fd(socket.as_raw_fd());
    for round in 0..=ROUNDS {
        for bytes in [16 << 10, 48 << 10] {
            let send = |n: usize| {
                let flags = libc::MSG_WAITALL | libc::MSG_NOSIGNAL;
                opcode::Send::new(fd, list[n].iov_base.cast(), bytes)
                    .flags(flags)
                    .build()
            };
            let write = |n: usize| {
                opcode::WriteFixed::new(fd, list[n].iov_base.cast(), bytes, n as u16).build()
            };
            let (plain, fixed) = (measure(&mut ring, send)?, measure(&mut ring, write)?);
            if round > 0 {
                println!("{bytes:>6} bytes: SEND {plain:.3}, WRITE_FIXED {fixed:.3} CPU s/GB");
            }
        }
    }
    drop(ring);
    Ok(())
}

/// CPU seconds per GB of sending with what `entry` makes for each buffer in turn.
fn measure(ring: &mut IoUring, entry: impl Fn(usize) -> squeue::Entry) -> io::Result<f64> {
    let (started, mut sent, mut turn) = (cpu_seconds()?, 0, 0);
    while sent < BYTES {
        turn = (turn + 1) % BUFFERS;
        // SAFETY: the buffer lives as long as the program, and the socket as long as `main`.
        unsafe { ring.submission().push(&entry(turn)) }.expect("one entry at a time");
        ring.submit_and_wait(1)?;
        let result = ring
            .completion()
            .next()
            .expect("one was waited for")
            .result();
        sent += usize::try_from(result).map_err(|_| io::Error::from_raw_os_error(-result))?;
    }
    Ok((cpu_seconds()? - started) / (sent as f64 / 1e9))
}

fn iovec(buffer: &mut [u8; BUFFER_BYTES]) -> libc::iovec {
    libc::iovec {
        iov_base: buffer.as_mut_ptr().cast(),
        iov_len: BUFFER_BYTES,
    }
}

/// A connection whose other end lets the kernel drop what comes.
fn connected_to_a_sink() -> io::Result<TcpStream> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let sink = TcpStream::connect(listener.local_addr()?)?;
    std::thread::spawn(move || {
        let mut room = vec![0u8; 1 << 20];
        // SAFETY: `room` is as long as is said; with MSG_TRUNC nothing is even written to it.
        while unsafe {
            libc::recv(
                sink.as_raw_fd(),
                room.as_mut_ptr().cast(),
                room.len(),
                libc::MSG_TRUNC,
            )
        } > 0
        {}
    });
    Ok(listener.accept()?.0)
}

fn cpu_seconds() -> io::Result<f64> {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Ok(time.tv_sec as f64 + time.tv_nsec as f64 / 1e9)
}
