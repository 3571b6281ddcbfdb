//! `[ingest]`: where encoders connect, and what they may do.

use std::path::PathBuf;

use serde::de::{self, Deserialize, Deserializer, SeqAccess, Visitor};
use zonecast_dataplane::{ConnectionLimits, IngestConfig};

use super::address::Address;
use super::listeners;
use super::report::Report;
use super::token_hash::{self, WrittenHash};
use crate::units::{Bytes, Time};

/// Streams at most that can be allowed.
const STREAMS_MAX: u32 = 65_536;

/// The table `[ingest]`.
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Ingest {
    /// Where encoders connect: one address, or a list.
    pub listen: Addresses,
    /// Whether encoders speak TLS.
    pub tls: bool,
    /// Whether one shared token creates streams by the first PUT.
    pub open: bool,
    /// File with the shared token.
    pub token_file: Option<PathBuf>,
    /// SHA-256 of the shared token.
    pub token_sha256: Option<WrittenHash>,
    /// Ring memory of each track of a stream that was created by its first PUT.
    pub open_ring: Bytes,
    /// Streams at most, configured ones included.
    pub streams_max: u32,
    /// An upload that is silent for this long is aborted.
    pub ingest_idle: Time,
    /// Encoders' connections at most, over all loops.
    pub connections_max: u32,
    /// A TLS handshake may take this long.
    pub handshake_timeout: Time,
    /// A request head may take this long.
    pub header_timeout: Time,
    /// A connection may be quiet this long between requests.
    pub idle_timeout: Time,
    /// Bytes of a request head at most.
    pub head_bytes_max: Bytes,
}

impl Default for Ingest {
    fn default() -> Self {
        Self {
            listen: Addresses(vec![Address::any(8080)]),
            tls: false,
            open: false,
            token_file: None,
            token_sha256: None,
            open_ring: Bytes::mib(64),
            streams_max: 64,
            ingest_idle: Time::seconds(30),
            connections_max: listeners::connections_max(),
            handshake_timeout: listeners::handshake_timeout(),
            header_timeout: listeners::header_timeout(),
            idle_timeout: listeners::idle_timeout(),
            head_bytes_max: listeners::head_bytes_max(),
        }
    }
}

impl Ingest {
    /// As the data plane wants it.
    pub fn resolve(&self, report: &mut Report<'_>) -> IngestConfig {
        self.check(report);
        let file = self.token_file.as_ref();
        let token = token_hash::resolve("ingest", file, self.token_sha256, report);
        let given = self.token_file.is_some() || self.token_sha256.is_some();
        if self.open && !given {
            let text = "open = true needs token_file or token_sha256: whoever has that token may create streams";
            report.error("ingest.open", text);
        }
        if !self.open && given {
            report.warn(
                "ingest",
                "the shared token is of no use without open = true",
            );
        }
        let addresses = self.listen.0.iter();
        IngestConfig {
            addresses: addresses
                .map(|a| a.resolve("ingest.listen", report))
                .collect(),
            tls: self.tls,
            open_token: token.filter(|_| self.open),
            streams_max: self.streams_max,
            ingest_idle: self.ingest_idle.duration(),
            limits: ConnectionLimits {
                connections_max: self.connections_max,
                handshake_timeout: self.handshake_timeout.duration(),
                header_timeout: self.header_timeout.duration(),
                idle_timeout: self.idle_timeout.duration(),
                head_bytes_max: self.head_bytes_max.0 as u32,
                ..ConnectionLimits::default()
            },
        }
    }

    fn check(&self, report: &mut Report<'_>) {
        if self.listen.0.is_empty() {
            report.error(
                "ingest.listen",
                "an empty list is not allowed: at least one address",
            );
        }
        if let Some(public) = self.listen.0.iter().find(|a| a.is_public() && !self.tls) {
            let text = format!(
                "{public} can be reached from other machines without TLS: tokens can be read on the way"
            );
            report.warn("ingest.listen", text);
        }
        let times = [
            ("ingest_idle", self.ingest_idle),
            ("handshake_timeout", self.handshake_timeout),
            ("header_timeout", self.header_timeout),
            ("idle_timeout", self.idle_timeout),
        ];
        let (connections, head) = (self.connections_max, self.head_bytes_max);
        listeners::check_connections("ingest", connections, head, &times, report);
        report.between("ingest.streams_max", self.streams_max, 1, STREAMS_MAX);
    }
}

/// One address, or a list of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Addresses(pub Vec<Address>);

impl<'de> Deserialize<'de> for Addresses {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OneOrMany)
    }
}

struct OneOrMany;

impl<'de> Visitor<'de> for OneOrMany {
    type Value = Addresses;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(r#"an address, such as "[::]:8080", or a list of addresses"#)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Addresses, E> {
        Ok(Addresses(vec![text.parse().map_err(E::custom)?]))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Addresses, A::Error> {
        let mut addresses = Vec::new();
        while let Some(address) = list.next_element()? {
            addresses.push(address);
        }
        Ok(Addresses(addresses))
    }
}
