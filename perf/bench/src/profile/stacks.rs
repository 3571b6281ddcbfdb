//! What perf saw, as stacks that are counted: the zone, the thread, then from the outermost
//! function to the innermost.

use std::collections::BTreeMap;
use std::io::BufReader;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use inferno::collapse::Collapse as _;
use inferno::collapse::perf::{Folder, Options};

/// A loop's thread is called `zc-loop-LOOP-zZONE`.
const LOOP: &str = "zc-loop-";
/// What perf is to say of each look: no period, so that looks are counted.
const FIELDS: &str = "comm,pid,tid,time,event,ip,sym,dso";
/// Other threads of the daemon.
const OURS: &str = "zc-";

/// Stacks and how often each was seen.
#[derive(Debug, Clone, PartialEq)]
pub struct Stacks(BTreeMap<String, u64>);

impl Stacks {
    /// Reads what perf recorded.
    ///
    /// # Errors
    /// perf cannot read it, or saw nothing.
    pub(super) fn read(data: &Path) -> Result<Stacks> {
        // Without the names of inlined functions, which take minutes to find.
        let mut script = Command::new("perf")
            .args(["script", "--no-inline", "-F", FIELDS, "-i"])
            .arg(data)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .context("perf cannot be started")?;
        let output = script.stdout.take().context("perf script has an output")?;
        let mut folded = Vec::new();
        let collapsed =
            Folder::from(Options::default()).collapse(BufReader::new(output), &mut folded);
        let status = script.wait()?;
        collapsed.context("what perf script says cannot be read")?;
        let stacks = Stacks::of(&String::from_utf8_lossy(&folded));
        if !status.success() || stacks.0.is_empty() {
            bail!("perf saw nothing ({status})");
        }
        Ok(stacks)
    }

    /// Reads lines `THREAD;FUNCTION;…;FUNCTION COUNT`, and puts the zone in front.
    #[must_use]
    pub fn of(folded: &str) -> Stacks {
        let mut stacks = BTreeMap::new();
        for line in folded.lines() {
            let Some((stack, count)) = line.rsplit_once(' ') else {
                continue;
            };
            let Ok(count) = count.parse::<u64>() else {
                continue;
            };
            let thread = stack.split(';').next().unwrap_or_default();
            let stack = match zone(thread) {
                Some(zone) => format!("{zone};{stack}"),
                None => stack.to_owned(),
            };
            *stacks.entry(stack).or_default() += count;
        }
        Stacks(stacks)
    }

    /// How often perf looked.
    #[must_use]
    pub fn samples(&self) -> u64 {
        self.0.values().sum()
    }

    /// One line each, as flame graphs are made from.
    #[must_use]
    pub fn folded(&self) -> String {
        let lines = self
            .0
            .iter()
            .map(|(stack, count)| format!("{stack} {count}\n"));
        lines.collect()
    }

    /// The functions that most time was spent in themselves, with their share of all.
    #[must_use]
    pub fn own_time(&self, most: usize) -> Vec<(f64, &str)> {
        let mut own: BTreeMap<&str, u64> = BTreeMap::new();
        for (stack, count) in &self.0 {
            *own.entry(stack.rsplit(';').next().unwrap_or_default())
                .or_default() += count;
        }
        let all = self.samples().max(1) as f64;
        let mut shares: Vec<_> = own
            .into_iter()
            .map(|(name, n)| (n as f64 / all, name))
            .collect();
        shares.sort_by(|a, b| b.0.total_cmp(&a.0));
        shares.truncate(most);
        shares
    }
}

/// Where a thread of the daemon belongs.
fn zone(thread: &str) -> Option<String> {
    match thread.strip_prefix(LOOP) {
        Some(rest) => {
            let (_, zone) = rest.rsplit_once("-z")?;
            Some(format!("zone {zone}"))
        }
        None => thread.starts_with(OURS).then(|| "no zone".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FOLDED: &str = "zc-loop-0-z0;main;seal 6\nzc-loop-3-z1;main;seal 2\n\
                          zc-admin;answer 1\nnginx;main;send 1\nzc-loop-3-z1;main;send 2\nno count";

    /// Loops are put below their zones; what is no loop of ours stays what it is.
    #[test]
    fn zones_come_first() {
        let stacks = Stacks::of(FOLDED);
        assert_eq!(stacks.samples(), 12);
        let due = "nginx;main;send 1\nno zone;zc-admin;answer 1\nzone 0;zc-loop-0-z0;main;seal 6\n\
                   zone 1;zc-loop-3-z1;main;seal 2\nzone 1;zc-loop-3-z1;main;send 2\n";
        assert_eq!(stacks.folded(), due);
    }

    /// A function's own time is that of all stacks that it ends.
    #[test]
    fn own_time_is_of_what_ends_a_stack() {
        let stacks = Stacks::of(FOLDED);
        let own = stacks.own_time(2);
        assert_eq!(own.len(), 2);
        assert_eq!(own.first(), Some(&(8.0 / 12.0, "seal")));
        assert_eq!(own.last(), Some(&(3.0 / 12.0, "send")));
    }
}
