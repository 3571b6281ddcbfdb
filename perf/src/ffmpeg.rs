//! The encoders: command lines that make a moving picture and a tone and send them live,
//! in each of the shapes that ffmpeg has.
//!
//! HLS sends a segment whole at its end; DASH with `streaming` sends it while it is being
//! encoded. Both keep their connections and go on when the receiver is away.

use std::path::PathBuf;
use std::process::{Command, Stdio};

/// How the stream is packed and sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Muxer {
    /// HLS with fragmented MP4 segments and an init segment.
    HlsFmp4,
    /// HLS with MPEG transport stream segments.
    HlsTs,
    /// DASH with HLS playlists beside the manifest.
    Dash {
        /// Upload each segment while it is being encoded.
        streaming: bool,
    },
}

/// A test stream to encode.
#[derive(Debug, Clone)]
pub struct Encode {
    /// The program.
    pub ffmpeg: PathBuf,
    /// The shape.
    pub muxer: Muxer,
    /// The folder's URL on the ingest, without a slash at its end:
    /// `http://127.0.0.1:8080/live/news`.
    pub folder: String,
    /// The stream's token.
    pub token: String,
    /// Width and height in pixels.
    pub size: (u32, u32),
    /// Of the video.
    pub kilobits_per_second: u32,
    /// A segment's length.
    pub segment_seconds: u32,
    /// Segments in the playlist.
    pub window: u32,
    /// Write the time of day into the picture (see [`can_draw_text`]).
    pub clock: bool,
    /// Send the init segment again after each segment (fMP4 only), for a receiver that
    /// forgets. ffmpeg then closes the connection each time, right behind four objects in
    /// one go and without reading: see the chapter on this in the crate's README.
    pub resend_init: bool,
    /// The tone.
    pub tone_hertz: u32,
    /// Stop by itself; `None` goes on until it is stopped.
    pub seconds: Option<u32>,
}

const FRAMES_PER_SECOND: u32 = 25;

impl Encode {
    /// A stream as the demo sends it: 2 s segments, six in the playlist.
    #[must_use]
    pub fn new(muxer: Muxer, folder: String, token: String) -> Encode {
        Encode {
            ffmpeg: PathBuf::from("ffmpeg"),
            muxer,
            folder,
            token,
            size: (1280, 720),
            kilobits_per_second: 2500,
            segment_seconds: 2,
            window: 6,
            clock: false,
            resend_init: false,
            tone_hertz: 440,
            seconds: None,
        }
    }

    /// The playlist's (or, for DASH, the manifest's) name in the folder.
    #[must_use]
    pub fn entry(&self) -> &'static str {
        match self.muxer {
            Muxer::HlsFmp4 | Muxer::HlsTs => "live.m3u8",
            Muxer::Dash { .. } => "live.mpd",
        }
    }

    /// The command, not started.
    #[must_use]
    pub fn command(&self) -> Command {
        let mut command = Command::new(&self.ffmpeg);
        command.args(self.arguments());
        command
    }

    /// The arguments, to start or to show.
    #[must_use]
    pub fn arguments(&self) -> Vec<String> {
        let (width, height) = self.size;
        let rate = format!("{}k", self.kilobits_per_second);
        let frames = FRAMES_PER_SECOND * self.segment_seconds;
        let mut line = Line::default();
        line.words("-hide_banner -loglevel warning -nostdin");
        line.words("-re -f lavfi -i").word(format!(
            "testsrc2=size={width}x{height}:rate={FRAMES_PER_SECOND}"
        ));
        line.words("-re -f lavfi -i").word(format!(
            "sine=frequency={}:sample_rate=48000",
            self.tone_hertz
        ));
        if let Some(seconds) = self.seconds {
            line.words("-t").word(seconds.to_string());
        }
        if self.clock {
            let text = "drawtext=text='%{localtime}':fontsize=h/14:fontcolor=white:\
                box=1:boxcolor=black@0.6:boxborderw=8:x=w/20:y=h*0.8";
            line.words("-vf").word(text.to_owned());
        }
        line.words("-map 0:v -map 1:a -c:v libx264 -preset ultrafast -tune zerolatency");
        line.words("-pix_fmt yuv420p -sc_threshold 0");
        for (option, value) in [
            ("-g", frames.to_string()),
            ("-keyint_min", frames.to_string()),
            ("-b:v", rate.clone()),
            ("-maxrate", rate.clone()),
            ("-bufsize", rate),
        ] {
            line.words(option).word(value);
        }
        line.words("-c:a aac -b:a 96k -ac 2");
        match self.muxer {
            Muxer::HlsFmp4 => {
                self.hls(&mut line, "m4s");
                line.words("-hls_segment_type fmp4 -hls_fmp4_init_filename init.mp4");
                if self.resend_init {
                    line.words("-hls_fmp4_init_resend 1");
                }
            }
            Muxer::HlsTs => self.hls(&mut line, "ts"),
            Muxer::Dash { streaming } => self.dash(&mut line, streaming),
        }
        line.words("-http_persistent 1 -ignore_io_errors 1 -method PUT");
        line.word(format!("{}/{}", self.folder, self.entry()));
        line.0
    }

    fn hls(&self, line: &mut Line, extension: &str) {
        line.words("-f hls -hls_flags delete_segments+independent_segments -hls_time")
            .word(self.segment_seconds.to_string());
        line.words("-hls_list_size").word(self.window.to_string());
        line.words("-hls_segment_filename")
            .word(format!("{}/index%d.{extension}", self.folder));
        line.words("-headers")
            .word(format!("Authorization: Bearer {}\r\n", self.token));
    }

    fn dash(&self, line: &mut Line, streaming: bool) {
        line.words("-f dash -hls_playlist 1 -seg_duration")
            .word(self.segment_seconds.to_string());
        line.words("-window_size").word(self.window.to_string());
        if streaming {
            line.words("-streaming 1 -ldash 1 -use_template 1 -use_timeline 0");
        }
        // The DASH muxer drops -headers in silence.
        line.words("-http_opts")
            .word(format!("headers=Authorization\\: Bearer {}", self.token));
    }
}

#[derive(Default)]
struct Line(Vec<String>);

impl Line {
    /// Words that have no spaces inside.
    fn words(&mut self, words: &str) -> &mut Line {
        self.0.extend(words.split_whitespace().map(str::to_owned));
        self
    }

    fn word(&mut self, word: String) -> &mut Line {
        self.0.push(word);
        self
    }
}

/// This ffmpeg can write into the picture: it has the filter and a font for it.
#[must_use]
pub fn can_draw_text(ffmpeg: &std::path::Path) -> bool {
    Command::new(ffmpeg)
        .args(["-v", "quiet", "-nostdin", "-f", "lavfi", "-i"])
        .arg("color=size=64x64:duration=0.04,drawtext=text=x")
        .args(["-f", "null", "-"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// This program can be started.
#[must_use]
pub fn available(program: &std::path::Path) -> bool {
    Command::new(program)
        .arg("-version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(muxer: Muxer) -> String {
        let folder = "http://127.0.0.1:1/live/a".to_owned();
        Encode::new(muxer, folder, "T".to_owned())
            .arguments()
            .join(" ")
    }

    /// Each shape carries its token in the way that its muxer does not drop.
    #[test]
    fn tokens_go_with_each_muxer() {
        let hls = line(Muxer::HlsFmp4);
        assert!(hls.contains("-headers Authorization: Bearer T\r\n"));
        assert!(hls.ends_with("-method PUT http://127.0.0.1:1/live/a/live.m3u8"));
        assert!(hls.contains("-g 50 -keyint_min 50"));
        assert!(line(Muxer::HlsTs).contains("/live/a/index%d.ts"));
        let dash = line(Muxer::Dash { streaming: true });
        assert!(dash.contains("-http_opts headers=Authorization\\: Bearer T"));
        assert!(!dash.contains("-headers"));
    }
}
