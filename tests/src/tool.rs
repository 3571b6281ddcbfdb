//! Programs that run to their end: curl, ffprobe, openssl and the daemon's own commands.

use std::process::{Output, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tokio::process::Command;
use tokio::time::timeout;

use crate::bench::Bench;

const RUN_MAX: Duration = Duration::from_secs(30);

/// Runs a program to its end, at most half a minute; it is killed when this is dropped.
///
/// # Errors
/// It cannot be started, or takes too long.
pub async fn run(program: &str, arguments: &[&str]) -> Result<Output> {
    let mut command = Command::new(program);
    command
        .args(arguments)
        .stdin(Stdio::null())
        .kill_on_drop(true);
    timeout(RUN_MAX, command.output())
        .await
        .with_context(|| format!("{program} {arguments:?} takes more than {RUN_MAX:?}"))?
        .with_context(|| format!("cannot start {program}"))
}

/// Both outputs as text.
#[must_use]
pub fn text(output: &Output) -> String {
    let part = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    part(&output.stdout) + &part(&output.stderr)
}

/// curl, with the bench's certificate trusted: what it writes to standard output.
///
/// # Errors
/// It fails; with what it says.
pub async fn curl(bench: &Bench, arguments: &[&str]) -> Result<String> {
    let certificate = bench.config.certificate.chain_file.to_string_lossy();
    let common = ["-sS", "--cacert", &certificate, "--max-time", "20"];
    let output = run("curl", &[&common, arguments].concat()).await?;
    ensure!(
        output.status.success(),
        "curl {arguments:?}: {}",
        text(&output)
    );
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// curl's status for these arguments; the body is dropped.
///
/// # Errors
/// As [`curl`].
pub async fn status(bench: &Bench, arguments: &[&str]) -> Result<u16> {
    let common = ["-o", "/dev/null", "-w", "%{http_code}"];
    let code = curl(bench, &[&common, arguments].concat()).await?;
    code.parse().with_context(|| format!("status {code:?}"))
}

/// What ffprobe saw of a stream.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Played {
    /// H.264 packets.
    pub video: u64,
    /// AAC packets.
    pub audio: u64,
}

/// Plays a URL with ffprobe to its end, or for the first `seconds` of it.
///
/// # Errors
/// It cannot be played; with what ffprobe says.
pub async fn play(url: &str, seconds: Option<u32>) -> Result<Played> {
    let interval = seconds.map_or_else(|| "%".to_owned(), |seconds| format!("%+{seconds}"));
    let mut arguments = vec!["-v", "error", "-count_packets", "-of", "json"];
    arguments.extend(["-show_entries", "stream=codec_name,nb_read_packets"]);
    arguments.extend(["-read_intervals", &interval, url]);
    let output = run("ffprobe", &arguments).await?;
    let said = text(&output);
    ensure!(output.status.success(), "ffprobe {url}: {said}");
    let found: Value = serde_json::from_slice(&output.stdout)?;
    let mut played = Played::default();
    for stream in found["streams"].as_array().into_iter().flatten() {
        let packets = stream["nb_read_packets"].as_str().unwrap_or_default();
        let packets: u64 = packets.parse().unwrap_or_default();
        match stream["codec_name"].as_str() {
            Some("h264") => played.video += packets,
            Some("aac") => played.audio += packets,
            _ => {}
        }
    }
    ensure!(
        played.video > 0 && played.audio > 0,
        "ffprobe {url} saw {played:?}: {said}"
    );
    Ok(played)
}
