//! An established connection: both directions, and the key changes that join them.
//!
//! A `Session` holds no data, sent or received. It never sends on its own either, but a KeyUpdate
//! that is due goes out in front of the next record, so that nobody can forget it.

mod in_kernel;

use rustls::kernel::KernelConnection;
use rustls::server::ServerConnectionData;
use rustls::{
    AlertDescription, CipherSuite, ConnectionTrafficSecrets, ExtractedSecrets, ProtocolVersion,
};

use zonecast_io::KernelKey;

use super::TlsError;
use super::kernel::{self, KernelSealer};
use super::keys::{Format, RecordKey};
use super::opened::Opened;
use super::opener::Opener;
use super::record::PLAINTEXT_MAX;
use super::sealer::{Sealer, total};

/// What a handshake agreed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Agreed {
    /// TLS 1.3 or 1.2.
    pub version: ProtocolVersion,
    /// The cipher suite.
    pub suite: CipherSuite,
    /// A ticket spared the full handshake.
    pub resumed: bool,
}

/// Who seals.
enum Sending {
    Ours(Sealer),
    Kernel(KernelSealer),
}

/// One connection's record layer, both ways.
pub struct Session {
    sending: Sending,
    /// The sending key in the kernel's form, until it is known who seals.
    kernel_key: Option<Box<KernelKey>>,
    opener: Opener,
    /// Computes the next traffic keys; TLS 1.3 only.
    rekey: Option<Box<KernelConnection<ServerConnectionData>>>,
    agreed: Agreed,
    /// The peer asked for our key to change.
    answer_due: bool,
}

impl Session {
    /// Plaintext bytes that one record carries at most.
    pub const PLAINTEXT_MAX: usize = PLAINTEXT_MAX;
    /// Bytes by which the output of one [`Self::seal`] exceeds its plaintext at most: a TLS 1.3
    /// record (22) with a KeyUpdate (27) in front, or a TLS 1.2 record (21 or 29).
    pub const OVERHEAD_MAX: usize = 49;

    pub(super) fn new(
        secrets: ExtractedSecrets,
        rekey: KernelConnection<ServerConnectionData>,
        resumed: bool,
        records_max: u64,
    ) -> Result<Self, TlsError> {
        let version = rekey.protocol_version();
        let agreed = Agreed {
            version,
            suite: rekey.negotiated_cipher_suite().suite(),
            resumed,
        };
        let (tx, rx) = (&secrets.tx, &secrets.rx);
        Ok(Self {
            sending: Sending::Ours(Sealer::new(
                RecordKey::new(version, tx.0, &tx.1)?,
                records_max,
            )),
            kernel_key: kernel::key(version, agreed.suite, tx.0, &tx.1),
            opener: Opener::new(RecordKey::new(version, rx.0, &rx.1)?),
            rekey: (version == ProtocolVersion::TLSv1_3).then(|| Box::new(rekey)),
            agreed,
            answer_due: false,
        })
    }

    /// What the handshake agreed on.
    pub fn agreed(&self) -> Agreed {
        self.agreed
    }

    /// Bytes that [`Self::seal`] writes for so many bytes of plaintext, as things stand.
    pub fn sealed_len(&self, plain: usize) -> usize {
        match &self.sending {
            Sending::Kernel(_) => plain,
            Sending::Ours(sealer) if self.key_update_due() => {
                sealer.key_update_len() + sealer.sealed_len(plain)
            }
            Sending::Ours(sealer) => sealer.sealed_len(plain),
        }
    }

    /// The key is to be replaced and cannot be (TLS 1.2; a kernel that takes no second key): close
    /// after this response.
    pub fn close_due(&self) -> bool {
        match &self.sending {
            Sending::Ours(sealer) => self.rekey.is_none() && sealer.key_is_worn(),
            Sending::Kernel(kernel) => {
                let fixed = self.rekey.is_none() || !kernel.rekeys();
                fixed && (self.answer_due || kernel.key_is_worn())
            }
        }
    }

    /// Seals one application-data record from `pieces` (at most [`Self::PLAINTEXT_MAX`] bytes
    /// together) at the beginning of `out`; returns the bytes written. Nothing is written for no
    /// data.
    ///
    /// # Errors
    /// [`TlsError::NoRoom`] and [`TlsError::PlaintextTooLong`] change nothing.
    /// [`TlsError::KeyExhausted`]: TLS 1.2, long after [`Self::close_due`].
    /// [`TlsError::Ended`] after close_notify or a fatal alert of ours.
    pub fn seal(&mut self, pieces: &[&[u8]], out: &mut [u8]) -> Result<usize, TlsError> {
        let plain = total(pieces);
        if plain > PLAINTEXT_MAX {
            return Err(TlsError::PlaintextTooLong(plain));
        }
        if plain == 0 {
            return Ok(0);
        }
        if !self.key_update_due() {
            return self.ours()?.seal_data(pieces, out);
        }
        let needed = self.sealed_len(plain);
        if out.len() < needed {
            return Err(TlsError::NoRoom { needed });
        }
        let update = self.seal_key_update(out)?;
        let record = self.ours()?.seal_data(pieces, &mut out[update..])?;
        Ok(update + record)
    }

    /// Seals a KeyUpdate and goes on with the next key (TLS 1.3). [`Self::seal`] does this by
    /// itself when it is due.
    ///
    /// # Errors
    /// [`TlsError::NotInThisVersion`] in TLS 1.2; [`TlsError::NoRoom`].
    pub fn seal_key_update(&mut self, out: &mut [u8]) -> Result<usize, TlsError> {
        if self.rekey.is_none() {
            return Err(TlsError::NotInThisVersion("KeyUpdate"));
        }
        let written = self.ours()?.seal_key_update(out)?;
        if let Err(error) = self.send_next_key() {
            self.ours()?.fail();
            return Err(error);
        }
        self.answer_due = false;
        Ok(written)
    }

    fn ours(&mut self) -> Result<&mut Sealer, TlsError> {
        // Whatever is sealed here moves the sequence on: it is too late for the kernel.
        self.kernel_key = None;
        match &mut self.sending {
            Sending::Ours(sealer) => Ok(sealer),
            Sending::Kernel(_) => Err(TlsError::SealedByKernel),
        }
    }

    /// Seals close_notify: the response is complete and nothing follows.
    ///
    /// # Errors
    /// [`TlsError::NoRoom`]; [`TlsError::Ended`] the second time.
    pub fn seal_close_notify(&mut self, out: &mut [u8]) -> Result<usize, TlsError> {
        self.seal_alert(AlertDescription::CloseNotify, out)
    }

    /// Seals an alert, such as [`TlsError::alert`] names. All but warnings end the sending side.
    ///
    /// # Errors
    /// [`TlsError::NoRoom`]; [`TlsError::Ended`] when it has ended already.
    pub fn seal_alert(
        &mut self,
        alert: AlertDescription,
        out: &mut [u8],
    ) -> Result<usize, TlsError> {
        self.ours()?.seal_alert(alert, out)
    }

    /// Opens the first record of `input`, in place. The record's bytes are the caller's again
    /// afterwards: it drops `consumed` of them when it is done with the data.
    ///
    /// # Errors
    /// Whatever the peer did wrong: send [`TlsError::alert`] and close. From then on every call
    /// fails with [`TlsError::Ended`].
    pub fn open(&mut self, input: &mut [u8]) -> Result<Opened, TlsError> {
        let opened = self.opener.open(input)?;
        self.opened(opened)
    }

    /// Like [`Self::open`], but straight into `out` (a ring's memory): the data comes to lie at
    /// its beginning. `out` needs room for the record's padding and type too (one byte, mostly),
    /// else [`Opened::NoRoom`] says how much and nothing has happened. All of `out` may be
    /// written, even when the record brings no data or is refused.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_into(&mut self, input: &[u8], out: &mut [u8]) -> Result<Opened, TlsError> {
        let opened = self.opener.open_into(input, out)?;
        self.opened(opened)
    }

    fn opened(&mut self, opened: Opened) -> Result<Opened, TlsError> {
        if let Opened::KeyUpdate { answer, .. } = opened {
            self.receive_next_key()
                .inspect_err(|_| self.opener.fail())?;
            self.answer_due |= answer;
        }
        Ok(opened)
    }

    fn send_next_key(&mut self) -> Result<(), TlsError> {
        let (sequence, secrets) = self.next_sending_secrets()?;
        let key = RecordKey::new(self.agreed.version, sequence, &secrets)?;
        self.ours()?.replace(key);
        Ok(())
    }

    fn next_sending_secrets(&mut self) -> Result<(u64, ConnectionTrafficSecrets), TlsError> {
        let rekey = self
            .rekey
            .as_mut()
            .ok_or(TlsError::NotInThisVersion("KeyUpdate"))?;
        rekey
            .update_tx_secret()
            .map_err(|_| TlsError::Crypto("no next sending key"))
    }

    fn receive_next_key(&mut self) -> Result<(), TlsError> {
        let rekey = self
            .rekey
            .as_mut()
            .ok_or(TlsError::Unexpected("a KeyUpdate"))?;
        let (sequence, secrets) = rekey
            .update_rx_secret()
            .map_err(|_| TlsError::Crypto("no next receiving key"))?;
        let key = RecordKey::new(self.agreed.version, sequence, &secrets)?;
        self.opener.replace(key);
        Ok(())
    }

    /// Only TLS 1.3 can; in TLS 1.2 nothing asks for it but a worn key.
    fn key_update_due(&self) -> bool {
        match &self.sending {
            Sending::Kernel(_) => false,
            Sending::Ours(sealer) => {
                sealer.format() == Format::Tls13 && (self.answer_due || sealer.key_is_worn())
            }
        }
    }
}

impl std::fmt::Debug for Session {
    /// Says what was agreed on, and no secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session")
            .field("agreed", &self.agreed)
            .finish_non_exhaustive()
    }
}
