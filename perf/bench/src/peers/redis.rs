//! Redis: producers publish by TLS through stunnel, a subscriber writes what comes as files in
//! memory, and nginx serves them, as the RocketStreams paper set its peer up. One of each, since
//! there is one CPU.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use zonecast_perf::child::Child;

use super::{Process, free_address, listening};
use crate::bed::Bed;

/// Redis, stunnel in front of it, and so many subscribers, each with a folder of its own; where
/// producers connect.
pub(crate) fn start(bed: &Bed, folders: &[&Path]) -> Result<(Vec<Process>, SocketAddr)> {
    let folder = bed.folder().join("redis");
    std::fs::create_dir_all(&folder)?;
    let (redis, tls) = (free_address()?, free_address()?);
    let mut processes = Vec::new();
    let mut begin = |name: &str, command, target| -> Result<()> {
        let log = folder.join(format!("{name}-{}.log", processes.len()));
        let mut child = Child::start(name, command, &log)?;
        if let Some(target) = target {
            listening(&mut child, target).with_context(|| format!("no {name}"))?;
        }
        processes.push(Process::Child(child));
        Ok(())
    };
    begin("redis", server(bed, redis), Some(redis))?;
    begin("stunnel", stunnel(bed, &folder, tls, redis)?, Some(tls))?;
    for folder in folders {
        let mut command = Command::new(&bed.programs.subscriber);
        command.arg(redis.to_string()).arg(folder);
        begin("subscriber", command, None)?;
    }
    Ok((processes, tls))
}

/// Nothing is kept, and no subscriber is cut off for being slow.
fn server(bed: &Bed, address: SocketAddr) -> Command {
    let mut command = Command::new(&bed.programs.redis);
    command
        .args(["--bind", &address.ip().to_string()])
        .args(["--port", &address.port().to_string()])
        .args(["--save", "", "--appendonly", "no", "--protected-mode", "no"])
        .args(["--tcp-backlog", "4096", "--maxclients", "15000"])
        .args(["--client-output-buffer-limit", "pubsub 0 0 0"]);
    command
}

fn stunnel(bed: &Bed, folder: &Path, from: SocketAddr, to: SocketAddr) -> Result<Command> {
    let file = folder.join("stunnel.conf");
    let (chain, key) = (&bed.certificate.chain_file, &bed.certificate.key_file);
    let text = format!(
        "foreground = yes\npid =\ndebug = 3\n[redis]\naccept = {from}\nconnect = {to}\n\
         cert = {}\nkey = {}\nsslVersionMin = TLSv1.3\n",
        chain.display(),
        key.display()
    );
    std::fs::write(&file, text).context("cannot write stunnel.conf")?;
    let mut command = Command::new(&bed.programs.stunnel);
    command.arg(&file);
    Ok(command)
}
