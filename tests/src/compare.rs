//! Comparison by hash: what curl gets, against what an encoder wrote or a tee saw.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use sha2::{Digest as _, Sha256};
use zonecast_perf::ledger::{Digest, Ledger, State, hex};

use crate::bench::Bench;
use crate::tool::curl;

/// How long an encoder's last uploads may be on their way after its end.
const SETTLE_MAX: Duration = Duration::from_secs(4);

/// Objects by their names: bytes and hash.
pub type Objects = BTreeMap<String, (u64, Digest)>;

/// What a folder has.
///
/// # Errors
/// It cannot be read.
pub fn in_folder(folder: &Path) -> Result<Objects> {
    let mut objects = Objects::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let body = std::fs::read(entry.path())?;
        let name = entry.file_name().to_string_lossy().into_owned();
        objects.insert(name, (body.len() as u64, Sha256::digest(&body).into()));
    }
    Ok(objects)
}

/// The newest complete upload of each of a stream's names, as a tee saw it.
#[must_use]
pub fn in_ledger(ledger: &Ledger, stream: &str) -> Objects {
    let newest = |key: &str| {
        let versions = ledger.versions(key);
        versions
            .iter()
            .rev()
            .find_map(|version| match version.state {
                State::Complete { sha256, length, .. } => Some((length, sha256)),
                State::Open | State::Aborted { .. } => None,
            })
    };
    let keys = ledger.keys();
    let ours = keys.iter().filter_map(|key| {
        let name = key.strip_prefix(stream)?.strip_prefix('/')?;
        Some((name.to_owned(), newest(key)?))
    });
    ours.collect()
}

/// Has curl fetch every one of `wanted` from a stream, by HTTPS over one connection, and
/// compares them. An encoder does not wait for the end of its last uploads: what is not
/// there yet, and a playlist or manifest that is to be replaced, is asked for again for a
/// few seconds. Other bytes than those wanted are wrong at once.
///
/// # Errors
/// curl fails, or something differs; with all that do.
pub async fn fetch_all(bench: &Bench, stream: &str, wanted: &Objects) -> Result<()> {
    ensure!(!wanted.is_empty(), "{stream}: nothing to compare");
    let deadline = Instant::now() + SETTLE_MAX;
    while let Err(differs) = fetch_once(bench, stream, wanted).await {
        if !differs.may_settle || Instant::now() > deadline {
            bail!("{stream}, of {} objects:\n{}", wanted.len(), differs.text);
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Ok(())
}

/// What was not as wanted.
struct Differs {
    may_settle: bool,
    text: String,
}

impl From<anyhow::Error> for Differs {
    fn from(error: anyhow::Error) -> Differs {
        Differs {
            may_settle: false,
            text: format!("{error:#}"),
        }
    }
}

async fn fetch_once(bench: &Bench, stream: &str, wanted: &Objects) -> Result<(), Differs> {
    let folder = tempfile::tempdir_in(bench.folder()).map_err(anyhow::Error::from)?;
    let mut arguments = vec!["-f".to_owned()];
    for name in wanted.keys() {
        let path = folder.path().join(name);
        arguments.extend(["-o".to_owned(), path.to_string_lossy().into_owned()]);
        arguments.push(bench.url(&format!("{stream}/{name}")));
    }
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let fetched = curl(bench, &arguments).await;
    let got = in_folder(folder.path())?;
    let differing: Vec<(&String, String)> = wanted
        .iter()
        .filter(|(name, object)| got.get(*name) != Some(*object))
        .map(|(name, wanted)| {
            let (got, wanted) = (show(got.get(name)), show(Some(wanted)));
            (name, format!("{name}: {got}, not {wanted}\n"))
        })
        .collect();
    if differing.is_empty() {
        return fetched.map(drop).map_err(Differs::from);
    }
    let is_replaced = |name: &str| name.ends_with(".m3u8") || name.ends_with(".mpd");
    let may_settle = differing
        .iter()
        .all(|(name, _)| !got.contains_key(*name) || is_replaced(name));
    let lines: Vec<String> = differing.into_iter().map(|(_, line)| line).collect();
    let text = lines.concat();
    Err(Differs { may_settle, text })
}

fn show(object: Option<&(u64, Digest)>) -> String {
    object.map_or_else(
        || "nothing".to_owned(),
        |(length, sha256)| format!("{length} bytes {}", hex(&sha256[..6])),
    )
}
