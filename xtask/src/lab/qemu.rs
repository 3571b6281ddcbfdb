//! The virtual machine: two NUMA nodes with two CPUs and 2 GB each, or one CPU whose instructions
//! are counted; a serial line, no disk and no network. It is ended by its handle when it takes too
//! long, and dies with this program.

use super::console::{Console, Said};
use super::kernels::Kernel;
use super::suites::Suite;
use super::trees::Tools;
use crate::Result;
use crate::process::send_lines;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

/// How often a silent guest is looked at.
const LOOK: Duration = Duration::from_millis(500);
/// A guest that says nothing for this long hangs: every step says something in the end.
const SILENCE_MAX: Duration = Duration::from_secs(150);
/// The same where instructions are counted, which one thread of the host does.
const COUNTING_SILENCE_MAX: Duration = Duration::from_secs(400);
/// How often a silent guest is spoken of.
const STILL: Duration = Duration::from_secs(15);
/// What boot and shutdown may add to the suites' own limits.
const AROUND: Duration = Duration::from_secs(180);

/// The CPU is emulated, so it is the same everywhere.
const NODES: [&str; 18] = [
    "-accel",
    "tcg,thread=multi",
    "-cpu",
    "max",
    "-smp",
    "4,sockets=2,cores=2,threads=1",
    "-m",
    "4G",
    "-object",
    "memory-backend-ram,id=m0,size=2048M",
    "-object",
    "memory-backend-ram,id=m1,size=2048M",
    "-numa",
    "node,nodeid=0,memdev=m0,cpus=0-1",
    "-numa",
    "node,nodeid=1,memdev=m1,cpus=2-3",
    "-numa",
    "dist,src=0,dst=1,val=20",
];

/// Time is instructions: one is a nanosecond, and a CPU that waits skips to what it waits for. There
/// is one CPU, since all would share the one clock. A string instruction is one instruction whatever
/// it moves, so the kernel is kept from copying with one.
const COUNTING: [&str; 12] = [
    "-accel",
    "tcg,thread=single",
    "-icount",
    "shift=0,sleep=off",
    "-rtc",
    "base=2026-01-01,clock=vm",
    "-cpu",
    "max,-erms,-fsrm",
    "-smp",
    "1",
    "-m",
    "2G",
];

/// What both have.
const MACHINE: [&str; 7] = [
    "-M",
    "q35",
    "-nodefaults",
    "-no-user-config",
    "-display",
    "none",
    "-no-reboot",
];

/// Which machine.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Machine {
    /// Two nodes with two CPUs and 2 GB each.
    Nodes,
    /// One CPU and 2 GB; virtual time counts instructions. All chance in it comes of the seed, so
    /// boots with the same seed are alike to the last instruction.
    Counting { seed: usize },
}

impl Machine {
    fn arguments(self) -> Vec<String> {
        let (arguments, seed) = match self {
            Machine::Nodes => (&NODES[..], None),
            Machine::Counting { seed } => (&COUNTING[..], Some(seed)),
        };
        let mut arguments: Vec<_> = arguments.iter().map(|&word| word.to_owned()).collect();
        if let Some(seed) = seed {
            arguments.extend([String::from("-seed"), seed.to_string()]);
        }
        arguments
    }

    /// How long it may say nothing.
    fn silence_max(self) -> Duration {
        match self {
            Machine::Nodes => SILENCE_MAX,
            Machine::Counting { .. } => COUNTING_SILENCE_MAX,
        }
    }

    /// What its kernel is told beyond the usual.
    fn words(self) -> &'static str {
        match self {
            Machine::Nodes => "",
            Machine::Counting { .. } => "norandmaps nokaslr ",
        }
    }
}

/// What every kernel is told.
const KERNEL: &str = "console=ttyS0 quiet panic=-1 oops=panic mitigations=off tsc=reliable";

/// One boot of one kernel.
pub(super) struct Guest<'a> {
    pub(super) tools: &'a Tools,
    pub(super) kernel: &'a Kernel,
    pub(super) initramfs: &'a Path,
    pub(super) machine: Machine,
    /// What the guest's first process is told beyond its suites.
    pub(super) words: String,
}

impl Guest<'_> {
    /// Boots, has the suites run, and listens to the end. `show` sees what a person reads.
    pub(super) fn run(&self, suites: &[Suite], mut show: impl FnMut(&Said)) -> Result<Console> {
        let names: Vec<_> = suites.iter().map(|suite| suite.name).collect();
        let mut command = self.command(&format!("lab.suites={}", names.join(",")))?;
        command.args(["-serial", "stdio"]);
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        let limit = suites.iter().map(|s| s.limit).sum::<Duration>() + AROUND;
        let mut child = Running::start(command)?;
        let lines = child.lines();
        let (started, mut console) = (Instant::now(), Console::new(suites));
        let mut told = 0;
        let why = loop {
            match lines.recv_timeout(LOOK) {
                Ok(line) => show(&console.line(&line)),
                Err(RecvTimeoutError::Disconnected) => break None,
                Err(RecvTimeoutError::Timeout) => {}
            }
            if let Some(at) = console.still(STILL, &mut told) {
                show(&Said::Other(format!("… {at}")));
            }
            if started.elapsed() > limit {
                break Some(format!("not done after {} s in all", limit.as_secs()));
            }
            if let Some(why) = console.overdue(self.machine.silence_max()) {
                break Some(why);
            }
        };
        drop(child);
        console.close(why);
        Ok(console)
    }

    /// Boots to a prompt on this terminal.
    pub(super) fn shell(&self) -> Result<()> {
        let mut command = self.command("lab.shell")?;
        command.args(["-serial", "mon:stdio"]);
        let status = command.status().map_err(|e| format!("QEMU: {e}"))?;
        status
            .success()
            .then_some(())
            .ok_or_else(|| format!("QEMU: {status}"))
    }

    fn command(&self, words: &str) -> Result<Command> {
        let share = self.tools.root.join("usr/share");
        // Ends QEMU when this program ends, however it does.
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL"]);
        let qemu = self.tools.command("qemu-system-x86_64")?;
        command.arg(qemu.get_program()).args(qemu.get_args());
        for folder in ["qemu", "seabios"] {
            command.arg("-L").arg(share.join(folder));
        }
        command.args(MACHINE).args(self.machine.arguments());
        command.arg("-kernel").arg(&self.kernel.image);
        command.arg("-initrd").arg(self.initramfs);
        let (of_machine, own) = (self.machine.words(), &self.words);
        let words = format!("{KERNEL} {of_machine}{words} {own}");
        command.arg("-append").arg(words.trim_end());
        Ok(command)
    }
}

/// A process that does not outlive its handle.
struct Running(Child);

impl Running {
    fn start(mut command: Command) -> Result<Running> {
        let child = command.spawn().map_err(|e| format!("QEMU: {e}"))?;
        Ok(Running(child))
    }

    /// Its output, line by line.
    fn lines(&mut self) -> Receiver<String> {
        let (sender, receiver) = channel();
        if let Some(output) = self.0.stdout.take() {
            thread::spawn(move || send_lines(output, &sender));
        }
        receiver
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
