//! `zonecast token`: a secret for encoders, and everything needed to use it.

use std::io::Write;
use std::process::ExitCode;

use anyhow::Context;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::cli::TokenArguments;
use crate::config::{hash, hex};

/// Random bytes of a token.
const TOKEN_BYTES: usize = 32;

/// Makes a token and prints it.
///
/// # Errors
/// When the system has no random numbers, or standard output is closed.
pub fn run(arguments: &TokenArguments) -> anyhow::Result<ExitCode> {
    let token = make()?;
    let mut out = std::io::stdout().lock();
    out.write_all(page(&token, arguments).as_bytes())
        .context("standard output")?;
    Ok(ExitCode::SUCCESS)
}

/// A new token: 32 random bytes in URL-safe base64, 43 characters.
///
/// # Errors
/// When the system has no random numbers.
pub fn make() -> anyhow::Result<String> {
    let mut bytes = [0; TOKEN_BYTES];
    aws_lc_rs::rand::fill(&mut bytes).context("the system gives no random numbers")?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

/// What the command prints.
#[must_use]
pub fn page(token: &str, arguments: &TokenArguments) -> String {
    let stream = arguments.stream.as_str();
    let input = "-re -i INPUT";
    let playlist = live_url(arguments, "index.m3u8");
    format!(
        "\
token   {token}
sha256  {sha256}

# In the configuration (the token itself need not be stored on the server):
[[streams]]
id = \"{stream}\"
token_sha256 = \"{sha256}\"

# HLS with MPEG-TS segments:
{ts}

# HLS with fragmented MP4 segments:
{fmp4}

# DASH, every frame sent as soon as it is encoded:
{dash}

# Encoders that can send no header take the token in the path:
{in_path}
",
        sha256 = hex(&hash(token)),
        ts = hls_ts_line(input, token, &playlist),
        fmp4 = hls_fmp4_line(input, token, &playlist),
        dash = dash_line(input, token, &live_url(arguments, "manifest.mpd")),
        in_path = path_url(arguments, token, "index.m3u8"),
    )
}

fn scheme(arguments: &TokenArguments) -> &'static str {
    if arguments.tls { "https" } else { "http" }
}

fn live_url(arguments: &TokenArguments, path: &str) -> String {
    let stream = arguments.stream.as_str();
    format!(
        "{}://{}/live/{stream}/{path}",
        scheme(arguments),
        arguments.host
    )
}

fn path_url(arguments: &TokenArguments, token: &str, path: &str) -> String {
    let stream = arguments.stream.as_str();
    format!(
        "{}://{}/ingest/{token}/{stream}/{path}",
        scheme(arguments),
        arguments.host
    )
}

/// How every line encodes: a key frame every two seconds, so that segments are cut there.
const ENCODING: &str = "-c:v libx264 -preset veryfast -tune zerolatency -pix_fmt yuv420p \
    -force_key_frames 'expr:gte(t,n_forced*2)' -c:a aac";

/// What all HLS lines have. `-headers` reaches every request of this muxer.
const HLS: &str = "-f hls -hls_time 2 -hls_list_size 6 \
    -hls_flags delete_segments+independent_segments";

/// What keeps an encoder going while the receiver is away for a moment.
const STEADY: &str = "-method PUT -ignore_io_errors 1";

/// An ffmpeg line that sends HLS with MPEG-TS segments, over one connection.
#[must_use]
pub fn hls_ts_line(input: &str, token: &str, url: &str) -> String {
    format!(
        "ffmpeg {input} {ENCODING} \\
  {HLS} \\
  {STEADY} -http_persistent 1 \\
  -headers 'Authorization: Bearer {token}' \\
  {url}"
    )
}

/// An ffmpeg line that sends HLS with fragmented MP4 segments and repeats the init segment, which
/// a receiver that was away would miss for ever. Not over one connection: there ffmpeg (5.1)
/// resets the connection in the middle of the first segment and never repeats the init segment.
#[must_use]
pub fn hls_fmp4_line(input: &str, token: &str, url: &str) -> String {
    format!(
        "ffmpeg {input} {ENCODING} \\
  {HLS} -hls_segment_type fmp4 -hls_fmp4_init_resend 1 \\
  {STEADY} \\
  -headers 'Authorization: Bearer {token}' \\
  {url}"
    )
}

/// An ffmpeg line that sends DASH. This muxer drops `-headers` without a word; `-http_opts` works.
#[must_use]
pub fn dash_line(input: &str, token: &str, url: &str) -> String {
    format!(
        "ffmpeg {input} {ENCODING} \\
  -f dash -seg_duration 2 -window_size 6 -extra_window_size 3 -streaming 1 -ldash 1 \\
  {STEADY} -http_persistent 1 \\
  -http_opts 'headers=Authorization\\: Bearer {token}' \\
  {url}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Tokens differ, are safe in headers and paths, and the page has all that is needed.
    #[test]
    fn a_token_and_its_page() {
        let token = make().unwrap();
        assert_eq!(token.len(), 43);
        assert!(
            token
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
        );
        assert_ne!(token, make().unwrap());
        let arguments = TokenArguments {
            stream: "sport".parse().unwrap(),
            host: "in.example:443".to_owned(),
            tls: true,
        };
        let page = page(&token, &arguments);
        for part in [
            format!("token   {token}\n"),
            format!("token_sha256 = \"{}\"\n", hex(&hash(&token))),
            "https://in.example:443/live/sport/index.m3u8\n".to_owned(),
            "https://in.example:443/live/sport/manifest.mpd\n".to_owned(),
            format!("https://in.example:443/ingest/{token}/sport/index.m3u8\n"),
        ] {
            assert!(page.contains(&part), "{part:?} is missing in\n{page}");
        }
    }
}
