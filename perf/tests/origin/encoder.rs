//! An encoder of its own making, for tests that need names, windows and times of their own.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

pub const SEGMENTS: u32 = 12;
const SEGMENT: Duration = Duration::from_millis(250);

/// An encoder of its own making: a new segment every quarter of a second, names used again
/// after `names` segments, the last `window` listed.
pub struct Encoder {
    pub names: u32,
    pub window: u32,
    pub target_seconds: u32,
}

impl Encoder {
    pub async fn run(&self, tee: std::net::SocketAddr) {
        let mut stream = TcpStream::connect(tee).await.unwrap();
        put(&mut stream, "init.mp4", &noise(7, 900)).await;
        let mut next = tokio::time::Instant::now();
        for index in 0..SEGMENTS {
            next += SEGMENT;
            tokio::time::sleep_until(next).await;
            let name = format!("seg{}.m4s", index % self.names);
            put(&mut stream, &name, &noise(index, 50_000)).await;
            put(&mut stream, "live.m3u8", self.playlist(index).as_bytes()).await;
        }
    }

    fn playlist(&self, newest: u32) -> String {
        let first = (newest + 1).saturating_sub(self.window);
        let mut text = format!(
            "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:{}\n\
             #EXT-X-MEDIA-SEQUENCE:{first}\n#EXT-X-MAP:URI=\"init.mp4\"\n",
            self.target_seconds
        );
        for index in first..=newest {
            text.push_str(&format!("#EXTINF:0.25,\nseg{}.m4s\n", index % self.names));
        }
        if newest + 1 == SEGMENTS {
            text.push_str("#EXT-X-ENDLIST\n");
        }
        text
    }
}

/// Bytes that differ from seed to seed.
fn noise(seed: u32, bytes: u32) -> Vec<u8> {
    (0..bytes)
        .map(|at| (at.wrapping_mul(31).wrapping_add(seed * 101) >> 3) as u8)
        .collect()
}

/// A chunked PUT in two pieces on a kept connection, and its answer.
async fn put(stream: &mut TcpStream, name: &str, body: &[u8]) {
    let head =
        format!("PUT /live/s/{name} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    for half in body.chunks(body.len().div_ceil(2)) {
        stream
            .write_all(format!("{:x}\r\n", half.len()).as_bytes())
            .await
            .unwrap();
        stream.write_all(half).await.unwrap();
        stream.write_all(b"\r\n").await.unwrap();
    }
    stream.write_all(b"0\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        assert_ne!(stream.read_buf(&mut answer).await.unwrap(), 0);
    }
    assert!(answer.starts_with(b"HTTP/1.1 20"));
}
