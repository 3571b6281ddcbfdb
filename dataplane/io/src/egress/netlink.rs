//! Netlink messages, as much of them as the questions of this folder need.
//!
//! Written here rather than taken from a crate for one reason: of each message a few attributes are
//! wanted, and everything else (longer structures of newer kernels, attributes that nobody knows)
//! must be stepped over, never be an error. Layouts are those of `linux/netlink.h`.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{
    AddressFamily, Protocol, RecvFlags, SendFlags, SocketFlags, SocketType, bind, recv, send,
    socket_with,
};

/// NLM_F_REQUEST.
const REQUEST: u16 = 1;
/// NLM_F_ACK: the answer ends with a message of its own, of kind [`ERROR`].
const ACK: u16 = 4;
/// NLM_F_DUMP: all there is; the answer ends with [`DONE`].
const DUMP: u16 = 0x300;
/// NLM_F_DUMP_INTR: what is listed changed in the meantime.
const INTERRUPTED: u16 = 0x10;
const ERROR: u16 = 2;
const DONE: u16 = 3;
const HEADER_BYTES: usize = 16;
const ATTRIBUTE_HEADER_BYTES: usize = 4;
/// Bits of an attribute's kind that are flags (nested, byte order).
const KIND_MASK: u16 = 0x3fff;
/// More than any message that is asked for; the kernel fills 32 KiB of it with a list.
pub(super) const ANSWER_BYTES_MAX: usize = 64 << 10;
/// How often a list that changed while it was read is read again.
const ATTEMPTS: usize = 8;
/// The kernel answers inside the call that asks; this only keeps a loop from hanging for ever.
const PATIENCE: Duration = Duration::from_secs(1);

/// One message: its kind and what follows the header.
#[derive(Debug, Clone, Copy)]
pub(super) struct Message<'a> {
    pub(super) kind: u16,
    pub(super) flags: u16,
    pub(super) sequence: u32,
    pub(super) body: &'a [u8],
}

/// A message of an answer, kept.
pub(super) struct Answer {
    pub(super) kind: u16,
    pub(super) body: Vec<u8>,
}

/// What is asked.
pub(super) struct Request {
    bytes: Vec<u8>,
    is_dump: bool,
}

impl Request {
    /// For one thing. `fixed` is the structure that this kind of message begins with.
    pub(super) fn one(kind: u16, fixed: &[u8]) -> Request {
        Request::new(kind, REQUEST | ACK, fixed, false)
    }

    /// For a list of all.
    pub(super) fn all(kind: u16, fixed: &[u8]) -> Request {
        Request::new(kind, REQUEST | DUMP, fixed, true)
    }

    fn new(kind: u16, flags: u16, fixed: &[u8], is_dump: bool) -> Request {
        let mut bytes = vec![0; HEADER_BYTES];
        bytes[4..6].copy_from_slice(&kind.to_ne_bytes());
        bytes[6..8].copy_from_slice(&flags.to_ne_bytes());
        bytes.extend_from_slice(fixed);
        pad(&mut bytes);
        Request { bytes, is_dump }
    }

    pub(super) fn attribute(mut self, kind: u16, value: &[u8]) -> Request {
        push_attribute(&mut self.bytes, kind, value);
        self
    }

    fn finish(&mut self, sequence: u32) -> &[u8] {
        let length = self.bytes.len() as u32;
        self.bytes[..4].copy_from_slice(&length.to_ne_bytes());
        self.bytes[8..12].copy_from_slice(&sequence.to_ne_bytes());
        &self.bytes
    }
}

/// Appends an attribute.
pub(super) fn push_attribute(bytes: &mut Vec<u8>, kind: u16, value: &[u8]) {
    let length = (ATTRIBUTE_HEADER_BYTES + value.len()) as u16;
    bytes.extend_from_slice(&length.to_ne_bytes());
    bytes.extend_from_slice(&kind.to_ne_bytes());
    bytes.extend_from_slice(value);
    pad(bytes);
}

fn pad(bytes: &mut Vec<u8>) {
    bytes.resize(bytes.len().next_multiple_of(4), 0);
}

/// The messages of a datagram, up to the first that is cut.
pub(super) fn messages(mut bytes: &[u8]) -> impl Iterator<Item = Message<'_>> {
    std::iter::from_fn(move || {
        let length = u32_at(bytes, 0)? as usize;
        let message = Message {
            kind: u16_at(bytes, 4)?,
            flags: u16_at(bytes, 6)?,
            sequence: u32_at(bytes, 8)?,
            body: bytes.get(HEADER_BYTES..length)?,
        };
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some(message)
    })
}

/// Attributes with their kinds, from `bytes` on, up to the first that is cut.
pub(super) fn attributes(mut bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let length = usize::from(u16_at(bytes, 0)?);
        let kind = u16_at(bytes, 2)? & KIND_MASK;
        let value = bytes.get(ATTRIBUTE_HEADER_BYTES..length)?;
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, value))
    })
}

/// The first attribute of a kind behind a structure of `fixed` bytes.
pub(super) fn attribute(body: &[u8], fixed: usize, kind: u16) -> Option<&[u8]> {
    let mut all = attributes(body.get(fixed..)?);
    Some(all.find(|(found, _)| *found == kind)?.1)
}

pub(super) fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    let bytes = bytes.get(at..at.checked_add(2)?)?;
    Some(u16::from_ne_bytes(bytes.try_into().ok()?))
}

pub(super) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_ne_bytes(bytes.try_into().ok()?))
}

/// A text that ends with the first zero.
pub(super) fn text(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|b| *b == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..end]).into_owned()
}

/// A socket to one part of the kernel, of the network namespace that it was opened in.
pub(super) struct Netlink {
    socket: OwnedFd,
    sequence: AtomicU32,
}

impl Netlink {
    /// For questions (`groups` 0), or subscribed to groups.
    pub(super) fn open(protocol: Option<Protocol>, groups: u32) -> io::Result<Netlink> {
        let flags = SocketFlags::CLOEXEC;
        let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, protocol)?;
        set_socket_timeout(&socket, Timeout::Recv, Some(PATIENCE))?;
        bind(&socket, &SocketAddrNetlink::new(0, groups))?;
        Ok(Netlink {
            socket,
            sequence: AtomicU32::new(0),
        })
    }

    /// Asks, and returns the messages of the answer.
    pub(super) fn ask(&self, mut request: Request) -> io::Result<Vec<Answer>> {
        for _ in 0..ATTEMPTS {
            let sequence = self
                .sequence
                .fetch_add(1, Ordering::Relaxed)
                .wrapping_add(1);
            send(&self.socket, request.finish(sequence), SendFlags::empty())?;
            if let Some(answers) = self.answers(sequence, request.is_dump)? {
                return Ok(answers);
            }
        }
        Err(io::ErrorKind::Interrupted.into())
    }

    /// `None` where the list changed while it was read.
    fn answers(&self, sequence: u32, is_dump: bool) -> io::Result<Option<Vec<Answer>>> {
        let mut buffer = vec![0; ANSWER_BYTES_MAX];
        let (mut answers, mut whole) = (Vec::new(), true);
        loop {
            let (_, length) = recv(&self.socket, &mut buffer[..], RecvFlags::TRUNC)?;
            if length > buffer.len() {
                let message = format!("an answer of {length} bytes");
                return Err(io::Error::new(io::ErrorKind::InvalidData, message));
            }
            // Older ones are the rest of an answer that was given up.
            let ours = messages(&buffer[..length]).filter(|m| m.sequence == sequence);
            for message in ours {
                whole &= message.flags & INTERRUPTED == 0;
                match message.kind {
                    ERROR | DONE => {
                        let code = u32_at(message.body, 0).unwrap_or(0).cast_signed();
                        if code < 0 {
                            return Err(io::Error::from_raw_os_error(-code));
                        }
                        return Ok((whole || !is_dump).then_some(answers));
                    }
                    kind => answers.push(Answer {
                        kind,
                        body: message.body.to_owned(),
                    }),
                }
            }
        }
    }

    /// One datagram without waiting; `None` where there is none.
    pub(super) fn take<'a>(&self, buffer: &'a mut [u8]) -> io::Result<Option<&'a [u8]>> {
        match recv(&self.socket, &mut *buffer, RecvFlags::DONTWAIT) {
            Ok((length, _)) => Ok(Some(&buffer[..length])),
            Err(rustix::io::Errno::AGAIN) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

impl AsFd for Netlink {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Shows that what is written is read back, padded to four bytes.
    #[test]
    fn a_request_is_read_back() {
        let mut request = Request::one(18, &[9, 9])
            .attribute(3, b"eth0\0")
            .attribute(7, &[1]);
        let bytes = request.finish(77).to_vec();
        let all: Vec<_> = messages(&bytes).collect();
        assert_eq!(all.len(), 1);
        assert_eq!((all[0].kind, all[0].sequence), (18, 77));
        let found: Vec<_> = attributes(&all[0].body[4..]).collect();
        assert_eq!(found, [(3, &b"eth0\0"[..]), (7, &[1][..])]);
        assert_eq!(text(attribute(all[0].body, 4, 3).unwrap()), "eth0");
        assert_eq!(attribute(all[0].body, 4, 5), None);
    }

    /// Shows that bytes that are cut anywhere, or lie about their length, end the reading.
    #[test]
    fn what_is_cut_ends_the_reading() {
        let mut request = Request::one(18, &[]).attribute(3, &[7; 20]);
        let bytes = request.finish(1).to_vec();
        for end in 0..bytes.len() {
            assert_eq!(messages(&bytes[..end]).count(), 0, "{end}");
            let _ = attributes(&bytes[..end]).count();
        }
        for length in [0_u16, 1, 3, 65_535] {
            let mut bytes = vec![0; 8];
            bytes[..2].copy_from_slice(&length.to_ne_bytes());
            assert_eq!(attributes(&bytes).count(), 0, "{length}");
        }
        for length in [0_u32, 15, u32::MAX] {
            let mut bytes = vec![0; 32];
            bytes[..4].copy_from_slice(&length.to_ne_bytes());
            assert_eq!(messages(&bytes).count(), 0, "{length}");
        }
    }
}
