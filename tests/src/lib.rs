//! What the end-to-end tests share: a bench with a daemon on it ([`mod@bench`], [`config`]),
//! encoders that send one clip in any shape ([`encoder`]), the programs that viewers use
//! ([`tool`]), and comparison by hash ([`compare`]).
//!
//! The tee, the ledger, the verifying viewers and the client are those of `zonecast_perf`.
//! Nothing here shares code with the daemon.
#![forbid(unsafe_code)]

pub mod bench;
pub mod compare;
pub mod config;
pub mod encoder;
pub mod tool;
pub mod watching;

use std::future::Future;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// How long something that happens by itself may take on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(20);

const LOOK: Duration = Duration::from_millis(20);

/// Waits until `look` says that it is so, at most [`PATIENCE`].
///
/// # Errors
/// It never did; with `what` in the message.
pub async fn until<F: Future<Output = bool>>(
    what: &str,
    mut look: impl FnMut() -> F,
) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    while !look().await {
        if Instant::now() >= deadline {
            bail!("{what}: not within {PATIENCE:?}");
        }
        tokio::time::sleep(LOOK).await;
    }
    Ok(())
}

/// Sleeps.
pub async fn seconds(seconds: f64) {
    tokio::time::sleep(Duration::from_secs_f64(seconds)).await;
}

/// Whether all these programs are there; says which one is not.
#[must_use]
pub fn have(programs: &[&str]) -> bool {
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let missing = programs.iter().find(|program| {
        !std::env::split_paths(&folders).any(|folder| folder.join(program).is_file())
    });
    if let Some(program) = missing {
        println!("SKIP: {program} is not installed");
    }
    missing.is_none()
}
