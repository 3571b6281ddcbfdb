//! Where a listener listens, as it is written in the file.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;

use serde::de::{Deserialize, Deserializer};
use zonecast_dataplane::ListenAddress;

use super::report::Report;
use crate::units::Text;

/// What an address looks like, for error messages.
const FORM: &str = r#"an IP address with a port, such as "127.0.0.1:8080" or "[::]:8443", or a Unix socket, such as "unix:/run/zonecast/http.sock""#;

/// Bytes of a Unix socket's path at most (`sun_path` without its end, unix(7)).
const UNIX_PATH_MAX: usize = 107;

/// `"127.0.0.1:80"`, `"[::]:443"` or `"unix:/run/zonecast/http.sock"`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address(pub ListenAddress);

impl Address {
    /// A port of every IPv6 and IPv4 address of this machine.
    #[must_use]
    pub fn any(port: u16) -> Self {
        Self(ListenAddress::Tcp(SocketAddr::new(
            IpAddr::from([0u16; 8]),
            port,
        )))
    }

    /// A port that only this machine reaches.
    #[must_use]
    pub fn local(port: u16) -> Self {
        Self(ListenAddress::Tcp(SocketAddr::new(
            Ipv4Addr::LOCALHOST.into(),
            port,
        )))
    }

    /// Whether other machines can reach it.
    #[must_use]
    pub fn is_public(&self) -> bool {
        matches!(self.0, ListenAddress::Tcp(address) if !address.ip().is_loopback())
    }

    /// As the data plane wants it: a socket's path starts at the file's folder.
    pub fn resolve(&self, key: &str, report: &mut Report<'_>) -> ListenAddress {
        let ListenAddress::Unix(path) = &self.0 else {
            return self.0.clone();
        };
        let path = report.path(path);
        if path.as_os_str().len() > UNIX_PATH_MAX {
            let text = format!("{} is longer than {UNIX_PATH_MAX} bytes", path.display());
            report.error(key, text);
        }
        if !path
            .parent()
            .is_some_and(|folder| folder.as_os_str().is_empty() || folder.is_dir())
        {
            report.error(
                key,
                format!("the folder of {} does not exist", path.display()),
            );
        }
        ListenAddress::Unix(path)
    }
}

/// Whether two listeners cannot both have what they ask for.
#[must_use]
pub(super) fn collide(one: &ListenAddress, other: &ListenAddress) -> bool {
    match (one, other) {
        (ListenAddress::Tcp(a), ListenAddress::Tcp(b)) => {
            let any = a.ip().is_unspecified() || b.ip().is_unspecified();
            let same_family = a.is_ipv4() == b.is_ipv4();
            a.port() != 0 && a.port() == b.port() && same_family && (any || a.ip() == b.ip())
        }
        (ListenAddress::Unix(a), ListenAddress::Unix(b)) => a == b,
        _ => false,
    }
}

/// The address as it is written in a configuration.
#[must_use]
pub fn written(address: &ListenAddress) -> String {
    Address(address.clone()).to_string()
}

impl FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.strip_prefix("unix:") {
            Some("") => Err(format!("{text:?} is not {FORM}")),
            Some(path) => Ok(Self(ListenAddress::Unix(PathBuf::from(path)))),
            None => match text.parse() {
                Ok(address) => Ok(Self(ListenAddress::Tcp(address))),
                Err(_) => Err(format!("{text:?} is not {FORM}")),
            },
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            ListenAddress::Tcp(address) => address.fmt(f),
            ListenAddress::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

impl<'de> Deserialize<'de> for Address {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(Text::new(FORM))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> ListenAddress {
        text.parse::<Address>().unwrap().0
    }

    /// What is read is printed the same way.
    #[test]
    fn addresses_are_printed_as_they_are_written() {
        for text in [
            "127.0.0.1:80",
            "[::]:443",
            "[fe80::1%2]:1",
            "unix:/run/x.sock",
            "unix:x",
        ] {
            assert_eq!(text.parse::<Address>().unwrap().to_string(), text);
        }
        for text in [
            "",
            "80",
            "localhost:80",
            "127.0.0.1",
            "::1:80:",
            "unix:",
            "1.2.3.4:99999",
        ] {
            assert!(text.parse::<Address>().is_err(), "{text}");
        }
    }

    /// Two listeners collide on one port of one address, or of all addresses; port 0 never does.
    #[test]
    fn collisions() {
        for (a, b, expected) in [
            ("127.0.0.1:80", "127.0.0.1:80", true),
            ("0.0.0.0:80", "127.0.0.1:80", true),
            ("[::1]:80", "[::]:80", true),
            ("127.0.0.1:80", "127.0.0.1:81", false),
            ("127.0.0.1:80", "127.0.0.2:80", false),
            ("0.0.0.0:80", "[::]:80", false),
            ("127.0.0.1:0", "127.0.0.1:0", false),
            ("unix:/a", "unix:/a", true),
            ("unix:/a", "unix:/b", false),
        ] {
            assert_eq!(collide(&address(a), &address(b)), expected, "{a} {b}");
        }
    }
}
