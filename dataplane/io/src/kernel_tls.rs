//! TLS records that the kernel seals (kTLS): what it is given, and whether it can.
//!
//! A connection whose sending side is the kernel's takes plaintext and puts records on the wire. Only
//! that side is handed over; what comes in is opened by the pipeline as ever. What does not belong
//! here: how a key came about, and when it is worn.
//!
//! Numbers and layouts are those of `linux/tls.h`, which libc's crate does not have.

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, TcpListener, TcpStream};

use zeroize::Zeroize;

use crate::socket_option::set_option;

pub(crate) const SOL_TLS: u32 = 282;
pub(crate) const TLS_TX: u32 = 1;
pub(crate) const TLS_TX_ZEROCOPY_RO: u32 = 3;
pub(crate) const TCP_ULP: u32 = 31;
pub(crate) const TLS_SET_RECORD_TYPE: i32 = 1;
/// What TCP_ULP is set to.
pub(crate) static ULP: [u8; 3] = *b"tls";

/// The longest of the kernel's structures.
pub(crate) const KEY_BYTES_MAX: usize = 56;
/// Version and cipher, with which each of them begins: two numbers of 16 bits.
pub(crate) const INFO_BYTES: usize = 4;
/// The number of the next record, with which each of them ends.
pub(crate) const SEQUENCE: usize = 8;
const IV: usize = 12;
/// Bytes of an AES-GCM nonce that stay as they are for all records of a key.
const SALT: usize = 4;

/// The versions of TLS that the kernel seals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TlsVersion {
    /// TLS 1.2.
    Tls12,
    /// TLS 1.3.
    Tls13,
}

/// The ciphers that the kernel may know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TlsCipher {
    /// AES-128-GCM.
    Aes128Gcm,
    /// AES-256-GCM.
    Aes256Gcm,
    /// ChaCha20-Poly1305 (Linux 5.11).
    ChaCha20Poly1305,
}

impl TlsVersion {
    const ALL: [TlsVersion; 2] = [TlsVersion::Tls12, TlsVersion::Tls13];

    pub(crate) fn number(self) -> u16 {
        match self {
            TlsVersion::Tls12 => 0x0303,
            TlsVersion::Tls13 => 0x0304,
        }
    }
}

impl TlsCipher {
    const ALL: [TlsCipher; 3] = [
        TlsCipher::Aes128Gcm,
        TlsCipher::Aes256Gcm,
        TlsCipher::ChaCha20Poly1305,
    ];

    /// The cipher of this number.
    pub(crate) fn of(number: u16) -> Option<TlsCipher> {
        TlsCipher::ALL.into_iter().find(|c| c.number() == number)
    }

    /// Bytes of the kernel's structure for it.
    pub(crate) fn info_bytes(self) -> usize {
        INFO_BYTES + IV + self.key_bytes() + SEQUENCE
    }

    fn number(self) -> u16 {
        match self {
            TlsCipher::Aes128Gcm => 51,
            TlsCipher::Aes256Gcm => 52,
            TlsCipher::ChaCha20Poly1305 => 54,
        }
    }

    fn key_bytes(self) -> usize {
        match self {
            TlsCipher::Aes128Gcm => 16,
            TlsCipher::Aes256Gcm | TlsCipher::ChaCha20Poly1305 => 32,
        }
    }
}

/// What the kernel is given to seal with: `struct tls12_crypto_info_*`. Wiped when dropped.
pub struct KernelKey {
    bytes: [u8; KEY_BYTES_MAX],
    length: usize,
}

impl KernelKey {
    /// A key for the record number `sequence` and those after it. `iv` is the whole nonce of record 0
    /// (in TLS 1.2 with AES-GCM: salt, and the explicit nonce of the first record that the kernel
    /// seals, which counts from there).
    ///
    /// # Panics
    /// When `key` has not the cipher's length.
    pub fn new(
        version: TlsVersion,
        cipher: TlsCipher,
        key: &[u8],
        iv: &[u8; IV],
        sequence: u64,
    ) -> KernelKey {
        assert_eq!(key.len(), cipher.key_bytes(), "the key of {cipher:?}");
        let (salt, rest) = match cipher {
            TlsCipher::ChaCha20Poly1305 => (&[][..], &iv[..]),
            TlsCipher::Aes128Gcm | TlsCipher::Aes256Gcm => iv.split_at(SALT),
        };
        let mut made = KernelKey {
            bytes: [0; KEY_BYTES_MAX],
            length: 0,
        };
        for part in [
            &version.number().to_ne_bytes()[..],
            &cipher.number().to_ne_bytes(),
            rest,
            key,
            salt,
            &sequence.to_be_bytes(),
        ] {
            made.bytes[made.length..made.length + part.len()].copy_from_slice(part);
            made.length += part.len();
        }
        made
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

impl Drop for KernelKey {
    fn drop(&mut self) {
        self.bytes.zeroize();
    }
}

impl fmt::Debug for KernelKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("KernelKey")
    }
}

/// What the kernel can seal, found out by trying.
#[derive(Debug, Clone)]
pub struct KernelTls {
    /// By version and cipher, in the order of `ALL`.
    table: [[bool; 3]; 2],
    rekeys: bool,
    refusal: Option<String>,
}

impl KernelTls {
    /// Nothing, and why.
    pub fn none(reason: &str) -> KernelTls {
        KernelTls {
            table: [[false; 3]; 2],
            rekeys: false,
            refusal: Some(reason.to_owned()),
        }
    }

    /// Everything, without a look at the kernel: for a driver that has none.
    pub fn all() -> KernelTls {
        KernelTls {
            table: [[true; 3]; 2],
            rekeys: true,
            refusal: None,
        }
    }

    /// Tries every version and cipher on connections of its own over loopback, with a key that seals
    /// nothing.
    pub fn probe() -> KernelTls {
        let mut found = KernelTls::none("");
        found.refusal = None;
        for (row, version) in TlsVersion::ALL.into_iter().enumerate() {
            for (column, cipher) in TlsCipher::ALL.into_iter().enumerate() {
                match attempt(version, cipher) {
                    Ok(again) => {
                        found.table[row][column] = true;
                        found.rekeys |= again;
                    }
                    Err(error) => _ = found.refusal.get_or_insert(error),
                }
            }
        }
        if found.table.as_flattened().contains(&true) {
            found.refusal = None;
        }
        found
    }

    /// Whether the kernel seals this.
    pub fn seals(&self, version: TlsVersion, cipher: TlsCipher) -> bool {
        self.table[version as usize][cipher as usize]
    }

    /// Whether the kernel takes another key for a TLS 1.3 connection that has one (Linux 6.14).
    pub fn rekeys(&self) -> bool {
        self.rekeys
    }

    /// Why the kernel seals nothing at all; `None` where it does.
    pub fn refusal(&self) -> Option<&str> {
        self.refusal.as_deref()
    }

    /// What the kernel seals, for people: `1.2 Aes128Gcm, …`.
    pub fn described(&self) -> String {
        let mut said = Vec::new();
        for version in TlsVersion::ALL {
            for cipher in TlsCipher::ALL {
                if self.seals(version, cipher) {
                    said.push(format!("{version:?} {cipher:?}"));
                }
            }
        }
        said.join(", ")
    }
}

/// Hands a connection over; whether it takes a second key (TLS 1.3). The error says at which step.
fn attempt(version: TlsVersion, cipher: TlsCipher) -> Result<bool, String> {
    let step = |what: &'static str| move |error: io::Error| format!("{what}: {error}");
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(step("bind"))?;
    let address = listener.local_addr().map_err(step("bind"))?;
    let socket = TcpStream::connect(address).map_err(step("connect"))?;
    let _peer = listener.accept().map_err(step("accept"))?;
    set_option(&socket, libc::IPPROTO_TCP as u32, TCP_ULP, &ULP).map_err(step("TCP_ULP tls"))?;
    let zeros = [0; 32];
    let key = KernelKey::new(version, cipher, &zeros[..cipher.key_bytes()], &[0; IV], 0);
    let set = || set_option(&socket, SOL_TLS, TLS_TX, key.bytes());
    set().map_err(step("TLS_TX"))?;
    Ok(version == TlsVersion::Tls13 && set().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Shows the kernel's layouts: 40, 56 and 56 bytes; nonce, key, salt and sequence where they belong.
    #[test]
    fn keys_are_laid_out_as_the_kernel_reads_them() {
        let iv: [u8; IV] = std::array::from_fn(|n| 0xa0 + n as u8);
        let lengths = TlsCipher::ALL.map(|cipher| {
            let key = vec![7; cipher.key_bytes()];
            KernelKey::new(TlsVersion::Tls13, cipher, &key, &iv, 0x0102).length
        });
        assert_eq!(lengths, [40, 56, 56]);
        let key = KernelKey::new(
            TlsVersion::Tls12,
            TlsCipher::Aes128Gcm,
            &[7; 16],
            &iv,
            0x0102,
        );
        let bytes = key.bytes();
        assert_eq!(bytes[..4], [0x03, 0x03, 51, 0]);
        assert_eq!(bytes[4..12], iv[4..]);
        assert_eq!(bytes[12..28], [7; 16]);
        assert_eq!(bytes[28..32], iv[..4]);
        assert_eq!(bytes[32..], [0, 0, 0, 0, 0, 0, 1, 2]);
        let key = KernelKey::new(
            TlsVersion::Tls13,
            TlsCipher::ChaCha20Poly1305,
            &[7; 32],
            &iv,
            0,
        );
        assert_eq!(key.bytes()[4..16], iv);
    }

    /// Shows that a probe says either what the kernel seals, or why it seals nothing.
    #[test]
    fn a_probe_has_an_answer() {
        let found = KernelTls::probe();
        match found.refusal() {
            Some(reason) => assert!(found.described().is_empty() && reason.contains("TCP_ULP")),
            None => assert!(!found.described().is_empty()),
        }
        println!("{found:?}");
    }
}
