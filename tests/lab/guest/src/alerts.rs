//! A client that says nothing but alerts: a handshake by rustls, and then records that the kernel seals.

use crate::socket::{Way, kernel_tls_with, send_record};
use anyhow::{Result, bail};
use rustls::{ClientConfig, ClientConnection, ConnectionTrafficSecrets};
use rustls_pki_types::ServerName;
use std::io::{ErrorKind, Read};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

const ALERT: u8 = 21;
/// A server that has had enough of them ends the connection within this time.
const PATIENCE: Duration = Duration::from_secs(20);

/// Sends the same alert again and again (TLS 1.3, AES-128-GCM); how many the server let itself be told
/// before it ended the connection.
pub(crate) fn flood(
    config: &ClientConfig,
    server: SocketAddr,
    alert: [u8; 2],
    most: usize,
) -> Result<usize> {
    let mut config = config.clone();
    config.enable_secret_extraction = true;
    let mut tls = ClientConnection::new(Arc::new(config), ServerName::try_from("localhost")?)?;
    let mut socket = TcpStream::connect(server)?;
    while tls.is_handshaking() || tls.wants_write() {
        tls.complete_io(&mut socket)?;
    }
    let (sequence, secrets) = tls.dangerous_extract_secrets()?.tx;
    let ConnectionTrafficSecrets::Aes128Gcm { key, iv } = secrets else {
        bail!("another cipher than AES-128-GCM");
    };
    let (salt, nonce) = iv.as_ref().split_at(4);
    let mut info = [0; 40];
    info[..2].copy_from_slice(&0x0304_u16.to_ne_bytes());
    info[2..4].copy_from_slice(&51_u16.to_ne_bytes());
    for (at, part) in [(4, nonce), (12, key.as_ref()), (28, salt)] {
        info[at..at + part.len()].copy_from_slice(part);
    }
    info[32..].copy_from_slice(&sequence.to_be_bytes());
    kernel_tls_with(&socket, Way::Send, &info)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    for sent in 0..most {
        match send_record(&socket, ALERT, &alert) {
            Ok(()) => {}
            Err(error) if is_end(error.kind()) => return Ok(sent),
            Err(error) => return Err(error.into()),
        }
    }
    let mut rest = [0; 4096];
    loop {
        match socket.read(&mut rest) {
            Ok(0) => return Ok(most),
            Ok(_) => {}
            Err(error) if is_end(error.kind()) => return Ok(most),
            Err(error) => bail!("{most} alerts, and the server goes on: {error}"),
        }
    }
}

fn is_end(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::BrokenPipe | ErrorKind::ConnectionReset)
}
