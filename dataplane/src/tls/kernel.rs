//! The sending direction in the kernel's hands: the key in its form, and what is left to us.
//!
//! The kernel makes records of what it is sent. Ours are still the alerts, the count of records under
//! a key, and its change.
//!
//! TLS 1.2 with AES-GCM puts half of each nonce on the wire and leaves its choice to the sender. rustls
//! sealed its Finished with `iv XOR 0`, and the kernel counts up from what it is given: given `iv` it
//! would use that nonce again, and the key would be lost. It gets `iv XOR 2^63`, which nothing that
//! came before, or that our own record layer would use, has (those are `iv XOR sequence`, and no key
//! lasts for 2^63 records).

use rustls::{AlertDescription, CipherSuite, ConnectionTrafficSecrets, ProtocolVersion};
use zeroize::Zeroize;
use zonecast_io::{KernelKey, TlsCipher, TlsVersion};

use super::TlsError;
use super::record::PLAINTEXT_MAX;
use super::sealer::alert_level;

/// The first byte of the explicit nonce, and what sets the kernel's apart in it.
const EXPLICIT_AT: usize = 4;
const KERNELS_OWN: u8 = 0x80;

/// What the kernel would have to seal for a connection of this kind; `None` where it never could.
pub(super) fn kind(
    version: ProtocolVersion,
    suite: CipherSuite,
) -> Option<(TlsVersion, TlsCipher)> {
    let version = match version {
        ProtocolVersion::TLSv1_2 => TlsVersion::Tls12,
        ProtocolVersion::TLSv1_3 => TlsVersion::Tls13,
        _ => return None,
    };
    let cipher = match suite.as_str()? {
        name if name.ends_with("AES_128_GCM_SHA256") => TlsCipher::Aes128Gcm,
        name if name.ends_with("AES_256_GCM_SHA384") => TlsCipher::Aes256Gcm,
        name if name.ends_with("CHACHA20_POLY1305_SHA256") => TlsCipher::ChaCha20Poly1305,
        _ => return None,
    };
    Some((version, cipher))
}

/// The key for the kernel, from record `sequence` on.
pub(super) fn key(
    version: ProtocolVersion,
    suite: CipherSuite,
    sequence: u64,
    secrets: &ConnectionTrafficSecrets,
) -> Option<Box<KernelKey>> {
    let (version, cipher) = kind(version, suite)?;
    let (key, iv) = match secrets {
        ConnectionTrafficSecrets::Aes128Gcm { key, iv }
        | ConnectionTrafficSecrets::Aes256Gcm { key, iv }
        | ConnectionTrafficSecrets::Chacha20Poly1305 { key, iv } => (key, iv),
        _ => return None,
    };
    let mut iv: [u8; 12] = iv.as_ref().try_into().ok()?;
    let explicit = version == TlsVersion::Tls12 && cipher != TlsCipher::ChaCha20Poly1305;
    if explicit && cfg!(not(feature = "flaw-nonce")) {
        iv[EXPLICIT_AT] ^= KERNELS_OWN;
    }
    let made = KernelKey::new(version, cipher, key.as_ref(), &iv, sequence);
    iv.zeroize();
    Some(Box::new(made))
}

/// What is kept of a direction that the kernel seals.
pub(super) struct KernelSealer {
    /// Records under this key; the kernel does not tell, so this is what they are at most.
    records: u64,
    records_max: u64,
    /// The kernel takes a further key (TLS 1.3, Linux 6.14).
    rekeys: bool,
    ended: bool,
}

impl KernelSealer {
    pub(super) fn new(records_max: u64, rekeys: bool) -> Self {
        Self {
            records: 0,
            records_max,
            rekeys,
            ended: false,
        }
    }

    pub(super) fn rekeys(&self) -> bool {
        self.rekeys
    }

    pub(super) fn key_is_worn(&self) -> bool {
        self.records >= self.records_max
    }

    /// So many bytes were sent with one call.
    pub(super) fn add_bytes(&mut self, bytes: u64) {
        self.records += 1 + bytes / PLAINTEXT_MAX as u64;
    }

    /// The next records are under another key.
    pub(super) fn key_changed(&mut self) {
        self.records = 0;
    }

    /// An alert's message, for a record of its own; all but the warnings end this direction.
    pub(super) fn alert(&mut self, alert: AlertDescription) -> Result<[u8; 2], TlsError> {
        if self.ended {
            return Err(TlsError::Ended);
        }
        let (level, ends) = alert_level(alert);
        self.ended = ends;
        Ok([level, u8::from(alert)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Shows which suites have a name in the kernel.
    #[test]
    fn suites_are_found_by_what_they_seal_with() {
        let kind = |version, suite| kind(version, suite).map(|(_, cipher)| cipher);
        for (version, suite, expected) in [
            (
                ProtocolVersion::TLSv1_3,
                CipherSuite::TLS13_AES_128_GCM_SHA256,
                TlsCipher::Aes128Gcm,
            ),
            (
                ProtocolVersion::TLSv1_2,
                CipherSuite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
                TlsCipher::Aes256Gcm,
            ),
            (
                ProtocolVersion::TLSv1_2,
                CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
                TlsCipher::ChaCha20Poly1305,
            ),
        ] {
            assert_eq!(kind(version, suite), Some(expected));
        }
        let cbc = CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256;
        assert_eq!(kind(ProtocolVersion::TLSv1_2, cbc), None);
    }
}
