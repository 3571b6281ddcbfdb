//! The receiving direction: records into plaintext, and what else the peer may say.
//!
//! A record is opened in place, or straight into other memory. Everything that an established
//! connection has no use for is an error; everything that costs us work without bringing data is
//! counted, and too much of it is an error too.

use std::ops::Range;

use aws_lc_rs::aead::Aad;

use super::TlsError;
use super::keys::{Associated, Format, RecordKey};
use super::opened::{Opened, alert, handshake};
use super::record::{
    ALERT, APPLICATION_DATA, EXPLICIT_NONCE, HANDSHAKE, HEADER, Header, LEGACY_VERSION,
    PLAINTEXT_MAX, TAG,
};

/// What a record without data costs; a record with data pays back one.
const DATALESS_COST: u16 = 8;
/// The peer may owe so much: 32 dataless records in a row.
const DEBT_MAX: u16 = 32 * DATALESS_COST;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Open,
    Closed,
    Failed,
}

/// Opens records with the key of the moment.
pub(super) struct Opener {
    key: RecordKey,
    debt: u16,
    state: State,
}

/// A complete record in an input: `..HEADER` its header, then its body.
struct Record {
    header: Header,
    /// Ciphertext without nonce and tag.
    cipher: Range<usize>,
    consumed: usize,
}

impl Opener {
    pub(super) fn new(key: RecordKey) -> Self {
        Self {
            key,
            debt: 0,
            state: State::Open,
        }
    }

    pub(super) fn replace(&mut self, key: RecordKey) {
        self.key = key;
    }

    /// No further record is opened: what went wrong is beyond repair.
    pub(super) fn fail(&mut self) {
        self.state = State::Failed;
    }

    /// Opens the first record of `input` in place.
    pub(super) fn open(&mut self, input: &mut [u8]) -> Result<Opened, TlsError> {
        let record = match self.next_record(input) {
            Ok(Ok(record)) => record,
            Ok(Err(opened)) => return Ok(opened),
            Err(error) => return self.failed(error),
        };
        let nonce = self.key.nonce_received(&input[HEADER..record.consumed]);
        let associated = self.associated(&record);
        let (sealed, rest) = input.split_at_mut(record.cipher.end);
        let plain = &mut sealed[record.cipher.clone()];
        let opened =
            self.key
                .aead()
                .open_in_place_separate_tag(nonce, associated, &rest[..TAG], plain);
        if opened.is_err() {
            return self.failed(TlsError::BadRecordMac);
        }
        self.take(&record, plain, record.cipher.start)
    }

    /// Opens the first record of `input` into `out`, from its beginning. `out` may be written
    /// anywhere, error or not; only the range that is returned means something.
    pub(super) fn open_into(&mut self, input: &[u8], out: &mut [u8]) -> Result<Opened, TlsError> {
        let record = match self.next_record(input) {
            Ok(Ok(record)) => record,
            Ok(Err(opened)) => return Ok(opened),
            Err(error) => return self.failed(error),
        };
        let needed = record.cipher.len();
        let Some(plain) = out.get_mut(..needed) else {
            return Ok(Opened::NoRoom { needed });
        };
        let nonce = self.key.nonce_received(&input[HEADER..record.consumed]);
        let associated = self.associated(&record);
        let cipher = &input[record.cipher.clone()];
        let tag = &input[record.cipher.end..record.consumed];
        let opened = self
            .key
            .aead()
            .open_separate_gather(nonce, associated, cipher, tag, plain);
        if opened.is_err() {
            return self.failed(TlsError::BadRecordMac);
        }
        self.take(&record, plain, 0)
    }

    fn failed(&mut self, error: TlsError) -> Result<Opened, TlsError> {
        self.state = State::Failed;
        Err(error)
    }

    /// The first record of `input`, or what to say without opening one. A header that cannot
    /// be right is refused before its body has come.
    fn next_record(&self, input: &[u8]) -> Result<Result<Record, Opened>, TlsError> {
        match self.state {
            State::Open => {}
            State::Closed => {
                return Ok(Err(Opened::CloseNotify {
                    consumed: input.len(),
                }));
            }
            State::Failed => return Err(TlsError::Ended),
        }
        let Some(header) = Header::parse(input) else {
            return Ok(Err(Opened::Incomplete));
        };
        let format = self.key.format();
        let (expansion_max, overhead) = match format {
            Format::Tls13 => (256, 1 + TAG),
            Format::Tls12Gcm => (2048, EXPLICIT_NONCE + TAG),
            Format::Tls12ChaCha => (2048, TAG),
        };
        let protected = match format {
            Format::Tls13 => header.content_type == APPLICATION_DATA,
            Format::Tls12Gcm | Format::Tls12ChaCha => {
                matches!(header.content_type, APPLICATION_DATA | ALERT | HANDSHAKE)
            }
        };
        if !protected {
            return Err(TlsError::Unexpected("a record of another type"));
        }
        if header.version != LEGACY_VERSION {
            return Err(TlsError::WrongVersion(header.version));
        }
        if header.length > PLAINTEXT_MAX + expansion_max {
            return Err(TlsError::RecordOverflow(header.length));
        }
        if header.length < overhead {
            return Err(TlsError::BadRecordMac);
        }
        let consumed = HEADER + header.length;
        if input.len() < consumed {
            return Ok(Err(Opened::Incomplete));
        }
        Ok(Ok(Record {
            header,
            cipher: format.prefix()..consumed - TAG,
            consumed,
        }))
    }

    fn associated(&self, record: &Record) -> Aad<Associated> {
        let length = match self.key.format() {
            Format::Tls13 => record.header.length,
            Format::Tls12Gcm | Format::Tls12ChaCha => record.cipher.len(),
        };
        self.key.associated(record.header.content_type, length)
    }

    /// An authentic record: `plain` is its plaintext, and starts at `start` of where the caller
    /// has it.
    fn take(&mut self, record: &Record, plain: &[u8], start: usize) -> Result<Opened, TlsError> {
        self.key.advance();
        let (content_type, length) = match self.key.format() {
            Format::Tls13 => match plain.iter().rposition(|byte| *byte != 0) {
                Some(at) => (plain[at], at),
                None => return self.failed(TlsError::Unexpected("a record without a type")),
            },
            Format::Tls12Gcm | Format::Tls12ChaCha => (record.header.content_type, plain.len()),
        };
        if plain.len() > PLAINTEXT_MAX + usize::from(self.key.format() == Format::Tls13) {
            return self.failed(TlsError::RecordOverflow(plain.len()));
        }
        let consumed = record.consumed;
        if content_type == APPLICATION_DATA && length > 0 {
            self.debt = self.debt.saturating_sub(1);
            return Ok(Opened::Data {
                consumed,
                plain: start..start + length,
            });
        }
        let said = match content_type {
            APPLICATION_DATA => Ok(Opened::Skipped { consumed }),
            ALERT => alert(self.key.format(), &plain[..length], consumed),
            HANDSHAKE => handshake(self.key.format(), &plain[..length], consumed),
            _ => Err(TlsError::Unexpected("a record of another inner type")),
        };
        self.debt += DATALESS_COST;
        match said {
            Ok(Opened::CloseNotify { .. }) => {
                self.state = State::Closed;
                said
            }
            Ok(_) if self.debt > DEBT_MAX => self.failed(TlsError::Flood),
            Ok(opened) => Ok(opened),
            Err(error) => self.failed(error),
        }
    }
}
