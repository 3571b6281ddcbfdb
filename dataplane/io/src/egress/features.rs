//! What a device can do beside sending packets: the feature `tls-hw-tx-offload`.
//!
//! Asked over generic netlink, as ethtool does (`linux/ethtool_netlink.h`, Linux 5.6).

use std::fmt;
use std::io;

use rustix::net::netlink as protocols;

use super::netlink::{Netlink, Request, attribute, attributes, push_attribute, text, u16_at};

/// The feature's name.
const TLS_TRANSMIT: &str = "tls-hw-tx-offload";
/// `struct genlmsghdr`: command, version, two bytes of nothing.
const GENERIC_BYTES: usize = 4;
/// GENL_ID_CTRL, who knows the numbers of the others.
const CONTROLLER: u16 = 16;
const CTRL_CMD_GETFAMILY: u8 = 3;
const CTRL_ATTR_FAMILY_ID: u16 = 1;
const CTRL_ATTR_FAMILY_NAME: u16 = 2;
const ETHTOOL_MSG_FEATURES_GET: u8 = 11;
const ETHTOOL_A_HEADER_DEV_INDEX: u16 = 1;
const ETHTOOL_A_FEATURES_HEADER: u16 = 1;
/// What can be switched.
const ETHTOOL_A_FEATURES_HW: u16 = 2;
/// What is on.
const ETHTOOL_A_FEATURES_ACTIVE: u16 = 4;
const ETHTOOL_A_BITSET_NOMASK: u16 = 1;
const ETHTOOL_A_BITSET_BITS: u16 = 3;
const ETHTOOL_A_BITSET_BIT_NAME: u16 = 2;
const ETHTOOL_A_BITSET_BIT_VALUE: u16 = 3;
/// NLA_F_NESTED.
const NESTED: u16 = 0x8000;

/// Whether a device can seal TLS records that leave by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TlsTransmit {
    /// The kernel does not tell.
    Unknown,
    /// It cannot.
    No,
    /// It can, and is told not to (`ethtool -K DEVICE tls-hw-tx-offload on` tells it to).
    Off,
    /// It can, and does.
    On,
}

impl fmt::Display for TlsTransmit {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            TlsTransmit::Unknown => "unknown",
            TlsTransmit::No => "no",
            TlsTransmit::Off => "off",
            TlsTransmit::On => "on",
        })
    }
}

/// The socket to ethtool's family.
pub(super) struct Ethtool {
    netlink: Netlink,
    family: u16,
}

impl Ethtool {
    /// Fails where the kernel has no such family.
    pub(super) fn open() -> io::Result<Ethtool> {
        let netlink = Netlink::open(Some(protocols::GENERIC), 0)?;
        let fixed = [CTRL_CMD_GETFAMILY, 1, 0, 0];
        let request = Request::one(CONTROLLER, &fixed);
        let answers = netlink.ask(request.attribute(CTRL_ATTR_FAMILY_NAME, b"ethtool\0"))?;
        let mut ids = answers.iter().filter_map(|answer| {
            let value = attribute(&answer.body, GENERIC_BYTES, CTRL_ATTR_FAMILY_ID)?;
            u16_at(value, 0)
        });
        let family = ids.next().ok_or(io::ErrorKind::Unsupported)?;
        Ok(Ethtool { netlink, family })
    }

    pub(super) fn tls_transmit(&self, device: u32) -> TlsTransmit {
        let mut header = Vec::new();
        push_attribute(
            &mut header,
            ETHTOOL_A_HEADER_DEV_INDEX,
            &device.to_ne_bytes(),
        );
        let request = Request::one(self.family, &[ETHTOOL_MSG_FEATURES_GET, 1, 0, 0]);
        let request = request.attribute(ETHTOOL_A_FEATURES_HEADER | NESTED, &header);
        let answers = self.netlink.ask(request).unwrap_or_default();
        answers
            .first()
            .map_or(TlsTransmit::Unknown, |answer| read(&answer.body))
    }
}

fn read(body: &[u8]) -> TlsTransmit {
    let Some(active) = attribute(body, GENERIC_BYTES, ETHTOOL_A_FEATURES_ACTIVE) else {
        return TlsTransmit::Unknown;
    };
    let hardware = attribute(body, GENERIC_BYTES, ETHTOOL_A_FEATURES_HW);
    match (has(active), hardware.is_some_and(has)) {
        (true, _) => TlsTransmit::On,
        (false, true) => TlsTransmit::Off,
        (false, false) => TlsTransmit::No,
    }
}

/// Whether a set of bits with names has the one that is looked for.
fn has(set: &[u8]) -> bool {
    let Some(bits) = attribute(set, 0, ETHTOOL_A_BITSET_BITS) else {
        return false;
    };
    // A set without a mask lists the bits that are set; one with a mask lists others, too.
    let all_are_set = attribute(set, 0, ETHTOOL_A_BITSET_NOMASK).is_some();
    attributes(bits).any(|(_, bit)| {
        let name = attribute(bit, 0, ETHTOOL_A_BITSET_BIT_NAME);
        let is_set = all_are_set || attribute(bit, 0, ETHTOOL_A_BITSET_BIT_VALUE).is_some();
        is_set && name.is_some_and(|name| text(name) == TLS_TRANSMIT)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nest(parts: &[(u16, Vec<u8>)]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (kind, value) in parts {
            push_attribute(&mut bytes, *kind, value);
        }
        bytes
    }

    /// A set of bits: names, and whether each is set; with a mask where `nomask` is not said.
    fn set(nomask: bool, bits: &[(&str, bool)]) -> Vec<u8> {
        let bits = bits.iter().map(|(name, is_set)| {
            let mut parts = vec![(ETHTOOL_A_BITSET_BIT_NAME, name.as_bytes().to_vec())];
            parts.extend(is_set.then_some((ETHTOOL_A_BITSET_BIT_VALUE, Vec::new())));
            (1, nest(&parts))
        });
        let bits: Vec<_> = bits.collect();
        let mut parts = vec![(ETHTOOL_A_BITSET_BITS | NESTED, nest(&bits))];
        parts.extend(nomask.then_some((ETHTOOL_A_BITSET_NOMASK, Vec::new())));
        nest(&parts)
    }

    fn answer(hardware: Vec<u8>, active: Vec<u8>) -> TlsTransmit {
        let mut body = vec![0; GENERIC_BYTES];
        body.extend(nest(&[
            (ETHTOOL_A_FEATURES_HW, hardware),
            (ETHTOOL_A_FEATURES_ACTIVE, active),
        ]));
        read(&body)
    }

    /// Shows each answer: on, off, no, and unknown where there is none.
    #[test]
    fn each_answer_is_read() {
        let (tls, other) = ("tls-hw-tx-offload\0", "tls-hw-rx-offload\0");
        let both = || set(true, &[(other, false), (tls, false)]);
        assert_eq!(answer(both(), both()), TlsTransmit::On);
        assert_eq!(
            answer(both(), set(true, &[(other, false)])),
            TlsTransmit::Off
        );
        assert_eq!(
            answer(set(true, &[]), set(true, &[(other, false)])),
            TlsTransmit::No
        );
        let masked = |is_set| set(false, &[(tls, is_set), (other, true)]);
        assert_eq!(answer(masked(true), masked(false)), TlsTransmit::Off);
        assert_eq!(answer(masked(true), masked(true)), TlsTransmit::On);
        assert_eq!(read(&[0; 4]), TlsTransmit::Unknown);
        assert_eq!(read(&[]), TlsTransmit::Unknown);
    }
}
