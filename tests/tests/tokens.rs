//! Who may upload: every way in which real encoders carry a token works, wrong ones are
//! refused and said once, and where an encoder comes from does not matter.
#![allow(missing_docs)]

use std::process::Command;

use anyhow::{Context, Result, ensure};
use zonecast_perf::child::Child;
use zonecast_perf::setup::Ports;
use zonecast_tests::bench::{Bench, zonecast};
use zonecast_tests::compare::{fetch_all, in_folder};
use zonecast_tests::encoder::{Encoder, Shape, clip};
use zonecast_tests::tool::{curl, play, run, status, text};
use zonecast_tests::{PATIENCE, have};

const NEEDS: [&str; 3] = ["ffmpeg", "ffprobe", "curl"];
/// Seconds that each encoder here sends.
const SECONDS: u32 = 3;

async fn finish(encoders: impl IntoIterator<Item = Child>) -> Result<()> {
    for mut encoder in encoders {
        let status = encoder.wait(PATIENCE).await?;
        ensure!(
            status.is_some_and(|status| status.success()),
            "{}: {}",
            encoder.name(),
            encoder.log_tail()
        );
    }
    Ok(())
}

fn encoder(shape: Shape, url: String, token: &str, bench: &Bench, name: &str) -> Result<Child> {
    let mut encoder = Encoder::new(shape, url, token);
    encoder.seconds = Some(SECONDS);
    encoder.copy = Some(bench.folder().join(name));
    encoder.start(bench, name)
}

/// Bearer by `-headers` (HLS) and by `-http_opts` (DASH), Basic by `user:password@`, and a
/// token in the path: all objects of all four arrive. The path's token is in no log.
#[tokio::test]
async fn every_way_to_carry_a_token() -> Result<()> {
    if !have(&NEEDS) {
        return Ok(());
    }
    let names = ["headers", "http-opts", "basic", "in-path"];
    let bench = Bench::with_streams("tokens", &names).await?;
    let (address, token) = (bench.ingest(), &bench.config.token);
    let url = |stream| bench.ingest_url(address, stream);
    let basic = format!("http://anybody:{token}@{address}/live/basic");
    let in_path = format!("http://{address}/ingest/{token}/in-path");
    finish([
        encoder(Shape::Ts, url("headers"), token, &bench, "headers")?,
        encoder(Shape::Dash, url("http-opts"), token, &bench, "http-opts")?,
        encoder(Shape::Fmp4, basic, "", &bench, "basic")?,
        encoder(Shape::Ts, in_path, "", &bench, "in-path")?,
    ])
    .await?;
    for name in names {
        fetch_all(&bench, name, &in_folder(&bench.folder().join(name))?).await?;
    }
    let log = bench.log()?;
    ensure!(
        !log.contains(token.as_str()),
        "a token is in the log:\n{log}"
    );
    bench.passed()
}

/// A wrong token: every request is refused (403; 401 with a challenge where there is none),
/// nothing can be watched, and the log has one line a stream with the reason, however many
/// requests there were.
#[tokio::test]
async fn wrong_tokens_are_refused_and_said_once() -> Result<()> {
    if !have(&NEEDS) {
        return Ok(());
    }
    let mut bench = Bench::with_streams("wrong", &["news", "sport"]).await?;
    let url = bench.ingest_url(bench.ingest(), "news");
    let wrong = "a-wrong-token-that-nobody-made";
    finish([encoder(Shape::Ts, url.clone(), wrong, &bench, "wrong")?]).await?;
    ensure!(
        status(&bench, &[&bench.url("news/live.m3u8")]).await? == 404,
        "it can be watched"
    );
    let upload = bench.ingest_url(bench.ingest(), "sport") + "/a.ts";
    let clip = clip()?.to_string_lossy();
    let in_path = format!("http://{}/ingest/{wrong}/sport/a.ts", bench.ingest());
    let bearer = format!("Authorization: Bearer {wrong}");
    let basic = format!("anybody:{wrong}");
    let put = ["-T", &clip, "-H", "Transfer-Encoding: chunked"];
    for more in [
        &["-H", &bearer, &upload][..],
        &["-u", &basic, &upload],
        &[&in_path],
    ] {
        let code = status(&bench, &[&put, more].concat()).await?;
        ensure!(code == 403, "{more:?}: {code}");
    }
    let head = ["-D", "-", "-o", "/dev/null", &upload];
    let answer = curl(&bench, &[&put[..], &head].concat()).await?;
    ensure!(answer.contains(" 401 "), "{answer}");
    ensure!(
        answer.to_lowercase().contains("www-authenticate: basic"),
        "{answer}"
    );
    let log = bench.log()?;
    for stream in ["news", "sport"] {
        let lines = log.lines().filter(|line| {
            line.contains(&format!("stream=\"{stream}\"")) && line.contains("unauthorised")
        });
        let count = lines.count();
        ensure!(count == 1, "{stream}: {count} lines in\n{log}");
    }
    ensure!(!log.contains(wrong), "a token is in the log:\n{log}");
    let streams = bench.daemon()?.streams().await?.to_string();
    ensure!(streams.contains("unauthorised"), "{streams}");
    bench.passed()
}

/// Each thing that `zonecast token` prints works as it is printed: the table in the
/// configuration, every ffmpeg line in a shell (with a clip for INPUT), the URL with the
/// token in its path.
#[tokio::test]
async fn what_zonecast_token_prints_works() -> Result<()> {
    if !have(&NEEDS) {
        return Ok(());
    }
    let mut bench = Bench::new("printed")?;
    let host = bench.ingest().to_string();
    let binary = zonecast();
    let printed = run(
        &binary.to_string_lossy(),
        &["token", "--stream", "news", "--host", &host],
    )
    .await?;
    let page = text(&printed);
    ensure!(printed.status.success(), "{page}");
    let table = page.lines().skip_while(|line| *line != "[[streams]]");
    let table: Vec<&str> = table.take_while(|line| !line.is_empty()).collect();
    ensure!(table.len() == 3, "no table in\n{page}");
    bench.config.more = table.join("\n") + "\nring = \"8MiB\"\n";
    bench.start().await?;
    let joined = page.replace("\\\n", " ");
    let lines: Vec<&str> = joined
        .lines()
        .filter(|line| line.starts_with("ffmpeg "))
        .collect();
    ensure!(lines.len() >= 3, "{lines:?} of\n{page}");
    let input = format!("-nostdin -v warning -t 4.5 -i '{}'", clip()?.display());
    for (number, line) in lines.iter().enumerate() {
        let entry = line.split('/').next_back().context("a URL")?.trim();
        let url = bench.url(&format!("news/{entry}"));
        let mut shell = Command::new("sh");
        shell.arg("-c").arg(line.replace("-i INPUT", &input));
        let log = bench.folder().join(format!("line-{number}.log"));
        let mut child = Child::start("a printed line", shell, &log)?;
        let ended = child.wait(PATIENCE).await?;
        ensure!(
            ended.is_some_and(|ended| ended.success()),
            "{line}\n{}",
            child.log_tail()
        );
        let played = play(&url, None)
            .await
            .with_context(|| format!("{line}\n{}", child.log_tail()))?;
        ensure!(played.video >= 112, "{line}: {played:?}");
    }
    let in_path = joined
        .lines()
        .find(|line| line.contains("/ingest/"))
        .context("no URL")?;
    let folder = in_path.rsplit_once('/').context("no folder")?.0.trim();
    finish([encoder(
        Shape::Ts,
        folder.to_owned(),
        "",
        &bench,
        "in-path",
    )?])
    .await?;
    fetch_all(&bench, "news", &in_folder(&bench.folder().join("in-path"))?).await?;
    bench.passed()
}

/// An encoder that comes back from another address goes on with its stream: first ffmpeg by
/// IPv4, then by IPv6, then curl from 127.0.0.2.
#[tokio::test]
async fn where_an_encoder_comes_from_does_not_matter() -> Result<()> {
    if !have(&NEEDS) {
        return Ok(());
    }
    let mut bench = Bench::with_streams("moves", &["news"]).await?;
    let token = bench.config.token.clone();
    let Ports { ingest, .. } = bench.config.ports;
    for (run, address) in [Ports::four(ingest), bench.config.ports.six(ingest)]
        .into_iter()
        .enumerate()
    {
        let url = bench.ingest_url(address, "news");
        let name = format!("run-{run}");
        finish([encoder(Shape::Fmp4, url, &token, &bench, &name)?]).await?;
        fetch_all(&bench, "news", &in_folder(&bench.folder().join(name))?).await?;
    }
    let first = bench.folder().join("run-0");
    let segment = first.join("live1.m4s");
    let bearer = format!("Authorization: Bearer {token}");
    let url = bench.ingest_url(bench.ingest(), "news") + "/live1.m4s";
    let put = ["-T", &segment.to_string_lossy(), "-H", &bearer, &url];
    let code = status(&bench, &[&["--interface", "127.0.0.2"], &put[..]].concat()).await?;
    ensure!(code == 204, "{code}: it replaces a segment");
    fetch_all(&bench, "news", &in_folder(&first)?).await?;
    let streams = bench.daemon()?.streams().await?;
    ensure!(
        streams.as_array().is_some_and(|all| all.len() == 1),
        "{streams}"
    );
    bench.passed()
}

/// `-hls_flags append_list`: an encoder that starts again reads its own playlist from the
/// ingest and goes on where it ended. (It reads it without `-headers`: the token is in the
/// path, or comes by Basic after a challenge.)
#[tokio::test]
async fn an_encoder_reads_its_own_playlist() -> Result<()> {
    if !have(&NEEDS) {
        return Ok(());
    }
    let bench = Bench::with_streams("append", &["news"]).await?;
    let token = &bench.config.token;
    let address = bench.ingest();
    let in_path = format!("http://{address}/ingest/{token}/news");
    let basic = format!("http://anybody:{token}@{address}/live/news");
    let mut encoder = Encoder::new(Shape::Ts, in_path, "");
    encoder.seconds = Some(SECONDS);
    encoder.options = "-hls_list_size 0 -hls_flags append_list+omit_endlist".to_owned();
    for (run, url) in [("first", None), ("second", None), ("third", Some(basic))] {
        encoder.url = url.unwrap_or(encoder.url);
        finish([encoder.start(&bench, run)?]).await?;
    }
    let playlist = curl(&bench, &[&bench.url("news/live.m3u8")]).await?;
    let segments: Vec<&str> = playlist
        .lines()
        .filter(|line| line.ends_with(".ts"))
        .collect();
    ensure!(segments.len() == 3 * SECONDS as usize, "{playlist}");
    ensure!(playlist.contains("#EXT-X-DISCONTINUITY"), "{playlist}");
    for segment in segments {
        let code = status(&bench, &[&bench.url(&format!("news/{segment}"))]).await?;
        ensure!(code == 200, "{segment}: {code}");
    }
    let own = bench.ingest_url(address, "news") + "/live.m3u8";
    let refused = status(
        &bench,
        &["-H", "Authorization: Bearer no-token-of-ours", &own],
    )
    .await?;
    ensure!(refused == 403, "{refused} for a stranger");
    bench.passed()
}
