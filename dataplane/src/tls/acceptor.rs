//! What one listener's handshakes have in common.

use std::sync::Arc;

use rustls::server::{NoServerSessionStorage, ServerConfig};
use rustls::version::{TLS12, TLS13};
use rustls::{SupportedProtocolVersion, crypto::aws_lc_rs::default_provider};

use super::{Certificates, TicketKeys, TlsError};

/// Records that one key may seal before it is replaced: RFC 8446 section 5.5 allows AES-GCM
/// 2^24.5 full-size ones, and a TLS 1.2 response under way may go a quarter over.
pub const RECORDS_PER_KEY: u64 = 1 << 24;

/// Tickets after a TLS 1.3 handshake. A ticket is to be used once (RFC 8446 appendix C.4), and every
/// connection brings the next: a player has as many as it had connections. One costs 4 % of the
/// handshake.
const TICKETS: usize = 1;

/// The versions that a listener speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Versions {
    /// TLS 1.3, and 1.2 for clients that know no better.
    #[default]
    Tls13And12,
    /// TLS 1.3 only.
    Tls13,
    /// TLS 1.2 only, for network cards that seal it. A server that could 1.3 and picks 1.2 marks
    /// that as a downgrade, and clients that know 1.3 abort: so this is a listener of its own.
    Tls12,
}

impl Versions {
    fn supported(self) -> Vec<&'static SupportedProtocolVersion> {
        match self {
            Self::Tls13And12 => vec![&TLS13, &TLS12],
            Self::Tls13 => vec![&TLS13],
            Self::Tls12 => vec![&TLS12],
        }
    }
}

/// How a listener does TLS.
#[derive(Clone, Debug)]
pub struct AcceptorConfig {
    /// What clients get to see.
    pub certificates: Arc<Certificates>,
    /// Keys for tickets; `None`: no tickets, no resumption (ingest).
    pub tickets: Option<Arc<TicketKeys>>,
    /// Versions spoken.
    pub versions: Versions,
    /// Records that one key may seal; [`RECORDS_PER_KEY`] but for tests.
    pub records_per_key: u64,
}

/// Begins handshakes for one listener. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Acceptor {
    pub(super) config: Arc<ServerConfig>,
    pub(super) records_per_key: u64,
}

impl Acceptor {
    /// Checks the configuration. ALPN is `http/1.1`: clients that insist on something else are
    /// refused, those that say nothing are served.
    ///
    /// # Errors
    /// [`TlsError::Configuration`] when rustls refuses it.
    pub fn new(config: AcceptorConfig) -> Result<Self, TlsError> {
        let mut server = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_protocol_versions(&config.versions.supported())
            .map_err(TlsError::Configuration)?
            .with_no_client_auth()
            .with_cert_resolver(config.certificates);
        server.alpn_protocols = vec![b"http/1.1".to_vec()];
        server.enable_secret_extraction = true;
        // Sessions are remembered by the client, in tickets, or not at all; no early data.
        server.session_storage = Arc::new(NoServerSessionStorage {});
        server.max_early_data_size = 0;
        server.send_tls13_tickets = 0;
        if let Some(tickets) = config.tickets {
            server.ticketer = tickets;
            server.send_tls13_tickets = TICKETS;
        }
        Ok(Self {
            config: Arc::new(server),
            records_per_key: config.records_per_key.max(1),
        })
    }
}
