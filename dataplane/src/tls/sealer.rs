//! The sending direction: plaintext into records.
//!
//! One record a call, no allocation. A record from one piece is sealed straight out of where it
//! lies (a ring's memory, under a lease for just this call) into the output: one pass over the
//! bytes. Several pieces are gathered in the output and sealed in place, a copy more, because
//! aws-lc's AEADs take one input: that is for the record in which a head and a body meet.

use aws_lc_rs::aead::Nonce;
use rustls::AlertDescription;

use super::TlsError;
use super::keys::{Format, RecordKey};
use super::record::{ALERT, APPLICATION_DATA, EXPLICIT_NONCE, HANDSHAKE, HEADER, Header};
use super::record::{KEY_UPDATE, PLAINTEXT_MAX};

/// A KeyUpdate message that asks for none in return.
pub(crate) const KEY_UPDATE_MESSAGE: [u8; 5] = [KEY_UPDATE, 0, 0, 1, 0];
const LEVEL_WARNING: u8 = 1;
const LEVEL_FATAL: u8 = 2;

/// An alert's level, and whether nothing follows it.
pub(super) fn alert_level(alert: AlertDescription) -> (u8, bool) {
    match alert {
        AlertDescription::CloseNotify => (LEVEL_WARNING, true),
        AlertDescription::UserCanceled | AlertDescription::NoRenegotiation => {
            (LEVEL_WARNING, false)
        }
        _ => (LEVEL_FATAL, true),
    }
}

/// Seals records with the key of the moment.
pub(super) struct Sealer {
    key: RecordKey,
    /// Data records after which this key should be replaced.
    records_max: u64,
    ended: bool,
}

impl Sealer {
    pub(super) fn new(key: RecordKey, records_max: u64) -> Self {
        Self {
            key,
            records_max,
            ended: false,
        }
    }

    /// Bytes on the wire of a record with so many bytes of plaintext.
    pub(super) fn sealed_len(&self, plain: usize) -> usize {
        self.key.format().prefix() + plain + self.key.format().suffix()
    }

    /// Bytes on the wire of a KeyUpdate.
    pub(super) fn key_update_len(&self) -> usize {
        self.sealed_len(KEY_UPDATE_MESSAGE.len())
    }

    pub(super) fn records_max(&self) -> u64 {
        self.records_max
    }

    /// The key has sealed what it should, and wants to be replaced.
    pub(super) fn key_is_worn(&self) -> bool {
        self.key.records() >= self.records_max
    }

    pub(super) fn format(&self) -> Format {
        self.key.format()
    }

    /// Seals one application-data record.
    ///
    /// TLS 1.2 cannot replace a worn key; a response under way may still go on for a quarter of
    /// the limit, which the default limit leaves room for.
    pub(super) fn seal_data(
        &mut self,
        pieces: &[&[u8]],
        out: &mut [u8],
    ) -> Result<usize, TlsError> {
        if self.key.records() >= self.records_max.saturating_add(self.records_max / 4) {
            return Err(TlsError::KeyExhausted);
        }
        self.seal(APPLICATION_DATA, pieces, out)
    }

    /// Seals an alert; all but the warnings end this direction.
    pub(super) fn seal_alert(
        &mut self,
        alert: AlertDescription,
        out: &mut [u8],
    ) -> Result<usize, TlsError> {
        let (level, ends) = alert_level(alert);
        let written = self.seal(ALERT, &[&[level, u8::from(alert)]], out)?;
        self.ended = ends;
        Ok(written)
    }

    /// Seals a KeyUpdate. The very next record must be under the next key: [`Self::replace`].
    pub(super) fn seal_key_update(&mut self, out: &mut [u8]) -> Result<usize, TlsError> {
        self.seal(HANDSHAKE, &[&KEY_UPDATE_MESSAGE], out)
    }

    pub(super) fn replace(&mut self, key: RecordKey) {
        self.key = key;
    }

    /// No further record is sealed: what went wrong is beyond repair.
    pub(super) fn fail(&mut self) {
        self.ended = true;
    }

    fn seal(
        &mut self,
        content_type: u8,
        pieces: &[&[u8]],
        out: &mut [u8],
    ) -> Result<usize, TlsError> {
        if self.ended {
            return Err(TlsError::Ended);
        }
        let plain = total(pieces);
        if plain > PLAINTEXT_MAX {
            return Err(TlsError::PlaintextTooLong(plain));
        }
        let needed = self.sealed_len(plain);
        let Some(record) = out.get_mut(..needed) else {
            return Err(TlsError::NoRoom { needed });
        };
        // From here on the nonce counts as used, whatever comes.
        let sealed = self.seal_record(content_type, pieces, plain, record);
        self.key.advance();
        self.ended |= sealed.is_err();
        sealed.map(|()| needed)
    }

    /// `record` is exactly as long as the record.
    fn seal_record(
        &self,
        content_type: u8,
        pieces: &[&[u8]],
        plain: usize,
        record: &mut [u8],
    ) -> Result<(), TlsError> {
        let format = self.key.format();
        let nonce = self.key.nonce();
        let length = record.len() - HEADER;
        let (prefix, rest) = record.split_at_mut(format.prefix());
        let (body, tail) = rest.split_at_mut(plain);
        let inner_type = [content_type];
        let (outer_type, associated_length, hidden): (u8, usize, &[u8]) = match format {
            Format::Tls13 => (APPLICATION_DATA, length, &inner_type),
            Format::Tls12Gcm | Format::Tls12ChaCha => (content_type, plain, &[]),
        };
        prefix[..HEADER].copy_from_slice(&Header::bytes(outer_type, length));
        if format == Format::Tls12Gcm {
            prefix[HEADER..].copy_from_slice(&nonce[nonce.len() - EXPLICIT_NONCE..]);
        }
        let associated = self.key.associated(outer_type, associated_length);
        let nonce = Nonce::assume_unique_for_key(nonce);
        let aead = self.key.aead();
        match only_piece(pieces) {
            Some(piece) => {
                aead.seal_out_of_place_scatter(nonce, associated, piece, body, hidden, tail)
            }
            None => {
                gather(pieces, body);
                aead.seal_in_place_scatter(nonce, associated, body, hidden, tail)
            }
        }
        .map_err(|_| TlsError::Crypto("a record cannot be sealed"))
    }
}

/// Bytes of all the pieces; saturates where no machine has so many.
pub(super) fn total(pieces: &[&[u8]]) -> usize {
    pieces
        .iter()
        .fold(0, |sum: usize, piece| sum.saturating_add(piece.len()))
}

/// The piece that has all the bytes, if one has.
fn only_piece<'a>(pieces: &[&'a [u8]]) -> Option<&'a [u8]> {
    let mut full = pieces.iter().filter(|piece| !piece.is_empty());
    let first = full.next()?;
    full.next().is_none().then_some(*first)
}

/// `body` is exactly as long as the pieces together.
fn gather(pieces: &[&[u8]], body: &mut [u8]) {
    let mut at = 0;
    for piece in pieces {
        body[at..at + piece.len()].copy_from_slice(piece);
        at += piece.len();
    }
}
