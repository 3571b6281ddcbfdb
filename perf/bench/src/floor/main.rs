//! The floor program: accepts, shakes hands, seals and sends; and nothing else.
//!
//! What the daemon's delivery is measured against: the same handshake and the same sealing code
//! (`zonecast_dataplane::tls`) out of the same kind of memory, but no parsing, no leases, no
//! limits, no counters, no time-outs. Any record that comes is a request, and the answer is a
//! fixed head and the connection's next object. One thread, edge-triggered epoll, `send(2)`.
#![forbid(unsafe_code)]

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;

mod acceptor;
mod answer;
mod connection;
mod memory;
mod server;

use answer::Answers;
use memory::Memory;
use server::Server;

/// Seals and sends objects to whoever connects.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// Where to listen
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: SocketAddr,
    /// The objects: all files of this folder, in the order of their names
    #[arg(long, value_name = "FOLDER")]
    objects: PathBuf,
    /// Records of 16 KiB in one send
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=16))]
    records: u8,
    /// PEM; without a certificate and its key, plain HTTP
    #[arg(long, value_name = "FILE", requires = "key")]
    chain: Option<PathBuf>,
    /// PEM
    #[arg(long, value_name = "FILE", requires = "chain")]
    key: Option<PathBuf>,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("floor: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<()> {
    let acceptor = match (&arguments.chain, &arguments.key) {
        (Some(chain), Some(key)) => Some(acceptor::make(chain, key)?),
        _ => None,
    };
    let memory = Memory::read(&arguments.objects)?;
    eprintln!("floor: objects in {} pages", memory.pages());
    let answers = Answers::new(memory, usize::from(arguments.records));
    Server::listen(arguments.listen, acceptor, answers)?.run()
}
