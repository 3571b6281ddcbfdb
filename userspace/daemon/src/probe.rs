//! Whether the addresses of a configuration can be had, before anything is started.
//!
//! Loops share their addresses with SO_REUSEPORT, and so would a second daemon of the same user,
//! silently: the kernel would then give each of them a part of the viewers. This bind without
//! that option, closed again at once, finds out.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::net::UnixStream;

use zonecast_dataplane::ListenAddress;

use crate::config::{Problem, Settings, written};

/// Every address of `settings` that cannot be had now, with its key and the reason; those in `held` are
/// ours already.
#[must_use]
pub fn addresses(settings: &Settings, held: &[SocketAddr]) -> Vec<Problem> {
    let refused = refused(settings, held).into_iter();
    refused.map(|(_, problem)| problem).collect()
}

/// The same, each with its kind of error.
#[must_use]
pub fn refused(settings: &Settings, held: &[SocketAddr]) -> Vec<(io::ErrorKind, Problem)> {
    let mut all = vec![("admin.listen".to_owned(), &settings.admin)];
    all.extend(
        settings
            .ingest
            .addresses
            .iter()
            .map(|a| ("ingest.listen".to_owned(), a)),
    );
    for (index, listener) in settings.listeners.iter().enumerate() {
        all.push((format!("listeners[{index}].listen"), &listener.address));
    }
    let is_held = |address: &ListenAddress| match address {
        ListenAddress::Tcp(address) => held.iter().any(|held| overlaps(*held, *address)),
        ListenAddress::Unix(_) => false,
    };
    let missing = all.into_iter().filter(|(_, address)| !is_held(address));
    let refused = missing.filter_map(|(key, address)| {
        let error = try_one(address).err()?;
        let text = format!("{}: {}", written(address), explain(&error));
        Some((error.kind(), settings.problem(&key, text)))
    });
    refused.collect()
}

/// Whether our own socket at `held` would keep another from being bound.
fn overlaps(held: SocketAddr, address: SocketAddr) -> bool {
    let any = held.ip().is_unspecified() || address.ip().is_unspecified();
    held.port() == address.port() && (any || held.ip() == address.ip())
}

fn try_one(address: &ListenAddress) -> io::Result<()> {
    match address {
        ListenAddress::Tcp(address) => TcpListener::bind(address).map(drop),
        ListenAddress::Unix(path) => match UnixStream::connect(path) {
            Ok(_) => Err(io::ErrorKind::AddrInUse.into()),
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        },
    }
}

fn explain(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => "the address is in use by another process".to_owned(),
        io::ErrorKind::AddrNotAvailable => "this machine does not have the address".to_owned(),
        io::ErrorKind::PermissionDenied => {
            "not permitted; ports below 1024 need CAP_NET_BIND_SERVICE".to_owned()
        }
        _ => error.to_string(),
    }
}
