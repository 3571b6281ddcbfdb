//! The floor: a program that sends one object over and over and does nothing else. It parses
//! nothing, shakes no hands, counts nothing; it shows what the kernel takes for a byte path.
//!
//! It is a process of its own, this same binary with arguments, so that the kernel keeps its account
//! apart.

mod blocking;
mod uring;

use super::viewer::Framing;
use super::{FOLDER, OBJECT};
use crate::socket::{Way, kernel_tls, lend, zero_copy};
use crate::tool::until;
use anyhow::{Context, Result, bail};
use memmap2::MmapOptions;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::sendfile;
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, recv, send};
use rustix::pipe::{PipeFlags, SpliceFlags, fcntl_setpipe_size, pipe_with, splice};
use std::fs::{self, File};
use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::path::Path;

/// The word by which the first process's binary is this program.
pub(crate) const WORD: &str = "bare";

/// Where it listens.
const PORT: u16 = 7443;

/// A pipe that holds every send in small pages.
const PIPE: usize = 1 << 20;

/// 2^21 bytes.
const HUGE: u8 = 21;

/// How the bytes go.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Method {
    /// `send` from memory in a 2 MiB page.
    Send,
    /// `sendfile` from a file in memory.
    Sendfile,
    /// The same, by a thread for each connection, which waits in it.
    Blocking,
    /// The same, by io_uring, one for all connections.
    Uring,
    /// `vmsplice` of memory in a 2 MiB page into a pipe, `splice` from there.
    Splice,
}

/// What it is to do, as arguments on its command line.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Orders {
    pub(super) method: Method,
    pub(super) framing: Framing,
    /// A network card may read the pages when it sends them.
    pub(super) zero_copy: bool,
    /// Bytes of each call at most.
    pub(super) size: usize,
    pub(super) address: SocketAddr,
}

impl Orders {
    /// A byte path over loopback.
    pub(super) fn new(method: Method, framing: Framing, size: usize) -> Orders {
        Orders {
            method,
            framing,
            zero_copy: false,
            size,
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, PORT)),
        }
    }

    /// The same through a card that has this address.
    pub(super) fn through(mut self, near: Ipv4Addr, zero_copy: bool) -> Orders {
        self.address.set_ip(near.into());
        self.zero_copy = zero_copy;
        self
    }

    pub(super) fn words(&self) -> Vec<String> {
        vec![
            WORD.to_owned(),
            format!("{:?}", self.method),
            format!("{:?}", self.framing),
            self.zero_copy.to_string(),
            self.size.to_string(),
            self.address.to_string(),
        ]
    }

    fn read(words: &[String]) -> Result<Orders> {
        let [_, method, framing, zero_copy, size, address] = words else {
            bail!("bare METHOD FRAMING ZEROCOPY SIZE ADDRESS");
        };
        let methods = [
            Method::Send,
            Method::Sendfile,
            Method::Blocking,
            Method::Uring,
            Method::Splice,
        ];
        let framings = [
            Framing::Plain,
            Framing::Tls13,
            Framing::Tls12,
            Framing::Unsealed,
        ];
        let method = methods.into_iter().find(|m| format!("{m:?}") == *method);
        let framing = framings.into_iter().find(|f| format!("{f:?}") == *framing);
        Ok(Orders {
            method: method.context("no such method")?,
            framing: framing.context("no such framing")?,
            zero_copy: zero_copy.parse()?,
            size: size.parse()?,
            address: address.parse()?,
        })
    }
}

/// Serves until it is ended.
pub(crate) fn serve(words: &[String]) -> Result<()> {
    let orders = Orders::read(words)?;
    let source = Source::open()?;
    // A ring of the program before this one may keep the address for a moment after its end.
    let listener = until("the address", || match TcpListener::bind(orders.address) {
        Err(error) if error.kind() == ErrorKind::AddrInUse => Ok(None),
        bound => Ok(Some(bound?)),
    })?;
    println!("listening");
    match orders.method {
        Method::Blocking => return blocking::serve(&listener, &source, &orders),
        Method::Uring => return uring::serve(&listener, &source, &orders),
        Method::Send | Method::Sendfile | Method::Splice => {}
    }
    let mut viewers: Vec<Viewer> = Vec::new();
    loop {
        let mut looked: Vec<_> = viewers.iter().map(Viewer::looks).collect();
        looked.push(PollFd::new(&listener, PollFlags::IN));
        poll(&mut looked, None)?;
        let ready: Vec<_> = looked.iter().map(|l| !l.revents().is_empty()).collect();
        let mut gone = Vec::new();
        for (at, viewer) in viewers.iter_mut().enumerate().filter(|(at, _)| ready[*at]) {
            if !viewer.turn(&source, &orders)? {
                gone.push(at);
            }
        }
        for at in gone.into_iter().rev() {
            viewers.swap_remove(at);
        }
        if ready.last() == Some(&true) {
            viewers.push(Viewer::accept(&listener, &orders)?);
        }
    }
}

/// The object, where each method takes it from.
struct Source {
    file: File,
    memory: &'static [u8],
}

impl Source {
    fn open() -> Result<Source> {
        let file = Path::new(FOLDER).join(OBJECT);
        let bytes = fs::read(&file)?;
        let mut options = MmapOptions::new();
        options.len(bytes.len()).huge(Some(HUGE)).populate();
        let mut memory = options.map_anon().context("a hugepage")?;
        memory[..bytes.len()].copy_from_slice(&bytes);
        let memory: &'static [u8] = Box::leak(Box::new(memory));
        Ok(Source {
            file: File::open(file)?,
            memory: &memory[..bytes.len()],
        })
    }
}

/// Makes a new connection what the orders say.
fn prepare(socket: &TcpStream, orders: &Orders) -> Result<()> {
    socket.set_nodelay(true)?;
    if let Some(version) = orders.framing.version() {
        kernel_tls(socket, Way::Send, version)?;
    }
    if orders.zero_copy {
        zero_copy(socket)?;
    }
    Ok(())
}

/// Takes the byte that asks for the object; false where the viewer has left.
fn asked(socket: &TcpStream) -> Result<bool> {
    let (_, came) = recv(socket, &mut [0_u8; 1][..], RecvFlags::empty())?;
    Ok(came > 0)
}

struct Viewer {
    socket: TcpStream,
    /// Bytes of the object that are not sent yet; 0 while nothing is asked for.
    left: usize,
    pipe: Option<(OwnedFd, OwnedFd)>,
    /// Bytes in the pipe.
    lent: usize,
}

impl Viewer {
    fn accept(listener: &TcpListener, orders: &Orders) -> Result<Viewer> {
        let (socket, _) = listener.accept()?;
        prepare(&socket, orders)?;
        socket.set_nonblocking(true)?;
        let mut pipe = None;
        if orders.method == Method::Splice {
            let (out, into) = pipe_with(PipeFlags::CLOEXEC)?;
            fcntl_setpipe_size(&into, PIPE)?;
            pipe = Some((out, into));
        }
        Ok(Viewer {
            socket,
            left: 0,
            pipe,
            lent: 0,
        })
    }

    fn looks(&self) -> PollFd<'_> {
        let what = if self.left > 0 {
            PollFlags::OUT
        } else {
            PollFlags::IN
        };
        PollFd::new(&self.socket, what)
    }

    /// Sends as much as the socket takes; false where the viewer has left.
    fn turn(&mut self, source: &Source, orders: &Orders) -> Result<bool> {
        if self.left == 0 {
            if !asked(&self.socket)? {
                return Ok(false);
            }
            self.left = source.memory.len();
        }
        while self.left > 0 {
            match self.send(source, orders) {
                Ok(0) => bail!("nothing was sent"),
                Ok(sent) => self.left -= sent,
                Err(Errno::AGAIN) => break,
                Err(Errno::CONNRESET | Errno::PIPE) => return Ok(false),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(true)
    }

    fn send(&mut self, source: &Source, orders: &Orders) -> rustix::io::Result<usize> {
        let at = source.memory.len() - self.left;
        let end = source.memory.len().min(at + orders.size);
        match (&self.pipe, orders.method) {
            (Some((out, into)), Method::Splice) => {
                if self.lent == 0 {
                    let lent = lend(into, &source.memory[at..end]);
                    self.lent = lent.map_err(|e| Errno::from_io_error(&e).unwrap_or(Errno::IO))?;
                }
                let flags = SpliceFlags::NONBLOCK;
                let sent = splice(out, None, &self.socket, None, self.lent, flags)?;
                self.lent -= sent;
                Ok(sent)
            }
            (_, Method::Sendfile) => {
                let mut offset = at as u64;
                sendfile(&self.socket, &source.file, Some(&mut offset), end - at)
            }
            _ => send(&self.socket, &source.memory[at..end], SendFlags::NOSIGNAL),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Orders come through a command line as they were given.
    #[test]
    fn orders_are_words() {
        let orders = Orders::new(Method::Splice, Framing::Tls12, 65536);
        let orders = orders.through(Ipv4Addr::new(10, 5, 0, 1), true);
        assert_eq!(Orders::read(&orders.words()).unwrap(), orders);
        assert!(Orders::read(&orders.words()[1..]).is_err());
    }
}
