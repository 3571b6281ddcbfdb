//! A tap: a forwarder between a client and a server that keeps what the server sent.

use anyhow::{Context, Result, ensure};
use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::thread::{JoinHandle, spawn};

const CHANGE_CIPHER_SPEC: u8 = 20;
const APPLICATION_DATA: u8 = 23;
/// Type, version and length.
const HEADER: usize = 5;
/// The explicit part of a nonce (RFC 5288).
const NONCE: usize = 8;

/// A tap on one connection.
pub(crate) struct Tap {
    pub(crate) address: SocketAddr,
    forwarder: JoinHandle<Result<Vec<u8>>>,
}

impl Tap {
    /// Waits for a connection and forwards it to `server`.
    pub(crate) fn on(server: SocketAddr) -> Result<Tap> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let forwarder = spawn(move || {
            let (client, _) = listener.accept()?;
            forward(client, TcpStream::connect(server)?)
        });
        Ok(Tap { address, forwarder })
    }

    /// What the server has sent, once the connection is over.
    pub(crate) fn sent(self) -> Result<Vec<u8>> {
        let sent = self.forwarder.join().ok();
        sent.context("the tap has panicked")?
    }
}

fn forward(client: TcpStream, server: TcpStream) -> Result<Vec<u8>> {
    let (mut from, mut to) = (client.try_clone()?, server.try_clone()?);
    let upward = spawn(move || {
        let _ = std::io::copy(&mut from, &mut to);
        let _ = to.shutdown(Shutdown::Write);
    });
    let (mut from, mut to, mut kept) = (server, client, Vec::new());
    let mut room = vec![0; 64 << 10];
    loop {
        let got = from.read(&mut room).unwrap_or(0);
        if got == 0 || to.write_all(&room[..got]).is_err() {
            break;
        }
        kept.extend_from_slice(&room[..got]);
    }
    let _ = to.shutdown(Shutdown::Both);
    let _ = from.shutdown(Shutdown::Both);
    let _ = upward.join();
    Ok(kept)
}

/// The explicit nonces of a TLS 1.2 server's AES-GCM records: how many, all of them different.
pub(crate) fn nonces(sent: &[u8]) -> Result<usize> {
    let (mut at, mut sealed, mut count) = (0, false, 0);
    let (mut seen, mut data) = (BTreeSet::new(), 0);
    while let Some(header) = sent.get(at..at + HEADER) {
        let length = usize::from(u16::from_be_bytes([header[3], header[4]]));
        let Some(body) = sent.get(at + HEADER..at + HEADER + length) else {
            break;
        };
        if sealed {
            let nonce = body.get(..NONCE).context("a record without a nonce")?;
            ensure!(seen.insert(nonce.to_vec()), "{nonce:02x?} comes twice");
            count += 1;
            data += usize::from(header[0] == APPLICATION_DATA);
        }
        sealed |= header[0] == CHANGE_CIPHER_SPEC;
        at += HEADER + length;
    }
    ensure!(data > 0, "no sealed data among {} bytes", sent.len());
    // Finished is among them: it is the record whose nonce a wrong hand-over uses again.
    ensure!(count > data, "no Finished among {count} records");
    Ok(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(kind: u8, nonce: u8) -> Vec<u8> {
        let mut record = vec![kind, 3, 3, 0, 9];
        record.extend([nonce; NONCE]);
        record.push(0);
        record
    }

    /// A nonce that comes twice is found; records before the change of ciphers have none.
    #[test]
    fn finds_a_nonce_again() {
        let wire = |nonces: [u8; 3]| {
            let kinds = [
                (CHANGE_CIPHER_SPEC, nonces[0]),
                (22, nonces[0]),
                (23, nonces[1]),
            ];
            let mut wire: Vec<u8> = kinds.into_iter().flat_map(|(k, n)| record(k, n)).collect();
            wire.extend(record(APPLICATION_DATA, nonces[2]));
            wire
        };
        assert_eq!(nonces(&wire([1, 2, 3])).unwrap(), 3);
        assert!(nonces(&wire([1, 1, 3])).is_err());
        assert!(nonces(&wire([1, 2, 2])).is_err());
        assert!(nonces(&[]).is_err());
    }
}
