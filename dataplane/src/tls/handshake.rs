//! A handshake: bytes in, bytes out, at last a [`Session`].
//!
//! rustls does the handshake and nothing else. It is shown one record at a time and not one more
//! once the handshake is complete, so it never opens application data: what has come with the
//! client's Finished is handed over as it came, and the session opens it with the first receiving
//! sequence. No byte can be lost or opened twice. What rustls sends after its own Finished (TLS
//! 1.3 tickets) is in the output and counted in the sending sequence.

use rustls::HandshakeKind;
use rustls::server::UnbufferedServerConnection;
use rustls::unbuffered::{ConnectionState, EncodeError, EncodeTlsData, UnbufferedStatus};

use super::record::{ALERT, APPLICATION_DATA, CHANGE_CIPHER_SPEC, HANDSHAKE, HEADER, Header};
use super::{Acceptor, Session, TlsError};

/// Bytes that a client's side of a handshake may take. A ClientHello with post-quantum key shares
/// is 2 KiB; clients send no certificates.
const INPUT_MAX: usize = 64 * 1024;
/// Records that it may take.
const RECORDS_MAX: u32 = 64;
/// What a record in a handshake can be long (TLS 1.2 ciphertext, RFC 5246 section 6.2.3).
const RECORD_MAX: usize = 16_384 + 2_048;

/// How far a handshake is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// More must come from the client.
    NeedMore,
    /// Send the output, then [`Handshake::finish`].
    Done,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Going,
    Done,
    Failed,
}

/// A handshake under way.
pub struct Handshake {
    connection: Box<UnbufferedServerConnection>,
    /// Received and not yet done with. `..shown` are whole records that rustls has seen and
    /// still needs (a message that goes on in the next record); the rest it has not seen.
    input: Vec<u8>,
    shown: usize,
    /// Shown in all.
    shown_bytes: usize,
    shown_records: u32,
    records_per_key: u64,
    phase: Phase,
}

impl Handshake {
    /// A handshake that waits for its ClientHello.
    ///
    /// # Errors
    /// [`TlsError::Configuration`] when rustls refuses the acceptor's configuration.
    pub fn new(acceptor: &Acceptor) -> Result<Self, TlsError> {
        let connection = UnbufferedServerConnection::new(acceptor.config.clone())
            .map_err(TlsError::Configuration)?;
        Ok(Self {
            connection: Box::new(connection),
            input: Vec::new(),
            shown: 0,
            shown_bytes: 0,
            shown_records: 0,
            records_per_key: acceptor.records_per_key,
            phase: Phase::Going,
        })
    }

    /// Takes all of `input` and appends to `out` what must be sent. After [`Progress::Done`] more
    /// input may come: it is kept for [`Self::finish`].
    ///
    /// # Errors
    /// The handshake has failed: send what is in `out` (rustls's alert), then close.
    pub fn receive(&mut self, input: &[u8], out: &mut Vec<u8>) -> Result<Progress, TlsError> {
        if self.phase == Phase::Failed {
            return Err(TlsError::HandshakeNotComplete);
        }
        self.input.extend_from_slice(input);
        if self.phase == Phase::Done {
            return Ok(Progress::Done);
        }
        let progress = self.drive(out);
        match progress {
            Ok(Progress::NeedMore) => {}
            Ok(Progress::Done) => self.phase = Phase::Done,
            Err(_) => {
                self.phase = Phase::Failed;
                self.collect_alert(out);
            }
        }
        progress
    }

    /// Whether a ticket spared the full handshake. Known once it is done.
    pub fn resumed(&self) -> bool {
        self.connection.handshake_kind() == Some(HandshakeKind::Resumed)
    }

    /// The connection is ours from here on. The bytes are whatever came after the client's
    /// Finished, still sealed: they go before everything that is received later, to
    /// [`Session::open`].
    ///
    /// # Errors
    /// [`TlsError::HandshakeNotComplete`] before [`Progress::Done`]; [`TlsError::Crypto`] when
    /// rustls will not part with its keys.
    pub fn finish(self) -> Result<(Session, Vec<u8>), TlsError> {
        if self.phase != Phase::Done {
            return Err(TlsError::HandshakeNotComplete);
        }
        let resumed = self.resumed();
        let (secrets, rekey) = self
            .connection
            .dangerous_into_kernel_connection()
            .map_err(TlsError::Handshake)?;
        let session = Session::new(secrets, rekey, resumed, self.records_per_key)?;
        Ok((session, self.input))
    }

    /// Runs rustls until it needs a record that is not there, or is done. Every turn either ends,
    /// or takes one of rustls's finitely many outputs, or shows one of at most `RECORDS_MAX`
    /// records.
    fn drive(&mut self, out: &mut Vec<u8>) -> Result<Progress, TlsError> {
        loop {
            let UnbufferedStatus { discard, state } = self
                .connection
                .process_tls_records(&mut self.input[..self.shown]);
            let blocked = match state {
                Ok(ConnectionState::EncodeTlsData(encode)) => {
                    append(encode, out)?;
                    false
                }
                Ok(ConnectionState::TransmitTlsData(transmit)) => {
                    transmit.done();
                    false
                }
                Ok(ConnectionState::BlockedHandshake | ConnectionState::WriteTraffic(_)) => true,
                Ok(ConnectionState::PeerClosed | ConnectionState::Closed) => {
                    return Err(TlsError::ClosedInHandshake);
                }
                Ok(_) => return Err(TlsError::Unexpected("data in the handshake")),
                Err(error) => {
                    self.discard(discard);
                    return Err(TlsError::Handshake(error));
                }
            };
            self.discard(discard);
            if !blocked {
                continue;
            }
            if !self.connection.is_handshaking() {
                // Finished must end its record, and rustls has seen no other.
                return match self.shown {
                    0 => Ok(Progress::Done),
                    _ => Err(TlsError::Unexpected("a message after Finished")),
                };
            }
            if !self.show_next_record()? {
                return Ok(Progress::NeedMore);
            }
        }
    }

    fn discard(&mut self, bytes: usize) {
        self.input.drain(..bytes);
        self.shown -= bytes;
    }

    /// Lets rustls see one record more, if it is all there. A header that cannot be right is shown
    /// at once: rustls knows the alert for it.
    fn show_next_record(&mut self) -> Result<bool, TlsError> {
        let Some(header) = Header::parse(&self.input[self.shown..]) else {
            return Ok(false);
        };
        let plausible = matches!(
            header.content_type,
            CHANGE_CIPHER_SPEC | ALERT | HANDSHAKE | APPLICATION_DATA
        ) && header.version >> 8 == 3
            && header.length <= RECORD_MAX;
        let length = HEADER + if plausible { header.length } else { 0 };
        if self.input.len() - self.shown < length {
            return Ok(false);
        }
        self.shown += length;
        self.shown_bytes += length;
        self.shown_records += 1;
        if self.shown_bytes > INPUT_MAX {
            return Err(TlsError::HandshakeTooLong("64 KiB"));
        }
        if self.shown_records > RECORDS_MAX {
            return Err(TlsError::HandshakeTooLong("64 records"));
        }
        Ok(true)
    }

    /// After an error rustls still has an alert to send, mostly. It must not be run any further
    /// than that: it would take the bad record for a second one.
    fn collect_alert(&mut self, out: &mut Vec<u8>) {
        while self.connection.wants_write() {
            let status = self
                .connection
                .process_tls_records(&mut self.input[..self.shown]);
            let Ok(ConnectionState::EncodeTlsData(encode)) = status.state else {
                return;
            };
            if append(encode, out).is_err() {
                return;
            }
        }
    }
}

/// Appends one output of rustls, which says how long it is.
fn append<Data>(mut encode: EncodeTlsData<'_, Data>, out: &mut Vec<u8>) -> Result<(), TlsError> {
    let start = out.len();
    let failed = || TlsError::Crypto("rustls cannot encode its output");
    match encode.encode(&mut []) {
        Ok(_) => Ok(()),
        Err(EncodeError::InsufficientSize(size)) => {
            out.resize(start + size.required_size, 0);
            encode.encode(&mut out[start..]).map_err(|_| failed())?;
            Ok(())
        }
        Err(EncodeError::AlreadyEncoded) => Err(failed()),
    }
}
