//! Addresses as the maps have them: four words in network order, IPv4 mapped into IPv6.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

/// All zeroes for an unspecified one, of either family.
pub(crate) fn words(address: IpAddr) -> [u32; 4] {
    let mapped = match address {
        IpAddr::V4(v4) if v4.is_unspecified() => Ipv6Addr::UNSPECIFIED,
        IpAddr::V4(v4) => v4.to_ipv6_mapped(),
        IpAddr::V6(v6) => v6,
    };
    let octets = mapped.octets();
    let (words, _) = octets.as_chunks::<4>();
    [0, 1, 2, 3].map(|at| u32::from_ne_bytes(words[at]))
}

/// The address again; a mapped one as IPv4.
pub(crate) fn address(words: [u32; 4]) -> IpAddr {
    let mut octets = [0; 16];
    for (to, word) in octets.chunks_exact_mut(4).zip(words) {
        to.copy_from_slice(&word.to_ne_bytes());
    }
    Ipv6Addr::from(octets).to_canonical()
}

/// A client's network: of IPv6 the first 64 bits, of IPv4 the whole address.
pub(crate) fn client_network(client: IpAddr) -> [u32; 2] {
    let words = words(client.to_canonical());
    match client.to_canonical() {
        IpAddr::V4(_) => [words[2], words[3]],
        IpAddr::V6(_) => [words[0], words[1]],
    }
}

/// An end of a connection.
pub(crate) fn end(words: [u32; 4], port: u16) -> SocketAddr {
    SocketAddr::new(address(words), port)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// There and back, in both families; a mapped address is the IPv4 one.
    #[test]
    fn words_are_the_address() {
        for text in ["192.0.2.7", "2001:db8::7:1", "::1"] {
            let ip: IpAddr = text.parse().expect("an address");
            assert_eq!(address(words(ip)), ip, "{text}");
        }
        let mapped: IpAddr = "::ffff:192.0.2.7".parse().expect("an address");
        let plain: IpAddr = "192.0.2.7".parse().expect("an address");
        assert_eq!(words(mapped), words(plain));
        assert_eq!(words("0.0.0.0".parse().expect("an address")), [0; 4]);
        assert_eq!(words("::".parse().expect("an address")), [0; 4]);
    }

    /// Neighbours of a /64 are one network; IPv4 addresses each their own.
    #[test]
    fn networks() {
        let network = |text: &str| client_network(text.parse().expect("an address"));
        assert_eq!(network("2001:db8::1"), network("2001:db8::ffff:1"));
        assert_ne!(network("2001:db8::1"), network("2001:db8:0:1::1"));
        assert_ne!(network("192.0.2.1"), network("192.0.2.2"));
        assert_eq!(network("::ffff:192.0.2.1"), network("192.0.2.1"));
    }
}
