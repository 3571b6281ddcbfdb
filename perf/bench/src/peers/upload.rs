//! Gives the daemon the objects, as encoders do.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::bed::Bed;

const PATIENCE: Duration = Duration::from_secs(10);

/// The daemon answers when an encoder has been quiet for a moment, so many speak at a time.
const ENCODERS: usize = 64;

/// Puts all objects of a bed.
///
/// # Errors
/// The daemon does not take one.
pub(super) fn all(bed: &Bed, ingest: SocketAddr, token: &str) -> Result<()> {
    let each = &|first: usize| -> Result<()> {
        for number in (first..bed.objects.count()).step_by(ENCODERS) {
            let path = format!("{}{}", bed.url_folder(), bed.objects.name(number));
            put(ingest, &path, token, bed.objects.get(number))
                .with_context(|| format!("PUT {path}"))?;
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let encoders: Vec<_> = (0..ENCODERS)
            .map(|first| scope.spawn(move || each(first)))
            .collect();
        let ended = encoders.into_iter().map(|encoder| {
            let nothing = || bail!("an encoder's thread ended early");
            encoder.join().unwrap_or_else(|_| nothing())
        });
        ended.collect()
    })
}

/// One PUT on a connection of its own.
///
/// # Errors
/// The daemon does not take it.
fn put(ingest: SocketAddr, path: &str, token: &str, body: &[u8]) -> Result<()> {
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
