//! How much of what a connection was given is acknowledged, counted in records on the wire.
//!
//! The kernel counts wire bytes, and we count what we gave: between the two lies what each record adds.
//! How many records there are is not ours to say. A record has 16 KiB, unless the socket ran out of
//! room or memory; so for what lies in the midst we take as many as there can be, which errs towards
//! keeping pages longer. Where everything may be acknowledged, the number of the next record, which
//! the kernel tells, makes it exact.
//!
//! SIOCOUTQ would not do: it does not know of a record that was sealed, and counted as taken, but found
//! no room in the socket. Acknowledged bytes (TCP_INFO) err in no direction.

use std::io;
use std::os::fd::BorrowedFd;

use zeroize::Zeroize;

use crate::kernel_tls::{
    INFO_BYTES, KEY_BYTES_MAX, SEQUENCE, SOL_TLS, TLS_TX, TlsCipher, TlsVersion,
};
use crate::socket_option::{get_option, unacknowledged};

/// What a record of TLS 1.2 with AES-GCM adds: header, explicit nonce, tag.
const RECORD_ADDS: u64 = 29;
const RECORD_BYTES: u64 = 16 << 10;
/// Records of a call that may be shorter, at most: the one that was open before it, and its last.
const SHORT_RECORDS_MAX: u64 = 2;
/// Where `struct tcp_info` (`linux/tcp.h`) has the bytes that were acknowledged.
const BYTES_ACKED: usize = 120;
/// Reads of a moment's counters, which an acknowledgement in between makes worthless.
const READS_MAX: usize = 16;

/// A connection's account. All counts are since its beginning.
#[derive(Debug)]
pub(super) struct Wire {
    /// Wire bytes of the connection before it.
    base: u64,
    /// The number of its first record.
    first: u64,
    /// Bytes that the socket has taken, and in how many calls.
    payload: u64,
    calls: u64,
    /// Bytes of the kernel's structure for the key.
    info_bytes: usize,
}

impl Wire {
    /// For a connection that the kernel seals, and that was given nothing since it does.
    pub(super) fn open(socket: BorrowedFd<'_>) -> io::Result<Wire> {
        let mut info = [0; INFO_BYTES];
        get_option(socket, SOL_TLS, TLS_TX, &mut info)?;
        let info_bytes = known(info).ok_or(io::ErrorKind::Unsupported)?.info_bytes();
        Ok(Wire {
            base: written(socket)?,
            first: next_record(socket, info_bytes)?,
            payload: 0,
            calls: 0,
            info_bytes,
        })
    }

    /// The socket has taken so many bytes in one call.
    pub(super) fn took(&mut self, bytes: usize) {
        self.payload += bytes as u64;
        self.calls += 1;
    }

    /// Where the record in which all that was taken ends has its own end, at the latest.
    pub(super) fn end_at_latest(&self) -> u64 {
        let records = self.payload / RECORD_BYTES + SHORT_RECORDS_MAX * self.calls + 1;
        self.payload + RECORD_BYTES + RECORD_ADDS * records
    }

    /// Wire bytes that the peer has acknowledged.
    pub(super) fn acknowledged(&self, socket: BorrowedFd<'_>) -> io::Result<u64> {
        Ok(bytes_acked(socket)?.saturating_sub(self.base))
    }

    /// Whether all that was taken is `acknowledged`; if so, the account begins anew.
    pub(super) fn is_settled(
        &mut self,
        socket: BorrowedFd<'_>,
        acknowledged: u64,
    ) -> io::Result<bool> {
        if acknowledged < self.payload + RECORD_ADDS * (self.payload / RECORD_BYTES) {
            return Ok(false);
        }
        let next = next_record(socket, self.info_bytes)?;
        let wire = self.payload + RECORD_ADDS * next.wrapping_sub(self.first);
        // One more where our end of the stream is acknowledged, too.
        if acknowledged > wire + 1 {
            let said = format!("{acknowledged} bytes are acknowledged of {wire}");
            return Err(io::Error::new(io::ErrorKind::InvalidData, said));
        }
        let settled = acknowledged >= wire;
        if settled {
            self.base += wire;
            (self.first, self.payload, self.calls) = (next, 0, 0);
        }
        Ok(settled)
    }
}

/// The cipher, where it is known what a record adds.
fn known(info: [u8; INFO_BYTES]) -> Option<TlsCipher> {
    let [version, cipher] = [0, 2].map(|at| u16::from_ne_bytes([info[at], info[at + 1]]));
    let cipher = TlsCipher::of(cipher)?;
    let is_known = version == TlsVersion::Tls12.number() && cipher != TlsCipher::ChaCha20Poly1305;
    is_known.then_some(cipher)
}

/// Wire bytes that the socket was given.
fn written(socket: BorrowedFd<'_>) -> io::Result<u64> {
    for _ in 0..READS_MAX {
        let before = bytes_acked(socket)?;
        let under_way = unacknowledged(socket)?;
        if bytes_acked(socket)? == before {
            return Ok(before + under_way);
        }
    }
    Err(io::ErrorKind::ResourceBusy.into())
}

fn bytes_acked(socket: BorrowedFd<'_>) -> io::Result<u64> {
    let mut info = [0; BYTES_ACKED + size_of::<u64>()];
    let (level, option) = (libc::IPPROTO_TCP as u32, libc::TCP_INFO as u32);
    let read = get_option(socket, level, option, &mut info)?;
    if read < info.len() {
        return Err(io::ErrorKind::Unsupported.into());
    }
    Ok(u64::from_ne_bytes(last(&info)))
}

/// The number of the record that the kernel seals next. It tells the key as well, which is wiped.
fn next_record(socket: BorrowedFd<'_>, info_bytes: usize) -> io::Result<u64> {
    let mut info = [0; KEY_BYTES_MAX];
    let read = get_option(socket, SOL_TLS, TLS_TX, &mut info[..info_bytes]);
    let number = u64::from_be_bytes(last(&info[..info_bytes]));
    info.zeroize();
    read.map(|_| number)
}

fn last(bytes: &[u8]) -> [u8; SEQUENCE] {
    let tail = bytes.last_chunk();
    *tail.expect("it is longer than a number")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};
    use std::os::fd::AsFd;

    /// Shows that what a piece may end at is never before what it ends at, however the kernel cuts
    /// records: full ones with at most two short ones a call, of 13 bytes before and 16 behind.
    #[test]
    fn the_latest_end_is_no_earlier_than_any_end() {
        let mut account = Wire {
            base: 0,
            first: 0,
            payload: 0,
            calls: 0,
            info_bytes: 40,
        };
        let mut records = 0;
        for bytes in [1_u64, 262_144, 16_384, 70_001, 5, 16_383, 500_000] {
            account.took(bytes as usize);
            // The most that can be: the first byte and the last in records of their own.
            records += bytes.div_ceil(RECORD_BYTES) + 1;
            let worst = account.payload + RECORD_ADDS * records;
            assert!(account.end_at_latest() >= worst, "{bytes}");
        }
    }

    /// Shows that acknowledged bytes are read where the kernel has them, and what is under way beside
    /// them.
    #[test]
    fn acknowledged_bytes_are_found() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut far, _) = listener.accept().unwrap();
        near.write_all(&[1; 1000]).unwrap();
        let mut room = [0; 1000];
        far.read_exact(&mut room).unwrap();
        far.write_all(&[1; 70]).unwrap();
        near.read_exact(&mut room[..70]).unwrap();
        while unacknowledged(&near).unwrap() > 0 || unacknowledged(&far).unwrap() > 0 {
            std::thread::yield_now();
        }
        let (near, far) = (near.as_fd(), far.as_fd());
        // Who connects counts its own SYN in some kernels; who accepts never does.
        let more = bytes_acked(near).unwrap() - 1000;
        assert!(more <= 1, "{more}");
        assert_eq!(bytes_acked(far).unwrap(), 70);
        assert_eq!(written(far).unwrap(), 70);
    }
}
