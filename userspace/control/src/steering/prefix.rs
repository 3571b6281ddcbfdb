//! An address for every stream.

use std::fmt;
use std::net::Ipv6Addr;
use std::str::FromStr;

use sha2::{Digest, Sha256};

/// The longest prefix: 16 bits are left to tell streams apart, which is few.
const BITS_MAX: u8 = 112;

/// A network of which every stream has one address: the first bits are the network's, the others come
/// from the SHA-256 of the stream's id. So every node, and every name server, knows them alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamPrefix {
    network: u128,
    bits: u8,
}

/// No such prefix.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not an IPv6 network of at most {BITS_MAX} bits, such as \"2001:db8:5eed::/64\"")]
pub struct PrefixError(String);

impl StreamPrefix {
    /// The address of a stream.
    #[must_use]
    pub fn address(&self, stream: &str) -> Ipv6Addr {
        let hash: [u8; 32] = Sha256::digest(stream).into();
        let (hash, _) = hash.split_at(16);
        let own = hash
            .iter()
            .fold(0u128, |all, byte| all << 8 | u128::from(*byte));
        Ipv6Addr::from(self.network | own & !self.mask())
    }

    fn mask(&self) -> u128 {
        u128::MAX
            .checked_shl(u32::from(128 - self.bits))
            .unwrap_or(0)
    }
}

impl FromStr for StreamPrefix {
    type Err = PrefixError;

    fn from_str(text: &str) -> Result<Self, PrefixError> {
        let wrong = || PrefixError(text.to_owned());
        let (network, bits) = text.split_once('/').ok_or_else(wrong)?;
        let network: Ipv6Addr = network.parse().map_err(|_| wrong())?;
        let bits: u8 = bits.parse().map_err(|_| wrong())?;
        let prefix = Self {
            network: network.into(),
            bits,
        };
        let fits = bits <= BITS_MAX && prefix.network & !prefix.mask() == 0;
        fits.then_some(prefix).ok_or_else(wrong)
    }
}

impl fmt::Display for StreamPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", Ipv6Addr::from(self.network), self.bits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An address lies in the network, is always the same, and no other stream's.
    #[test]
    fn addresses_of_streams() {
        let prefix: StreamPrefix = "2001:db8:5eed::/64".parse().expect("a prefix");
        let news = prefix.address("news");
        assert_eq!(news.segments()[..4], [0x2001, 0xdb8, 0x5eed, 0]);
        // The end is bytes 8 to 15 of SHA-256("news").
        assert_eq!(news.to_string(), "2001:db8:5eed:0:c2c2:6217:bf3b:725c");
        let all: std::collections::HashSet<_> = (0..10_000)
            .map(|n| prefix.address(&format!("s{n}")))
            .collect();
        assert_eq!(all.len(), 10_000);
    }

    /// What is no network, or too small a one, is told by the text itself.
    #[test]
    fn wrong_prefixes() {
        for text in [
            "",
            "2001:db8::",
            "2001:db8::1/64",
            "::/129",
            "2001:db8::/113",
            "10.0.0.0/8",
        ] {
            let error = text.parse::<StreamPrefix>().expect_err(text);
            assert!(error.to_string().contains(text), "{error}");
        }
        let all: StreamPrefix = "::/0".parse().expect("a prefix");
        assert_ne!(all.address("a"), all.address("b"));
    }
}
