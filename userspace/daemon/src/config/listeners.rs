//! `[[listeners]]`: where viewers connect.

use zonecast_dataplane::{ConnectionLimits, ListenerConfig};

use super::address::Address;
use super::report::Report;
use crate::units::{Bytes, Time};

/// Connections of one listener at most: what one process can have descriptors for.
const CONNECTIONS_MAX: u32 = 1 << 20;

/// One table `[[listeners]]`.
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Listener {
    /// Its name in logs and metrics; by default its address.
    #[serde(default)]
    pub name: Option<String>,
    /// Where it listens.
    pub listen: Address,
    /// Whether viewers speak TLS here.
    #[serde(default = "tls")]
    pub tls: bool,
    /// Whether the kernel seals what viewers are sent (kTLS), where it can.
    #[serde(default = "kernel_tls")]
    pub kernel_tls: bool,
    /// TLS 1.2 only, so that a network card can seal it.
    #[serde(default)]
    pub nic_tls12: bool,
    /// Only this zone's loops accept here.
    #[serde(default)]
    pub zone: Option<u16>,
    /// Connections at most, over all loops.
    #[serde(default = "connections_max")]
    pub connections_max: u32,
    /// A TLS handshake may take this long.
    #[serde(default = "handshake_timeout")]
    pub handshake_timeout: Time,
    /// A request head may take this long.
    #[serde(default = "header_timeout")]
    pub header_timeout: Time,
    /// A connection may be quiet this long between requests.
    #[serde(default = "idle_timeout")]
    pub idle_timeout: Time,
    /// A whole response may take this long.
    #[serde(default = "request_timeout")]
    pub request_timeout: Time,
    /// Bytes a second that a response must average.
    #[serde(default = "rate_min")]
    pub rate_min: Bytes,
    /// Bytes of a request head at most.
    #[serde(default = "head_bytes_max")]
    pub head_bytes_max: Bytes,
}

fn tls() -> bool {
    true
}

fn kernel_tls() -> bool {
    true
}

pub(super) fn connections_max() -> u32 {
    10_000
}

pub(super) fn handshake_timeout() -> Time {
    Time::seconds(10)
}

pub(super) fn header_timeout() -> Time {
    Time::seconds(10)
}

pub(super) fn idle_timeout() -> Time {
    Time::seconds(60)
}

fn request_timeout() -> Time {
    Time::seconds(120)
}

fn rate_min() -> Bytes {
    Bytes::kib(8)
}

pub(super) fn head_bytes_max() -> Bytes {
    Bytes::kib(8)
}

impl Listener {
    /// A listener at `listen` with the defaults.
    #[must_use]
    pub fn at(listen: Address) -> Self {
        Self {
            name: None,
            listen,
            tls: tls(),
            kernel_tls: kernel_tls(),
            nic_tls12: false,
            zone: None,
            connections_max: connections_max(),
            handshake_timeout: handshake_timeout(),
            header_timeout: header_timeout(),
            idle_timeout: idle_timeout(),
            request_timeout: request_timeout(),
            rate_min: rate_min(),
            head_bytes_max: head_bytes_max(),
        }
    }

    /// Its name in logs and metrics.
    #[must_use]
    pub fn name(&self) -> String {
        self.name.clone().unwrap_or_else(|| self.listen.to_string())
    }

    /// As the data plane wants it; `key` is `listeners[N]`.
    pub fn resolve(&self, key: &str, report: &mut Report<'_>) -> ListenerConfig {
        let limits = ConnectionLimits {
            connections_max: self.connections_max,
            handshake_timeout: self.handshake_timeout.duration(),
            header_timeout: self.header_timeout.duration(),
            idle_timeout: self.idle_timeout.duration(),
            request_timeout: self.request_timeout.duration(),
            rate_min: self.rate_min.0,
            head_bytes_max: self.head_bytes_max.0 as u32,
        };
        let times = [
            ("handshake_timeout", self.handshake_timeout),
            ("header_timeout", self.header_timeout),
            ("idle_timeout", self.idle_timeout),
            ("request_timeout", self.request_timeout),
        ];
        check_connections(
            key,
            self.connections_max,
            self.head_bytes_max,
            &times,
            report,
        );
        if self
            .name
            .as_ref()
            .is_some_and(|name| name.is_empty() || name == "ingest")
        {
            let text = "a name is not empty and not \"ingest\", which is the encoders' listener";
            report.error(&format!("{key}.name"), text);
        }
        if self.nic_tls12 && !(self.tls && self.kernel_tls) {
            let text = "nic_tls12 = true needs tls = true and kernel_tls = true";
            report.error(&format!("{key}.nic_tls12"), text);
        }
        ListenerConfig {
            name: self.name(),
            address: self.listen.resolve(&format!("{key}.listen"), report),
            tls: self.tls,
            kernel_tls: self.kernel_tls,
            nic_tls12: self.nic_tls12,
            zone: self.zone,
            limits,
        }
    }
}

/// What holds for viewers' and encoders' connections alike.
pub(super) fn check_connections(
    key: &str,
    connections_max: u32,
    head_bytes_max: Bytes,
    times: &[(&str, Time)],
    report: &mut Report<'_>,
) {
    report.between(
        &format!("{key}.connections_max"),
        connections_max,
        1,
        CONNECTIONS_MAX,
    );
    let (min, max) = (Bytes::kib(1), Bytes::kib(64));
    report.between(&format!("{key}.head_bytes_max"), head_bytes_max, min, max);
    for (name, time) in times {
        let (min, max) = (Time::millis(100), Time::seconds(24 * 3600));
        report.between(&format!("{key}.{name}"), *time, min, max);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Document;

    /// The defaults of the file are the data plane's own.
    #[test]
    fn defaults_agree_with_the_data_plane() {
        let document = Document::new(String::new());
        let mut report = Report::new("x".as_ref(), &document);
        let ours = Listener::at(Address::local(1))
            .resolve("listeners[0]", &mut report)
            .limits;
        assert_eq!(
            format!("{ours:?}"),
            format!("{:?}", ConnectionLimits::default())
        );
        assert!(report.finish().is_ok_and(|warnings| warnings.is_empty()));
    }
}
