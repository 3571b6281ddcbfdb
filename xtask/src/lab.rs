//! `lab`: boots kernels in a virtual machine with two NUMA nodes, and proves our binaries there.
//!
//! The way of a run: packages (`lab/apt`) are fetched and unpacked (`lab/trees`, `lab/kernels`),
//! our kernel module (`lab/module`) and binaries (`lab/binaries`) are built, all goes into one
//! archive (`lab/initramfs`, `lab/modules`, `lab/cpio`), QEMU boots it (`lab/qemu`), and what the
//! guest says (`lab/console`) becomes the verdict. Everything is kept below `target/lab`.

mod apt;
mod bench;
mod binaries;
mod broken;
mod console;
mod cpio;
mod initramfs;
mod kernels;
mod module;
mod modules;
mod offer;
mod qemu;
mod step;
mod suites;
mod trees;
mod wish;

use crate::workspace::{Workspace, root};
use crate::{Result, probe};
pub(crate) use step::step;

use binaries::Binaries;
use console::{Console, Said};
use kernels::{LINES, Line};
use qemu::{Guest, Machine};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;
use suites::{On, SUITES, Suite};
use trees::Tools;
use wish::{Action, Wish};

/// Programs of Debian and its relatives that fetching and unpacking take; all are there on any
/// such machine that has not been stripped.
const PROGRAMS: [(&str, &str); 6] = [
    ("apt-get", "apt"),
    ("dpkg-deb", "dpkg"),
    ("tar", "tar"),
    ("ldd", "libc-bin"),
    ("unshare", "util-linux"),
    ("setpriv", "util-linux"),
];

/// Runs what the arguments ask for; exits 0 if nothing failed.
pub(crate) fn run(arguments: &[String]) -> Result<ExitCode> {
    let wish = Wish::read(arguments)?;
    if wish.action == Action::List {
        list();
        return Ok(ExitCode::SUCCESS);
    }
    if wish.action == Action::Broken {
        return broken::run(&wish.profile);
    }
    if wish.action == Action::Bench {
        return bench::run(&Lab::open(Binaries::build(&wish.profile)?)?, &wish);
    }
    let suites = suites::select(&wish.names)?;
    let lab = Lab::open(Binaries::build(&wish.profile)?)?;
    if wish.action == Action::Shell {
        lab.shell(wish.kernel.unwrap_or(LINES[0]))?;
        return Ok(ExitCode::SUCCESS);
    }
    let started = Instant::now();
    let mut totals = Totals::default();
    for (line, suites) in boots(&suites, wish.kernel) {
        totals.add(line, lab.boot(line, &suites)?);
    }
    Ok(totals.conclude(started))
}

/// What is needed to boot any kernel.
struct Lab {
    folder: PathBuf,
    root: PathBuf,
    tools: Tools,
    binaries: Binaries,
}

impl Lab {
    fn open(binaries: Binaries) -> Result<Lab> {
        able()?;
        let folder = Workspace::load()?.target.join("lab");
        let tools = Tools::ready(&folder)?;
        Ok(Lab {
            folder,
            root: root(),
            tools,
            binaries,
        })
    }

    /// Makes all for a kernel and hands it to `with`.
    fn prepare<T>(&self, line: Line, with: impl FnOnce(Guest) -> Result<T>) -> Result<T> {
        let kernel = line.ready(&self.folder, &self.tools)?;
        let module = module::ready(&kernel, &self.tools, &self.root)?;
        let initramfs = self.folder.join(format!("initramfs-{}.cpio", line.name));
        let module = module.as_deref();
        initramfs::make(&initramfs, &kernel, module, &self.tools, &self.binaries)?;
        with(Guest {
            tools: &self.tools,
            kernel: &kernel,
            initramfs: &initramfs,
            machine: Machine::Nodes,
            words: String::new(),
        })
    }

    /// Boots a kernel and has it run these suites.
    fn boot(&self, line: Line, suites: &[Suite]) -> Result<Console> {
        self.prepare(line, |guest| {
            let started = Instant::now();
            println!("lab: booting {}", guest.kernel.release);
            let heard = guest.run(suites, |said| show(said, started))?;
            println!(
                "lab: {} ran for {:.0} s",
                guest.kernel.release,
                started.elapsed().as_secs_f64()
            );
            Ok(heard)
        })
    }

    fn shell(&self, line: Line) -> Result<()> {
        self.prepare(line, |guest| {
            println!("lab: booting {}; Ctrl-A X ends it", guest.kernel.release);
            guest.shell()
        })
    }
}

/// The boots that these suites take: a kernel and what runs on it.
fn boots(suites: &[Suite], kernel: Option<Line>) -> Vec<(Line, Vec<Suite>)> {
    if let Some(line) = kernel {
        return vec![(line, suites.to_vec())];
    }
    let on = |line: Line| {
        if line == LINES[0] {
            On::Newest
        } else {
            On::Older
        }
    };
    let boots = LINES.into_iter().map(|line| {
        let suites = suites.iter().filter(|suite| suite.on == on(line));
        (line, suites.copied().collect::<Vec<_>>())
    });
    boots.filter(|(_, suites)| !suites.is_empty()).collect()
}

/// Says what this machine lacks.
fn able() -> Result<()> {
    if !probe::is_debian_like() {
        return Err(String::from(
            "the lab takes its kernels and tools from Debian's archive by apt-get and dpkg-deb: \
             run it on Debian or a relative, or in a container of one",
        ));
    }
    if cfg!(not(target_arch = "x86_64")) {
        return Err(String::from(
            "the lab's virtual machine is for x86-64 alone",
        ));
    }
    let missing = PROGRAMS.iter().filter(|(p, _)| probe::on_path(p).is_none());
    let packages: Vec<_> = missing.map(|(_, package)| *package).collect();
    if !packages.is_empty() {
        return Err(format!("missing: apt-get install {}", packages.join(" ")));
    }
    apt::mirror().map(drop)
}

fn list() {
    for suite in SUITES {
        let on = match suite.on {
            On::Newest => "newest kernel",
            On::Older => "older kernels",
        };
        println!("{:<8} {on:<14} {}", suite.name, suite.shows);
    }
    let names = LINES.map(|line| line.name);
    println!("\nkernels: {}", names.join(" "));
}

/// A line for a person, with the seconds since the start.
fn show(said: &Said, started: Instant) {
    let at = started.elapsed().as_secs();
    match said {
        Said::Suite(name) => println!("{at:>4} s  {name}"),
        Said::Step(step) => println!("{at:>4} s    {step}"),
        Said::Other(line) => println!("{at:>4} s      | {line}"),
        Said::Nothing => {}
    }
}

/// All boots together.
#[derive(Default)]
struct Totals {
    passed: usize,
    failed: Vec<String>,
}

impl Totals {
    fn add(&mut self, line: Line, heard: Console) {
        self.passed += heard.passed;
        let named = |why| format!("{}: {why}", line.name);
        self.failed.extend(heard.failed.into_iter().map(named));
    }

    fn conclude(self, started: Instant) -> ExitCode {
        println!();
        for line in &self.failed {
            println!("failed: {line}");
        }
        let (passed, failed) = (self.passed, self.failed.len());
        let took = started.elapsed().as_secs();
        println!("lab: {passed} passed, {failed} failed, {took} s");
        ExitCode::from(u8::from(failed > 0 || passed == 0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each suite runs on the kernels that it is made for, or on the one that is asked for.
    #[test]
    fn boots_what_is_needed() {
        let names = |boots: Vec<(Line, Vec<Suite>)>| -> Vec<_> {
            boots.iter().map(|(l, s)| (l.name, s.len())).collect()
        };
        let newest = SUITES.iter().filter(|s| s.on == On::Newest).count();
        let older = SUITES.len() - newest;
        assert_eq!(
            names(boots(&SUITES, None)),
            [("7", newest), ("6.12", older), ("6.1", older)]
        );
        assert!(newest > 0 && older > 0);
        assert_eq!(names(boots(&SUITES[..1], None)), [("7", 1)]);
        assert_eq!(names(boots(&SUITES[..1], Some(LINES[2]))), [("6.1", 1)]);
    }
}
