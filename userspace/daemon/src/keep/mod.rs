//! Listening sockets that outlive the daemon, so that a restart, or a crash, refuses nobody: who comes
//! meanwhile waits in a backlog.
//!
//! ```text
//!  start:  systemd's descriptor store, or `zonecast hold` ──▶ take ──▶ the data plane goes on with them
//!  ready:  the data plane's sockets ──▶ keep ──▶ the same place
//! ```
//!
//! Sockets are passed on and never made anew: a new one would be another queue, and what waits in the
//! old one would be reset.

pub mod holder;
pub(crate) mod wire;

use std::net::{SocketAddr, TcpListener};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use listenfd::ListenFd;

use crate::serve::Notifier;

/// Under which name systemd stores them.
const NAME: &str = "zonecast";

/// Who keeps sockets for us.
pub struct Keeper {
    holder: Option<PathBuf>,
    notifier: Notifier,
}

impl Keeper {
    /// The holder at this path, and the supervisor.
    #[must_use]
    pub fn new(holder: Option<&Path>, notifier: Notifier) -> Self {
        Self {
            holder: holder.map(Path::to_owned),
            notifier,
        }
    }

    /// What an earlier daemon had kept. A holder that is not there is warned about.
    #[must_use]
    pub fn take(&self) -> Vec<TcpListener> {
        let mut stored = ListenFd::from_env();
        let mut sockets: Vec<TcpListener> = (0..stored.len())
            .filter_map(|at| stored.take_tcp_listener(at).ok().flatten())
            .collect();
        if let Some(path) = &self.holder {
            match holder::take(path) {
                Ok(held) => sockets.extend(held.into_iter().map(TcpListener::from)),
                Err(error) => tracing::warn!(
                    %error, holder = %path.display(),
                    "nobody holds listening sockets: a restart refuses who comes meanwhile"
                ),
            }
        }
        if !sockets.is_empty() {
            tracing::info!(
                sockets = sockets.len(),
                "listening sockets of an earlier daemon go on"
            );
        }
        sockets
    }

    /// Has these kept, and no others.
    pub fn keep(&self, sockets: &[OwnedFd]) {
        let all: Vec<_> = sockets.iter().map(AsFd::as_fd).collect();
        self.notifier.store(NAME, &all);
        if let Some(path) = &self.holder
            && let Err(error) = holder::keep(path, &all)
        {
            tracing::warn!(%error, holder = %path.display(), "listening sockets are not held");
        }
    }
}

/// Their addresses.
#[must_use]
pub fn addresses(sockets: &[TcpListener]) -> Vec<SocketAddr> {
    let of = |socket: &TcpListener| socket.local_addr().ok();
    sockets.iter().filter_map(of).collect()
}

/// For the data plane.
#[must_use]
pub fn owned(sockets: Vec<TcpListener>) -> Vec<OwnedFd> {
    sockets.into_iter().map(OwnedFd::from).collect()
}
