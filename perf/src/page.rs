//! One page that plays the streams in a browser, served on `http://localhost`: plain HTTP,
//! since a self-signed certificate stops players. hls.js is in the binary, so that the
//! page works without a network; media come from the daemon's plain listener.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::wire;

const HLS_JS: &[u8] = include_bytes!("../demo/hls.min.js");
const PAGE: &str = include_str!("../demo/page.html");

const CONNECTIONS_MAX: usize = 64;
const REQUEST_MAX: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(50);

/// The page's server; it ends when dropped.
#[derive(Debug)]
pub struct Page {
    port: u16,
    /// Dropping them ends them.
    _servers: JoinSet<()>,
}

impl Page {
    /// Serves the page for these playlists (name and URL) on a free port of the loopback
    /// addresses, on the current runtime.
    ///
    /// # Errors
    /// No port can be had.
    pub async fn start(playlists: &[(String, String)]) -> io::Result<Page> {
        let four = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let port = four.local_addr()?.port();
        let html: Arc<[u8]> = Arc::from(html(playlists).into_bytes());
        let mut servers = JoinSet::new();
        servers.spawn(serve(four, html.clone()));
        // Browsers may try ::1 first for localhost; they fall back where it is not there.
        if let Ok(six) = TcpListener::bind((Ipv6Addr::LOCALHOST, port)).await {
            servers.spawn(serve(six, html));
        }
        Ok(Page {
            port,
            _servers: servers,
        })
    }

    /// The page's address.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://localhost:{}/", self.port)
    }
}

/// The page with its list of streams filled in.
fn html(playlists: &[(String, String)]) -> String {
    let streams: Vec<serde_json::Value> = playlists
        .iter()
        .map(|(name, url)| serde_json::json!({"name": name, "url": url}))
        .collect();
    // Inside a script, `</` could end it.
    let json = serde_json::Value::from(streams)
        .to_string()
        .replace("</", "<\\/");
    PAGE.replace("/*STREAMS*/[]", &json)
}

async fn serve(listener: TcpListener, html: Arc<[u8]>) {
    let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut answers = JoinSet::new();
    loop {
        while answers.try_join_next().is_some() {}
        let Ok(permit) = room.clone().acquire_owned().await else {
            return;
        };
        let Ok((stream, _)) = listener.accept().await else {
            sleep(PAUSE).await;
            continue;
        };
        let html = html.clone();
        answers.spawn(async move {
            // A browser that breaks off is no trouble of ours.
            let _ = timeout(REQUEST_MAX, answer(stream, &html)).await;
            drop(permit);
        });
    }
}

/// One request a connection.
async fn answer(mut stream: TcpStream, html: &[u8]) -> io::Result<()> {
    let mut input = Vec::new();
    let target = loop {
        match wire::request_head(&input) {
            Ok(Some((head, _))) if head.method == "GET" => break head.target,
            Ok(None) => {}
            Ok(Some(_)) | Err(_) => break String::new(),
        }
        if stream.read_buf(&mut input).await? == 0 {
            return Ok(());
        }
    };
    let (status, kind, body) = match target.split('?').next() {
        Some("/") => ("200 OK", "text/html; charset=utf-8", html),
        Some("/hls.min.js") => ("200 OK", "text/javascript; charset=utf-8", HLS_JS),
        Some("") => ("400 Bad Request", "text/plain", &b"only GET\n"[..]),
        _ => ("404 Not Found", "text/plain", &b"not here\n"[..]),
    };
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\
         Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body).await?;
    stream.shutdown().await
}
