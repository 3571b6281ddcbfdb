//! Encoders: ffmpeg's real muxers and its real HTTP, fed with one clip that was encoded
//! before, so that many of them fit on a small machine.
//!
//! The clip has a key frame every second, and every segment lasts one. An encoder can write
//! the same objects to a folder, too: the truth where a tee sees only TLS.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use anyhow::{Context, Result, ensure};
use zonecast_perf::child::Child;

use crate::bench::{Bench, built};

/// Frames a second of the clip.
pub const FRAMES: u64 = 25;
/// The clip's length; encoders that send more begin again.
const CLIP_SECONDS: &str = "40";

/// How a stream is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// HLS, fragmented MP4.
    Fmp4,
    /// HLS, MPEG transport streams.
    Ts,
    /// DASH, segments at their end.
    Dash,
    /// DASH, segments frame by frame while they are encoded.
    LowLatency,
}

impl Shape {
    /// The name of what players open.
    #[must_use]
    pub fn entry(self) -> &'static str {
        match self {
            Shape::Fmp4 | Shape::Ts => "live.m3u8",
            Shape::Dash | Shape::LowLatency => "live.mpd",
        }
    }

    fn muxer(self) -> &'static str {
        match self {
            Shape::Fmp4 => "-f hls -hls_time 1 -hls_segment_type fmp4",
            Shape::Ts => "-f hls -hls_time 1",
            Shape::Dash => "-f dash -seg_duration 1",
            Shape::LowLatency => {
                "-f dash -seg_duration 1 -streaming 1 -ldash 1 -use_template 1 -use_timeline 0"
            }
        }
    }

    fn is_dash(self) -> bool {
        matches!(self, Shape::Dash | Shape::LowLatency)
    }
}

/// An encoder to start.
#[derive(Debug, Clone)]
pub struct Encoder {
    /// How it packs.
    pub shape: Shape,
    /// The folder's URL on the ingest.
    pub url: String,
    /// Sent as Bearer, in the way that the muxer does not drop; none if empty.
    pub token: String,
    /// `-http_persistent`.
    pub persistent: bool,
    /// It ends by itself.
    pub seconds: Option<u32>,
    /// More options of the muxer, without spaces inside.
    pub options: String,
    /// Where the same objects are written to.
    pub copy: Option<PathBuf>,
}

impl Encoder {
    /// One that goes on until it is stopped, and does not care about errors.
    #[must_use]
    pub fn new(shape: Shape, url: String, token: &str) -> Encoder {
        Encoder {
            shape,
            url,
            token: token.to_owned(),
            persistent: false,
            seconds: None,
            options: String::new(),
            copy: None,
        }
    }

    /// Starts it, with its log in the bench's folder.
    ///
    /// # Errors
    /// The clip cannot be made, or ffmpeg not be started.
    pub fn start(&self, bench: &Bench, name: &str) -> Result<Child> {
        let command = self.command()?;
        let log = bench.folder().join(format!("{name}.log"));
        Ok(Child::start(name, command, &log)?)
    }

    fn command(&self) -> Result<Command> {
        let mut command = Command::new("ffmpeg");
        command.args("-hide_banner -loglevel warning -nostdin -re -stream_loop -1 -i".split(' '));
        command.arg(clip()?);
        self.output(&mut command);
        command.args(["-method", "PUT", "-ignore_io_errors", "1"]);
        command.args(["-http_persistent", if self.persistent { "1" } else { "0" }]);
        if !self.token.is_empty() {
            if self.shape.is_dash() {
                command.arg("-http_opts");
                command.arg(format!("headers=Authorization\\: Bearer {}", self.token));
            } else {
                command.arg("-headers");
                command.arg(format!("Authorization: Bearer {}\r\n", self.token));
            }
        }
        command.arg(format!("{}/{}", self.url, self.shape.entry()));
        if let Some(copy) = &self.copy {
            std::fs::create_dir_all(copy)?;
            self.output(&mut command);
            command.arg(copy.join(self.shape.entry()));
        }
        Ok(command)
    }

    fn output(&self, command: &mut Command) {
        if let Some(seconds) = self.seconds {
            command.arg("-t").arg(seconds.to_string());
        }
        command.args("-map 0 -c copy".split(' '));
        command.args(self.shape.muxer().split(' '));
        command.args(self.options.split_whitespace());
    }
}

/// The clip: 40 s of a moving picture and a tone, made once for all tests.
///
/// # Errors
/// It cannot be made.
pub fn clip() -> Result<&'static Path> {
    static CLIP: OnceLock<PathBuf> = OnceLock::new();
    if let Some(clip) = CLIP.get() {
        return Ok(clip);
    }
    let folder = built().join("zonecast-tests");
    let clip = folder.join("clip-1.mp4");
    if !clip.exists() {
        std::fs::create_dir_all(&folder)?;
        let draft = tempfile::Builder::new()
            .suffix(".mp4")
            .tempfile_in(&folder)?;
        let made = Command::new("ffmpeg")
            .args("-hide_banner -loglevel error -nostdin -y".split(' '))
            .args("-f lavfi -i testsrc2=size=320x180:rate=25".split(' '))
            .args("-f lavfi -i sine=frequency=440:sample_rate=48000".split(' '))
            .args(["-t", CLIP_SECONDS])
            .args("-map 0:v -map 1:a -c:v libx264 -preset ultrafast -tune zerolatency".split(' '))
            .args("-pix_fmt yuv420p -sc_threshold 0 -g 25 -keyint_min 25".split(' '))
            .args("-b:v 500k -maxrate 500k -bufsize 500k -c:a aac -b:a 64k -ac 2".split(' '))
            .arg(draft.path())
            .output()
            .context("cannot start ffmpeg")?;
        let said = String::from_utf8_lossy(&made.stderr);
        ensure!(made.status.success(), "the clip: {said}");
        // Whoever comes second replaces it by the same.
        draft.persist(&clip)?;
    }
    Ok(CLIP.get_or_init(|| clip))
}
