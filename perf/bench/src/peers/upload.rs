//! Gives the daemon an object, as an encoder does.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Result, bail};

const PATIENCE: Duration = Duration::from_secs(10);

/// One PUT on a connection of its own.
///
/// # Errors
/// The daemon does not take it.
pub(super) fn put(ingest: SocketAddr, path: &str, token: &str, body: &[u8]) -> Result<()> {
    let mut stream = TcpStream::connect_timeout(&ingest, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    write!(
        stream,
        "PUT {path} HTTP/1.1\r\nHost: {ingest}\r\nAuthorization: Bearer {token}\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    )?;
    stream.write_all(body)?;
    let mut response = Vec::new();
    stream.read_to_end(&mut response)?;
    let response = String::from_utf8_lossy(&response);
    let status = response.split(' ').nth(1).unwrap_or_default();
    if !status.starts_with('2') {
        bail!(
            "refused: {}",
            response.lines().next().unwrap_or("no answer")
        );
    }
    Ok(())
}
