//! The stand-in's connections: HTTP/1.1 with keep-alive, bodies framed chunked and by
//! length in turn.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use zonecast_perf::ledger::hex;
use zonecast_perf::wire::{Body, RequestHead, request_head};

use super::{Answer, Origin, Role};

/// An upload is answered once its encoder has been quiet for so long, or has finished.
/// ffmpeg sends several objects in one go, reads no answer and closes: an answer that
/// arrives before its close turns that into a reset, and what it still had to send is lost.
const QUIET: Duration = Duration::from_millis(100);

static CONNECTIONS: AtomicU64 = AtomicU64::new(0);

pub(super) async fn accept(
    origin: Arc<Origin>,
    listener: TcpListener,
    role: Role,
    tls: Option<TlsAcceptor>,
) {
    loop {
        let Ok((tcp, _)) = listener.accept().await else {
            continue;
        };
        let (origin, tls) = (origin.clone(), tls.clone());
        // Connections fall on the two make-believe zones in turn.
        let zone = CONNECTIONS.fetch_add(1, Ordering::Relaxed) as usize % 2;
        tokio::spawn(async move {
            origin.watching[zone].fetch_add(1, Ordering::Relaxed);
            // A peer that breaks off ends its connection, no more.
            let _ = match tls {
                None => converse(&origin, tcp, role, zone).await,
                Some(tls) => match tls.accept(tcp).await {
                    Ok(stream) => {
                        origin.handshakes[zone].fetch_add(1, Ordering::Relaxed);
                        converse(&origin, stream, role, zone).await
                    }
                    Err(error) => Err(error),
                },
            };
            origin.watching[zone].fetch_sub(1, Ordering::Relaxed);
        });
    }
}

async fn converse<S>(origin: &Origin, mut stream: S, role: Role, zone: usize) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut input = Vec::new();
    let mut held = Vec::new();
    for turn in 0.. {
        let (head, text) = loop {
            match request_head(&input).map_err(io::Error::other)? {
                Some((head, bytes)) => {
                    let text = String::from_utf8_lossy(&input[..bytes]).into_owned();
                    input.drain(..bytes);
                    break (head, text);
                }
                None => match timeout(QUIET, stream.read_buf(&mut input)).await {
                    Ok(read) => {
                        if read? == 0 {
                            stream.write_all(&held).await?;
                            return stream.shutdown().await;
                        }
                    }
                    Err(_) => {
                        stream.write_all(&held).await?;
                        stream.flush().await?;
                        held.clear();
                    }
                },
            }
        };
        let body = body(&mut stream, &mut input, &head).await?;
        match (role, head.method.as_str()) {
            (Role::Ingest, "PUT" | "DELETE") => {
                let status = match (head.method.as_str(), allowed(origin, &text)) {
                    (_, false) => 403,
                    ("PUT", true) => origin.put(&head.target, body),
                    _ => 204,
                };
                let length = if status == 204 {
                    ""
                } else {
                    "Content-Length: 0\r\n"
                };
                let answer = format!("HTTP/1.1 {status} X\r\n{length}\r\n");
                held.extend_from_slice(answer.as_bytes());
            }
            (Role::Viewers, "GET") => {
                let answer = origin.get(&head.target).await;
                origin.sent[zone].fetch_add(answer.body.len() as u64, Ordering::Relaxed);
                if !send(&mut stream, answer, turn % 2 == 0).await? {
                    return Ok(());
                }
            }
            (Role::Admin, "GET") => {
                let text = origin.admin(&head.target);
                let status = if text.is_some() { 200 } else { 404 };
                let body = Arc::from(text.unwrap_or_default().into_bytes());
                let answer = Answer {
                    status,
                    body,
                    delay: Duration::ZERO,
                    cut: false,
                };
                send(&mut stream, answer, false).await?;
            }
            _ => {
                stream
                    .write_all(b"HTTP/1.1 405 No\r\nContent-Length: 0\r\n\r\n")
                    .await?
            }
        }
        stream.flush().await?;
        if head.close {
            stream.write_all(&held).await?;
            return stream.shutdown().await;
        }
    }
    Ok(())
}

fn allowed(origin: &Origin, head: &str) -> bool {
    let Some(wanted) = &origin.token else {
        return true;
    };
    head.lines()
        .filter_map(|line| line.strip_prefix("Authorization: Bearer "))
        .any(|token| hex(&Sha256::digest(token.trim().as_bytes())) == *wanted)
}

async fn body<S>(stream: &mut S, input: &mut Vec<u8>, head: &RequestHead) -> io::Result<Vec<u8>>
where
    S: AsyncRead + Unpin,
{
    let mut framing = Body::new(head.framing);
    let mut body = Vec::new();
    while !framing.done() {
        if input.is_empty() && stream.read_buf(input).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let piece = framing.decode(input).map_err(io::Error::other)?;
        body.extend_from_slice(&input[piece.data]);
        input.drain(..piece.consumed);
    }
    Ok(body)
}

/// Sends an answer; whether the connection goes on.
async fn send<S>(stream: &mut S, answer: Answer, chunked: bool) -> io::Result<bool>
where
    S: AsyncWrite + Unpin,
{
    let Answer {
        status,
        body,
        delay,
        cut,
    } = answer;
    tokio::time::sleep(delay).await;
    if chunked {
        let head = format!("HTTP/1.1 {status} X\r\nTransfer-Encoding: chunked\r\n\r\n");
        stream.write_all(head.as_bytes()).await?;
        for (index, chunk) in body.chunks(10_000).enumerate() {
            if cut && index > 0 {
                break;
            }
            stream
                .write_all(format!("{:x}\r\n", chunk.len()).as_bytes())
                .await?;
            stream.write_all(chunk).await?;
            stream.write_all(b"\r\n").await?;
        }
        if !cut {
            stream.write_all(b"0\r\n\r\n").await?;
        }
    } else {
        let head = format!(
            "HTTP/1.1 {status} X\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).await?;
        let end = if cut { body.len() / 2 } else { body.len() };
        stream.write_all(&body[..end]).await?;
    }
    stream.flush().await?;
    if cut {
        stream.shutdown().await?;
    }
    Ok(!cut)
}
