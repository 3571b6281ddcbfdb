//! The daemon's own life: reload, drain, kill, bad configurations, no privileges.
#![allow(missing_docs)]

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rustix::process::Signal;
use zonecast_perf::client::{Connection, Want};
use zonecast_tests::bench::{Bench, zonecast};
use zonecast_tests::compare::{fetch_all, in_folder};
use zonecast_tests::config::sha256;
use zonecast_tests::encoder::{Encoder, Shape};
use zonecast_tests::tool::{curl, run, status, text};
use zonecast_tests::{PATIENCE, have, seconds, until};

/// Puts a file on a stream with curl: the status.
async fn put(bench: &Bench, token: &str, path: &str, file: &Path) -> Result<u16> {
    let bearer = format!("Authorization: Bearer {token}");
    let url = format!("http://{}/live/{path}", bench.ingest());
    let file = file.to_string_lossy();
    status(bench, &["-T", &file, "-H", &bearer, &url]).await
}

/// Puts a file, and wants this status.
async fn puts(bench: &Bench, token: &str, path: &str, file: &Path, wanted: u16) -> Result<()> {
    let code = put(bench, token, path, file).await?;
    ensure!(
        code == wanted,
        "PUT {path}: {code}, not {wanted}; the log:\n{}",
        bench.log()?
    );
    Ok(())
}

fn file(bench: &Bench, name: &str, bytes: usize) -> Result<std::path::PathBuf> {
    let path = bench.folder().join(name);
    let body: Vec<u8> = (0..bytes).map(|at| (at * 31 % 251) as u8).collect();
    std::fs::write(&path, body)?;
    Ok(path)
}

async fn reload(bench: &mut Bench, says: &str) -> Result<()> {
    let before = bench.log()?.len();
    bench.config.write()?;
    bench.daemon()?.child().signal(Signal::HUP)?;
    let bench = &*bench;
    until(says, || async {
        bench.log().is_ok_and(|log| log[before..].contains(says))
    })
    .await
}

/// SIGHUP: a new stream can be used at once and a token changes, while the old stream goes
/// on; a file with a mistake is refused whole, with file, line and key, and what ran stays.
#[tokio::test]
async fn reload_takes_all_or_nothing() -> Result<()> {
    if !have(&["curl"]) {
        return Ok(());
    }
    let mut bench = Bench::with_streams("reload", &["news"]).await?;
    let token = bench.config.token.clone();
    let segment = file(&bench, "segment.ts", 100_000)?;
    puts(&bench, &token, "news/0.ts", &segment, 201).await?;
    puts(&bench, &token, "sport/0.ts", &segment, 403).await?;

    bench.config.add_streams(["sport"]);
    reload(&mut bench, "reloaded").await?;
    puts(&bench, &token, "sport/0.ts", &segment, 201).await?;
    for stream in ["news", "sport"] {
        let code = status(&bench, &[&bench.url(&format!("{stream}/0.ts"))]).await?;
        ensure!(code == 200, "{stream}: {code} after the reload");
    }

    // One good change and one mistake: neither is taken.
    let good = bench.config.streams.clone();
    bench.config.add_streams(["third"]);
    bench.config.more = "[[streams]]\nid = \"fourth\"\ncolour = \"red\"\n".to_owned();
    // The last line of a refusal: what is wrong stands before it.
    reload(&mut bench, "was not taken over").await?;
    let log = bench.log()?;
    ensure!(
        log.contains("reload refused: ")
            && log.contains("zonecast.toml:")
            && log.contains("colour"),
        "{log}"
    );
    puts(&bench, &token, "third/0.ts", &segment, 403).await?; // not half taken
    puts(&bench, &token, "sport/1.ts", &segment, 201).await?; // it stays

    bench.config.more.clear();
    bench.config.streams = good;
    let other = "another-token-for-the-news".to_owned();
    bench.config.streams[0].1.clone_from(&other);
    reload(&mut bench, "reloaded").await?;
    puts(&bench, &token, "news/1.ts", &segment, 403).await?;
    puts(&bench, &other, "news/1.ts", &segment, 201).await?;
    bench.passed()
}

/// SIGTERM while a viewer downloads slowly: no new viewers, not ready, but the response in
/// flight comes whole, and the exit code is 0.
#[tokio::test]
async fn sigterm_drains() -> Result<()> {
    if !have(&["curl"]) {
        return Ok(());
    }
    let mut bench = Bench::with_streams("drain", &["news"]).await?;
    let segment = file(&bench, "segment.ts", 3_500_000)?;
    let token = bench.config.token.clone();
    ensure!(
        put(&bench, &token, "news/0.ts", &segment).await? == 201,
        "put"
    );
    let saved = bench.folder().join("saved").to_string_lossy().into_owned();
    let url = bench.url("news/0.ts");
    let certificate = bench
        .config
        .certificate
        .chain_file
        .to_string_lossy()
        .into_owned();
    // More than sockets hold goes at half a megabyte a second.
    let slow = [
        "-sS",
        "--cacert",
        &certificate,
        "--limit-rate",
        "1M",
        "-o",
        &saved,
        &url,
    ];
    let download = run("curl", &slow);
    let target = bench.target();
    let stop = async {
        seconds(0.7).await;
        let begun = std::fs::metadata(&saved).map_or(0, |file| file.len());
        bench.daemon()?.child().signal(Signal::TERM)?;
        seconds(0.5).await;
        let ready = bench
            .daemon()?
            .ask("/readyz")
            .await
            .map(|answer| answer.status());
        let late = Connection::open(&target).await.is_ok();
        let code = bench.ended(Duration::from_secs(15)).await?;
        anyhow::Ok((begun, ready, late, code))
    };
    let (download, stopped) = tokio::join!(download, stop);
    let (begun, ready, late, code) = stopped?;
    let download = download?;
    ensure!(
        begun > 0 && begun < 3_500_000,
        "{begun} bytes before SIGTERM"
    );
    ensure!(download.status.success(), "{}", text(&download));
    ensure!(
        std::fs::read(&saved)? == std::fs::read(&segment)?,
        "other bytes"
    );
    ensure!(!late, "a viewer was accepted while draining");
    ensure!(
        ready.as_ref().is_ok_and(|code| *code == 503),
        "readyz: {ready:?}"
    );
    ensure!(code == Some(0), "{code:?}: {}", bench.log()?);
    bench.passed()
}

/// SIGKILL in mid-work leaves nothing that stops the next start: same ports, same state.
#[tokio::test]
async fn sigkill_leaves_nothing_behind() -> Result<()> {
    if !have(&["ffmpeg", "curl"]) {
        return Ok(());
    }
    let mut bench = Bench::with_streams("sigkill", &["news"]).await?;
    let url = bench.ingest_url(bench.ingest(), "news");
    let encoder = Encoder::new(Shape::LowLatency, url, &bench.config.token);
    let _encoder = encoder.start(&bench, "encoder")?;
    let mut viewer = Connection::open(&bench.target()).await?;
    for _ in 0..3 {
        seconds(1.2).await;
        bench.kill().await?;
        ensure!(
            viewer.get("/live/news/live.mpd", Want::BODY).await.is_err(),
            "it still answers"
        );
        bench.start().await?;
        viewer = Connection::open(&bench.target()).await?;
    }
    let manifest = bench.url("news/live.mpd");
    until("the manifest", || async {
        status(&bench, &[&manifest])
            .await
            .is_ok_and(|code| code == 200)
    })
    .await?;
    bench.passed()
}

/// `zonecast check` and `zonecast serve` name file, line, key and what is allowed, for every
/// mistake at once; a good file is summed up.
#[tokio::test]
async fn bad_configurations_are_explained() -> Result<()> {
    let mut bench = Bench::new("check")?;
    bench.config.add_streams(["news"]);
    bench.config.write()?;
    let (binary, path) = (zonecast(), bench.config.path());
    let (binary, path) = (binary.to_string_lossy(), path.to_string_lossy());
    let good = run(&binary, &["check", "--config", &path]).await?;
    ensure!(good.status.success(), "{}", text(&good));
    ensure!(
        text(&good).contains("stream        news"),
        "{}",
        text(&good)
    );

    let hash = sha256("x");
    let line = |wanted: &str, text: &str| {
        let found = text.lines().position(|line| line.starts_with(wanted));
        found.map(|at| at + 1).context("the line")
    };
    for (mistake, key, allowed) in [
        ("zone = 9", "streams[1].zone", "zone"),
        ("rings = \"1MiB\"", "rings", "expected one of"),
        ("ring = \"1KB\"", "streams[1].ring", "KiB"),
    ] {
        bench.config.more =
            format!("[[streams]]\nid = \"two\"\ntoken_sha256 = \"{hash}\"\n{mistake}\n");
        bench.config.write()?;
        let at = line(mistake, &bench.config.text())?;
        for command in ["check", "serve"] {
            let output = run(&binary, &[command, "--config", &path]).await?;
            let said = text(&output);
            ensure!(
                output.status.code() == Some(1),
                "{command} {mistake}: {said}"
            );
            let place = format!("zonecast.toml:{at}: ");
            ensure!(
                said.contains(&place) && said.contains(key) && said.contains(allowed),
                "{command} {mistake}, at {place}{key}: {said}"
            );
        }
    }
    // Two mistakes in two tables: both are said.
    bench.config.more = "[[streams]]\nid = \"news\"\nzone = 9\n".to_owned();
    bench.config.write()?;
    let both = text(&run(&binary, &["check", "--config", &path]).await?);
    ensure!(
        both.contains("streams[1].zone") && both.contains("streams[1].id"),
        "{both}"
    );
    bench.passed()
}

/// As nobody, with no capability at all: it serves the same bytes, and its log says what it
/// does without.
#[tokio::test]
async fn serves_without_privileges() -> Result<()> {
    if !have(&["ffmpeg", "curl", "setpriv"]) {
        return Ok(());
    }
    let mut bench = Bench::new("nobody")?;
    bench.config.add_streams(["news"]);
    let program = bench.folder().join("as-nobody");
    if rustix::process::geteuid().is_root() {
        // Where nobody may read and run it, wherever the tree lies.
        let copy = bench.folder().join("zonecast");
        std::fs::copy(zonecast(), &copy)?;
        let run = "exec setpriv --reuid 65534 --regid 65534 --clear-groups --no-new-privs \
            --bounding-set=-all --inh-caps=-all";
        std::fs::write(
            &program,
            format!(
                "#!/bin/sh\nulimit -l 8192\n{run} {} \"$@\"\n",
                copy.display()
            ),
        )?;
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755))?;
        bench.config.write()?;
        let names = ["", "zonecast.toml", "cert.pem", "key.pem"];
        for name in names {
            std::os::unix::fs::chown(bench.folder().join(name), Some(65534), Some(65534))?;
        }
    } else {
        let run = format!(
            "#!/bin/sh\nulimit -l 8192\nexec {} \"$@\"\n",
            zonecast().display()
        );
        std::fs::write(&program, run)?;
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755))?;
    }
    bench.start_as(&program).await?;
    let pid = bench.daemon()?.child().id().context("it runs")?;
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let has = |name: &str| {
        status
            .lines()
            .find(|line| line.starts_with(name))
            .map(str::to_owned)
    };
    ensure!(
        has("CapEff:").is_some_and(|line| line.ends_with("\t0000000000000000"))
            && has("Uid:").is_some_and(|line| !line.contains("\t0\t")),
        "{status}"
    );
    let url = bench.ingest_url(bench.ingest(), "news");
    let mut encoder = Encoder::new(Shape::Fmp4, url, &bench.config.token);
    encoder.seconds = Some(3);
    encoder.copy = Some(bench.folder().join("copy"));
    encoder.start(&bench, "encoder")?.wait(PATIENCE).await?;
    fetch_all(&bench, "news", &in_folder(&bench.folder().join("copy"))?).await?;
    let log = bench.log()?;
    for lacks in ["RLIMIT_NOFILE", "RLIMIT_MEMLOCK", "pages"] {
        ensure!(log.contains(lacks), "nothing about {lacks} in\n{log}");
    }
    let metrics = curl(
        &bench,
        &[&format!(
            "http://127.0.0.1:{}/metrics",
            bench.config.ports.admin
        )],
    )
    .await?;
    ensure!(metrics.contains("zonecast_viewers{"), "{metrics}");
    ensure!(bench.stop(PATIENCE).await? == Some(0), "{}", bench.log()?);
    bench.passed()
}
