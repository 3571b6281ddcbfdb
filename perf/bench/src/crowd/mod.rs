//! Viewers in processes of their own (`zonecast-crowd`), as many as descriptors and ports need:
//! half of a large crowd connects to another of the server's addresses, since one address has
//! 28,000 ports for those who connect to it.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::bed::{Bed, SEED};
use crate::peers::Peer;

/// More viewers than this are two processes.
pub const ONE_MAX: u32 = 18_000;
/// Thousands of viewers shake hands and get their first object in this time.
const OPEN_MAX: Duration = Duration::from_secs(300);
/// A stalled viewer's SO_RCVBUF; the kernel doubles it.
const STALLED_BUFFER: usize = 4096;

/// What the viewers do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Does {
    /// Have one object, and are quiet.
    Idle,
    /// Ask for the next one at an interval.
    Asks(Duration),
    /// Ask for one, and never read.
    Stalls,
}

/// Viewers that are there.
pub struct Crowd {
    parts: Vec<Part>,
    viewers: usize,
}

struct Part {
    child: Child,
    /// Its end is the crowd's.
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Crowd {
    /// Connects `viewers`, and waits until all are there.
    ///
    /// # Errors
    /// Not all of them could; what went wrong is on the terminal.
    pub fn open(bed: &Bed, peer: &Peer, does: Does, viewers: usize) -> Result<Crowd> {
        let targets = targets(peer, viewers)?;
        let mut parts = Vec::new();
        for (number, target) in targets.iter().enumerate() {
            let of = viewers / targets.len() + usize::from(number < viewers % targets.len());
            parts.push(Part::start(bed, *target, does, of)?);
        }
        let mut crowd = Crowd { parts, viewers };
        for part in &mut crowd.parts {
            let said = part.line()?;
            if said != "open" {
                bail!("the viewers did not all connect");
            }
        }
        Ok(crowd)
    }

    /// Ends it.
    ///
    /// # Errors
    /// Viewers were lost.
    pub fn finish(mut self) -> Result<()> {
        let mut left = 0;
        for part in &mut self.parts {
            part.input = None;
        }
        for part in &mut self.parts {
            left += part.line()?.parse().unwrap_or(0);
        }
        if left != self.viewers {
            bail!("{left} of {} viewers are left", self.viewers);
        }
        Ok(())
    }
}

fn targets(peer: &Peer, viewers: usize) -> Result<Vec<SocketAddr>> {
    if viewers <= ONE_MAX as usize {
        return Ok(vec![peer.target]);
    }
    let other = peer.other_target;
    let other = other.context("there is one address, which has too few ports for so many")?;
    Ok(vec![peer.target, other])
}

impl Part {
    fn start(bed: &Bed, target: SocketAddr, does: Does, viewers: usize) -> Result<Part> {
        let program = std::env::current_exe()?.with_file_name("zonecast-crowd");
        let mut command = Command::new(&program);
        let mut flag = |name: &str, value: String| {
            command.arg(format!("--{name}={value}"));
        };
        flag("target", target.to_string());
        flag("folder", bed.url_folder().to_owned());
        flag("seed", SEED.to_string());
        flag("objects", bed.objects.count().to_string());
        flag("size", bed.objects.size().to_string());
        flag("connections", viewers.to_string());
        flag("cpu", bed.load_cpu.to_string());
        flag("open-within-s", OPEN_MAX.as_secs().to_string());
        match does {
            Does::Idle => {}
            Does::Asks(interval) => flag("interval-ms", interval.as_millis().to_string()),
            Does::Stalls => flag("stalled-buffer", STALLED_BUFFER.to_string()),
        }
        if !bed.plain {
            flag("root", bed.certificate.chain_file.display().to_string());
        }
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("{} cannot be started", program.display()))?;
        let output = child.stdout.take().context("a crowd has an output")?;
        Ok(Part {
            input: child.stdin.take(),
            output: BufReader::new(output),
            child,
        })
    }

    fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        Ok(line.trim().to_owned())
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        // After a failure it is still there.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
