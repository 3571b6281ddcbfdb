//! TLS without I/O: rustls makes the handshake, and from then on the connection is ours.
//!
//! ```text
//! Certificates, TicketKeys -> Acceptor -> Handshake --finish()--> Session (seal, open)
//!                                          + the bytes that came after the handshake
//! ```
//!
//! Invariants:
//! - Nonces are `iv XOR sequence` in both versions, over the hand-over too; sequences only grow.
//! - No byte after the client's Finished is opened by rustls.
//! - Sealing and opening neither allocate nor wait.
//! - close_notify is sealed only when asked for, so a cut response never looks complete.
//! - No renegotiation, no early data, no records without bound that bring nothing.
//!
//! What does not belong here: sockets, time-outs, and when to send.

mod acceptor;
mod certificates;
mod error;
mod handshake;
mod kernel;
mod keys;
mod opened;
mod opener;
mod record;
mod sealer;
mod session;
mod tickets;

pub use acceptor::{Acceptor, AcceptorConfig, RECORDS_PER_KEY, Versions};
pub use certificates::{CertificatePem, CertificateStore, Certificates};
pub use error::{Fault, TlsError};
pub use handshake::{Handshake, Progress};
pub use opened::Opened;
pub(crate) use record::{ALERT, HANDSHAKE};
pub use rustls::{AlertDescription, CipherSuite, ProtocolVersion};
pub(crate) use sealer::KEY_UPDATE_MESSAGE;
pub use session::{Agreed, Session};
pub use tickets::TicketKeys;
