//! A thread for each connection, which waits inside of `send`.

use super::{Orders, Source, asked, prepare};
use anyhow::Result;
use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::thread;

/// Serves until it is ended.
pub(super) fn serve(listener: &TcpListener, source: &Source, orders: &Orders) -> Result<()> {
    loop {
        let (socket, _) = listener.accept()?;
        prepare(&socket, orders)?;
        let (memory, size) = (source.memory, orders.size);
        // Who hangs up ends its thread alone.
        thread::spawn(move || drop(deliver(&socket, memory, size)));
    }
}

fn deliver(mut socket: &TcpStream, memory: &[u8], size: usize) -> Result<()> {
    while asked(socket)? {
        for piece in memory.chunks(size) {
            socket.write_all(piece)?;
        }
    }
    Ok(())
}
