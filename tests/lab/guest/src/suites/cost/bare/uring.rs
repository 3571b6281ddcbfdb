//! One io_uring for all connections: what there is to send is handed over, and its completion awaited.

use super::{Orders, Source, asked, prepare};
use crate::socket::{ring_readable, ring_send};
use anyhow::{Context, Result};
use io_uring::IoUring;
use std::net::{TcpListener, TcpStream};

/// Entries of the ring's queue.
const ENTRIES: u32 = 64;
/// What the listener's completions are called; connections have the numbers from 0.
const LISTENER: u64 = u64::MAX;

/// A connection, and how much of the object is to be sent; 0 while nothing is asked for.
struct Viewer {
    socket: TcpStream,
    left: usize,
}

/// Serves until it is ended.
pub(super) fn serve(listener: &TcpListener, source: &Source, orders: &Orders) -> Result<()> {
    let mut builder = IoUring::builder();
    builder.setup_single_issuer().setup_defer_taskrun();
    let mut ring = builder.build(ENTRIES).context("io_uring")?;
    let mut viewers: Vec<Option<Viewer>> = Vec::new();
    ring_readable(&mut ring, listener, LISTENER)?;
    loop {
        ring.submit_and_wait(1)?;
        let done: Vec<_> = ring
            .completion()
            .map(|c| (c.user_data(), c.result()))
            .collect();
        for (number, result) in done {
            if number == LISTENER {
                let (socket, _) = listener.accept()?;
                prepare(&socket, orders)?;
                ring_readable(&mut ring, &socket, viewers.len() as u64)?;
                viewers.push(Some(Viewer { socket, left: 0 }));
                ring_readable(&mut ring, listener, LISTENER)?;
                continue;
            }
            let place = &mut viewers[usize::try_from(number)?];
            let viewer = place.as_mut().context("a completion of nobody's")?;
            let stays = match viewer.left {
                0 => asked(&viewer.socket).unwrap_or(false),
                _ => result > 0,
            };
            if !stays {
                *place = None;
                continue;
            }
            viewer.left = match viewer.left {
                0 => source.memory.len(),
                left => left - usize::try_from(result)?,
            };
            if viewer.left == 0 {
                ring_readable(&mut ring, &viewer.socket, number)?;
                continue;
            }
            let at = source.memory.len() - viewer.left;
            let end = source.memory.len().min(at + orders.size);
            ring_send(&mut ring, &viewer.socket, &source.memory[at..end], number)?;
        }
    }
}
