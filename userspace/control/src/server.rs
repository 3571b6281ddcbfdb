//! The admin server: its thread, its socket, and the limits of its connections.

use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use zonecast_dataplane::ListenAddress;

use crate::routes;
use crate::socket::Socket;
use crate::source::Source;

/// Threads that may wait for the data plane at once.
const WAITING_THREADS_MAX: usize = 4;

/// Pause after a failed accept, which is mostly a lack of descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Where the server listens, and on which CPUs it runs.
#[derive(Clone, Debug)]
pub struct AdminConfig {
    /// Its address.
    pub listen: ListenAddress,
    /// CPUs that zones keep back for control; empty lets the kernel choose.
    pub cpus: Vec<usize>,
    /// What its connections may take.
    pub limits: AdminLimits,
}

/// What the server's connections may take.
#[derive(Clone, Copy, Debug)]
pub struct AdminLimits {
    /// Connections at most; more wait in the backlog.
    pub connections_max: usize,
    /// A request head may take this long, counted from when it could begin.
    pub header_timeout: Duration,
    /// The data plane may take this long to answer (503).
    pub answer_timeout: Duration,
    /// A connection is closed after this long.
    pub connection_timeout: Duration,
}

impl Default for AdminLimits {
    fn default() -> Self {
        Self {
            connections_max: 64,
            header_timeout: Duration::from_secs(30),
            answer_timeout: Duration::from_secs(5),
            connection_timeout: Duration::from_secs(600),
        }
    }
}

/// Why the admin server cannot start.
#[derive(Debug, thiserror::Error)]
#[error("admin API at {address}: {source}")]
pub struct AdminError {
    /// The address from the configuration.
    pub address: String,
    /// What the system said.
    pub source: io::Error,
}

/// A running admin server. Dropping it ends it.
#[derive(Debug)]
pub struct Admin {
    address: ListenAddress,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Admin {
    /// Binds the address and starts the server's thread.
    ///
    /// # Errors
    /// When the address cannot be bound or the thread not be started.
    pub fn start(config: AdminConfig, source: Arc<dyn Source>) -> Result<Self, AdminError> {
        let address = match &config.listen {
            ListenAddress::Tcp(address) => address.to_string(),
            ListenAddress::Unix(path) => format!("unix:{}", path.display()),
        };
        Self::start_inner(config, source).map_err(|source| AdminError { address, source })
    }

    fn start_inner(config: AdminConfig, source: Arc<dyn Source>) -> io::Result<Self> {
        let AdminConfig {
            listen,
            cpus,
            limits,
        } = config;
        let (socket, address) = Socket::bind(listen)?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .max_blocking_threads(WAITING_THREADS_MAX)
            .thread_name("zc-admin-ask")
            .build()?;
        let (stop, stopped) = oneshot::channel();
        let router = routes::router(source, limits.answer_timeout);
        let serve = move || {
            if !cpus.is_empty()
                && let Err(error) = zonecast_numa::pin::pin_current_thread_to(&cpus)
            {
                tracing::warn!(%error, ?cpus, "the admin server runs on any CPU");
            }
            runtime.block_on(accept(socket, router, limits, stopped));
            runtime.shutdown_background();
        };
        let thread = std::thread::Builder::new()
            .name("zc-admin".to_owned())
            .spawn(serve)?;
        Ok(Self {
            address,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    /// The address, with the port that was really taken.
    #[must_use]
    pub fn address(&self) -> &ListenAddress {
        &self.address
    }
}

impl Drop for Admin {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the admin server's thread panicked");
        }
        if let ListenAddress::Unix(path) = &self.address {
            let _ = std::fs::remove_file(path);
        }
    }
}

/// Accepts as many connections as are allowed, until told to stop.
async fn accept(
    socket: Socket,
    router: Router,
    limits: AdminLimits,
    mut stopped: oneshot::Receiver<()>,
) {
    let places = Arc::new(Semaphore::new(limits.connections_max));
    let serving = async {
        match socket {
            Socket::Tcp(socket) => {
                let socket = TcpListener::from_std(socket)?;
                loop {
                    let place = take(&places).await;
                    let accepted = socket.accept().await.map(|(stream, _)| stream);
                    connection(accepted, place, &router, limits).await;
                }
            }
            Socket::Unix(socket) => {
                let socket = UnixListener::from_std(socket)?;
                loop {
                    let place = take(&places).await;
                    let accepted = socket.accept().await.map(|(stream, _)| stream);
                    connection(accepted, place, &router, limits).await;
                }
            }
        }
    };
    tokio::select! {
        ended = serving => {
            let ended: io::Result<std::convert::Infallible> = ended;
            let Err(error) = ended;
            tracing::error!(%error, "the admin API has ended");
        }
        _ = &mut stopped => {}
    }
}

async fn take(places: &Arc<Semaphore>) -> OwnedSemaphorePermit {
    let place = Arc::clone(places).acquire_owned().await;
    place.expect("the semaphore is never closed")
}

/// Serves one connection on a task of its own; the place is free again when it ends.
async fn connection<S>(
    accepted: io::Result<S>,
    place: OwnedSemaphorePermit,
    router: &Router,
    limits: AdminLimits,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let stream = match accepted {
        Ok(stream) => stream,
        Err(error) => {
            tracing::debug!(%error, "the admin API cannot accept");
            tokio::time::sleep(ACCEPT_PAUSE).await;
            return;
        }
    };
    let service = TowerToHyperService::new(router.clone());
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header_timeout)
        .max_buf_size(16 << 10)
        .serve_connection(TokioIo::new(stream), service);
    tokio::spawn(async move {
        // What goes wrong with one connection is its peer's affair.
        let _ = tokio::time::timeout(limits.connection_timeout, connection).await;
        drop(place);
    });
}
