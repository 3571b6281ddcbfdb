//! A small HTTP/1.1 client over TLS or plain TCP, one request at a time on a kept
//! connection, which hashes bodies as they come.
//!
//! A response is only ever returned whole: a body that ends before its length, its last
//! chunk or (where it lasts until the close) its TLS close_notify is
//! [`ClientError::Truncated`]. After any error the connection is not used again.

use std::io;
use std::time::Instant;

use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::wire::{self, Body, ResponseHead};

mod types;
pub use types::{ClientError, Response, Target, Want};

const BUFFER_BYTES: usize = 64 * 1024;

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

/// A kept connection.
pub struct Connection {
    stream: Box<dyn Stream>,
    host: String,
    buffer: Vec<u8>,
    filled: std::ops::Range<usize>,
    reusable: bool,
}

impl Connection {
    /// Connects, and shakes hands where the target says TLS.
    ///
    /// # Errors
    /// [`ClientError::Connect`].
    pub async fn open(target: &Target) -> Result<Connection, ClientError> {
        let address = target.address;
        let failed = |error| ClientError::Connect { address, error };
        let tcp = TcpStream::connect(address).await.map_err(failed)?;
        tcp.set_nodelay(true).map_err(failed)?;
        let stream: Box<dyn Stream> = match &target.tls {
            None => Box::new(tcp),
            Some((config, name)) => {
                let connector = TlsConnector::from(config.clone());
                Box::new(connector.connect(name.clone(), tcp).await.map_err(failed)?)
            }
        };
        Ok(Connection {
            stream,
            host: target.host.clone(),
            buffer: vec![0; BUFFER_BYTES],
            filled: 0..0,
            reusable: true,
        })
    }

    /// Another request may be sent.
    #[must_use]
    pub fn reusable(&self) -> bool {
        self.reusable
    }

    /// GET.
    ///
    /// # Errors
    /// As [`Connection::request`].
    pub async fn get(&mut self, path: &str, want: Want) -> Result<Response, ClientError> {
        self.request("GET", path, &[], want).await
    }

    /// Sends a request without a body and receives the whole response. Cancelling it
    /// leaves a connection that is not reusable.
    ///
    /// # Errors
    /// The connection broke, the body was cut off, unreadable or too long.
    pub async fn request(
        &mut self,
        method: &str,
        path: &str,
        fields: &[(&str, &str)],
        want: Want,
    ) -> Result<Response, ClientError> {
        // Until the response is whole.
        self.reusable = false;
        let mut request = format!("{method} {path} HTTP/1.1\r\nHost: {}\r\n", self.host);
        for (name, value) in fields {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        request.push_str("\r\n");
        let asked = Instant::now();
        self.stream
            .write_all(request.as_bytes())
            .await
            .map_err(ClientError::NoResponse)?;
        self.stream.flush().await.map_err(ClientError::NoResponse)?;
        let head = loop {
            let head = self.head().await?;
            if head.status >= 200 {
                break head;
            }
        };
        let response = self.body(method, head, asked, want).await?;
        self.reusable = !response.head.close;
        Ok(response)
    }

    async fn head(&mut self) -> Result<ResponseHead, ClientError> {
        loop {
            if let Some((head, bytes)) = wire::response_head(&self.buffer[self.filled.clone()])? {
                self.filled.start += bytes;
                return Ok(head);
            }
            self.fill().await.map_err(ClientError::NoResponse)?;
        }
    }

    async fn body(
        &mut self,
        method: &str,
        head: ResponseHead,
        asked: Instant,
        want: Want,
    ) -> Result<Response, ClientError> {
        let mut framing = Body::new(head.framing_for(method));
        let mut hash = Sha256::new();
        let mut length = 0;
        let mut body = Vec::new();
        let mut first_byte = None;
        while !framing.done() {
            if self.filled.is_empty()
                && let Err(error) = self.fill().await
            {
                let proper =
                    error.kind() == io::ErrorKind::UnexpectedEof && error.get_ref().is_none();
                if proper && framing.ended_by_close() {
                    break;
                }
                return Err(ClientError::Truncated {
                    status: head.status,
                    got: length,
                    error,
                });
            }
            let input = &self.buffer[self.filled.clone()];
            let piece = framing.decode(input)?;
            let data = &input[piece.data];
            if !data.is_empty() {
                first_byte.get_or_insert_with(Instant::now);
                hash.update(data);
                length += data.len() as u64;
                if length > want.bytes_max {
                    return Err(ClientError::TooLong(want.bytes_max));
                }
                if want.keep {
                    body.extend_from_slice(data);
                }
            }
            self.filled.start += piece.consumed;
        }
        let last_byte = Instant::now();
        Ok(Response {
            head,
            asked,
            first_byte: first_byte.unwrap_or(last_byte),
            last_byte,
            length,
            sha256: hash.finalize().into(),
            body,
        })
    }

    /// Receives more. The end of the stream is `UnexpectedEof`: a proper one carries no
    /// message of its own, rustls's report of a missing close_notify does.
    async fn fill(&mut self) -> io::Result<()> {
        if self.filled.is_empty() {
            self.filled = 0..0;
        } else if self.filled.end == self.buffer.len() {
            self.buffer.copy_within(self.filled.clone(), 0);
            self.filled = 0..self.filled.len();
        }
        let bytes = self
            .stream
            .read(&mut self.buffer[self.filled.end..])
            .await?;
        if bytes == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.filled.end += bytes;
        Ok(())
    }
}
