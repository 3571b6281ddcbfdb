//! Where a server's time goes: one run of a scenario under `perf record`, and what it found as a
//! flame graph, by zone and loop.
//!
//! The kernel looks many times a second at what the server's threads do, in the kernel and
//! outside. Where there are no hardware counters (most virtual machines) it does so by its own
//! clock, which tells where time goes as well, but nothing of caches.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::bed::Bed;
use crate::peers::Kind;
use crate::points::Leg;
use crate::scenarios::Scenario;

mod flame;
mod stacks;

pub use stacks::Stacks;

/// How to get it.
const MISSING: &str = "perf is not installed: apt-get install linux-perf on Debian, \
                       linux-tools-generic on Ubuntu, perf elsewhere";
/// Looks a second: not a number that something else here does a second.
const FREQUENCY: &str = "397";
/// Stacks are unwound by what the compiler leaves for that, from a copy of so many bytes.
const CALL_GRAPH: &str = "dwarf,16384";
/// Counters, best first.
const EVENTS: [&str; 2] = ["cycles", "cpu-clock"];
const OWN_MOST: usize = 12;

/// One run under perf; writes a flame graph and its stacks, and says what is hottest.
///
/// # Errors
/// There is no perf, it may not look, or the run failed.
pub fn make(scenario: &Scenario, bed: &Bed, kind: Kind, leg: &Leg, out: &Path) -> Result<()> {
    let event = event()?;
    std::fs::create_dir_all(out).with_context(|| format!("cannot make {}", out.display()))?;
    let data = bed.folder().join("perf.data");
    let mut recording = None;
    let figures = scenario.measure_with(bed, kind, leg.case, |peer| {
        recording = Some(Recording::start(peer.pid, event, &data)?);
        Ok(())
    });
    let recording = recording.context("the server did not start");
    // What the run says comes before what its end did to perf.
    let (recording, figures) = match (recording, figures) {
        (Ok(recording), Ok(figures)) => (recording, figures),
        (_, Err(error)) | (Err(error), _) => return Err(error),
    };
    recording.stop()?;
    let (stacks, event) = (Stacks::read(&data)?, looked_by(&data)?);
    let name = format!("profile-{}-{}", scenario.name, kind.label());
    let title = format!(
        "{} {} ({}), {event}, {} samples",
        kind.label(),
        leg.case,
        leg.point,
        stacks.samples()
    );
    println!("{title}\n");
    for (share, symbol) in stacks.own_time(OWN_MOST) {
        println!("{:>6.1} %  {symbol}", share * 100.0);
    }
    if let Some(cost) = figures.get(scenario.headline) {
        println!("\n{} {cost:.3} while perf looked", scenario.headline);
    }
    let folded = out.join(format!("{name}.folded"));
    std::fs::write(&folded, stacks.folded())?;
    let svg = out.join(format!("{name}.svg"));
    std::fs::write(&svg, flame::graph(&stacks, &title)?)?;
    println!("{}\n{}", folded.display(), svg.display());
    Ok(())
}

/// The best event that this machine has.
fn event() -> Result<&'static str> {
    let mut said = String::new();
    for event in EVENTS {
        let mut probe = Command::new("perf");
        probe.args(["record", "-o", "/dev/null", "-e", event, "--", "true"]);
        match probe.stdin(Stdio::null()).output() {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => bail!(MISSING),
            Err(error) => return Err(error).context("perf cannot be started"),
            Ok(output) if output.status.success() => return Ok(event),
            Ok(output) => said = String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        }
    }
    bail!("perf may not look here (sysctl kernel.perf_event_paranoid=1 lets it):\n{said}")
}

/// The event that was counted: perf takes its clock where the machine lacks the one asked for.
fn looked_by(data: &Path) -> Result<String> {
    let mut ask = Command::new("perf");
    let output = ask.args(["evlist", "-i"]).arg(data).output();
    let said = output.context("perf cannot be started")?.stdout;
    let said = String::from_utf8_lossy(&said);
    Ok(said.lines().next().unwrap_or("unknown").to_owned())
}

/// A perf that records.
struct Recording {
    child: Child,
    log: PathBuf,
}

impl Recording {
    fn start(pid: u32, event: &str, data: &Path) -> Result<Recording> {
        let log = data.with_extension("log");
        let output = std::fs::File::create(&log)?;
        let child = Command::new("perf")
            .args(["record", "-e", event, "-F", FREQUENCY])
            .args(["--call-graph", CALL_GRAPH, "-p", &pid.to_string(), "-o"])
            .arg(data)
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .spawn()
            .context("perf cannot be started")?;
        Ok(Recording { child, log })
    }

    /// perf ends with the process that it looks at, which the scenario has ended.
    fn stop(mut self) -> Result<()> {
        let status = self.child.wait()?;
        if !status.success() {
            let said = std::fs::read_to_string(&self.log).unwrap_or_default();
            bail!("perf record: {status}: {}", said.trim());
        }
        Ok(())
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        // It has ended, unless the run failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
