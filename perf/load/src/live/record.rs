//! TLS 1.3 records with TLS_AES_128_GCM_SHA256, after the handshake (RFC 8446 section 5.2):
//! sealed, opened, or passed over. A record that is passed over still counts for the nonce.

use std::io;

use aws_lc_rs::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use rustls::{ClientConnection, ConnectionTrafficSecrets, ExtractedSecrets};

/// Bytes of a record's header.
pub(crate) const HEADER: usize = 5;
/// Bytes of a record beyond its plaintext, without its header: the type and the tag.
const OVERHEAD: usize = 17;
/// Bytes of a record's payload at most.
const PAYLOAD_MAX: usize = 16_384 + 256;
const PLAINTEXT_MAX: usize = 16_384;
const APPLICATION_DATA: u8 = 23;
const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;

/// One direction.
struct Half {
    key: LessSafeKey,
    iv: [u8; 12],
    sequence: u64,
}

impl Half {
    fn new((sequence, secrets): (u64, ConnectionTrafficSecrets)) -> io::Result<Half> {
        let ConnectionTrafficSecrets::Aes128Gcm { key, iv } = secrets else {
            return Err(io::Error::other("a cipher that was not offered"));
        };
        let refused = |_| io::Error::other("the secrets are of another size");
        let key = UnboundKey::new(&AES_128_GCM, key.as_ref()).map_err(refused)?;
        let iv = iv.as_ref().first_chunk().copied();
        Ok(Half {
            key: LessSafeKey::new(key),
            iv: iv.ok_or_else(|| io::Error::other("an IV of another size"))?,
            sequence,
        })
    }

    fn nonce(&mut self) -> Nonce {
        let mut nonce = self.iv;
        for (byte, counted) in nonce[4..].iter_mut().zip(self.sequence.to_be_bytes()) {
            *byte ^= counted;
        }
        self.sequence += 1;
        Nonce::assume_unique_for_key(nonce)
    }
}

/// Both directions of a connection.
pub(crate) struct Records {
    out: Half,
    into: Half,
}

/// What a record holds.
#[derive(Debug, PartialEq)]
pub(crate) enum Opened<'a> {
    /// Bytes of the application.
    Data(&'a [u8]),
    /// A ticket or the like, which means nothing here.
    Other,
    /// The peer has closed.
    Closed,
}

impl Records {
    /// Takes over from rustls, which must hold no bytes of either direction.
    pub(crate) fn take_over(tls: ClientConnection) -> io::Result<Records> {
        let ExtractedSecrets { tx, rx } =
            tls.dangerous_extract_secrets().map_err(io::Error::other)?;
        Ok(Records {
            out: Half::new(tx)?,
            into: Half::new(rx)?,
        })
    }

    /// Seals bytes and appends the records.
    pub(crate) fn seal(&mut self, plain: &[u8], wire: &mut Vec<u8>) -> io::Result<()> {
        for piece in plain.chunks(PLAINTEXT_MAX) {
            let payload = (piece.len() + OVERHEAD) as u16;
            let [high, low] = payload.to_be_bytes();
            let header = [APPLICATION_DATA, 3, 3, high, low];
            let mut record = piece.to_vec();
            record.push(APPLICATION_DATA);
            let nonce = self.out.nonce();
            let sealed =
                self.out
                    .key
                    .seal_in_place_append_tag(nonce, Aad::from(header), &mut record);
            sealed.map_err(|_| io::Error::other("a record cannot be sealed"))?;
            wire.extend_from_slice(&header);
            wire.extend_from_slice(&record);
        }
        Ok(())
    }

    /// Opens a whole record, its header included.
    pub(crate) fn open<'a>(&mut self, record: &'a mut [u8]) -> Result<Opened<'a>, String> {
        let (header, payload) = record.split_at_mut(HEADER);
        let nonce = self.into.nonce();
        let plain = self
            .into
            .key
            .open_in_place(nonce, Aad::from(header), payload);
        let plain = plain.map_err(|_| "a record that cannot be opened".to_owned())?;
        // Padding is zeros behind the type.
        let end = plain.iter().rposition(|byte| *byte != 0);
        let end = end.ok_or("a record without a type")?;
        match plain[end] {
            APPLICATION_DATA => Ok(Opened::Data(&plain[..end])),
            ALERT if plain[..end] == [1, 0] => Ok(Opened::Closed),
            // KeyUpdate (24) would change the key; servers send it after 2^24 records.
            HANDSHAKE if plain.first() != Some(&24) => Ok(Opened::Other),
            other => Err(format!("a record of type {other} that is not due")),
        }
    }

    /// A record was thrown away unseen.
    pub(crate) fn pass(&mut self) {
        self.into.sequence += 1;
    }
}

/// Payload bytes that a record's header announces.
pub(crate) fn payload(header: [u8; HEADER]) -> Result<usize, String> {
    let bytes = usize::from(u16::from_be_bytes([header[3], header[4]]));
    if header[0] != APPLICATION_DATA || !(OVERHEAD..=PAYLOAD_MAX).contains(&bytes) {
        return Err(format!("no record begins with {header:?}"));
    }
    Ok(bytes)
}

/// Plaintext bytes of a record without padding.
pub(crate) fn plaintext(payload: usize) -> usize {
    payload - OVERHEAD
}
