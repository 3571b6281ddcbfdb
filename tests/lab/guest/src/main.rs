//! The first process of the lab's guest (`/init`): sets the machine up, runs the suites that the
//! kernel's command line names, and powers off.
//!
//! Stands at the end of `cargo xtask lab`'s way; the host reads what it says on the serial line
//! (`report`). It knows the daemon by its files and sockets only, as an operator does.

#![deny(unsafe_code)]

mod alerts;
mod card;
mod daemon;
mod dialog;
mod https;
mod machine;
mod offer;
mod report;
mod socket;
mod suites;
mod tap;
mod tool;

use anyhow::Result;
use report::Report;
use std::process::Command;
use suites::cost::bare;

fn main() {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    if std::process::id() != 1 && arguments.first().is_some_and(|word| word == bare::WORD) {
        if let Err(error) = bare::serve(&arguments) {
            eprintln!("{error:#}");
            std::process::exit(1);
        }
        return;
    }
    if std::process::id() != 1 {
        eprintln!("this is the first process of a virtual machine: run `cargo xtask lab`");
        std::process::exit(2);
    }
    if let Err(error) = guest() {
        println!("lab: guest: {error:#}");
    }
    machine::power_off();
}

/// Everything between boot and the end.
fn guest() -> Result<()> {
    machine::mount()?;
    let words = std::fs::read_to_string("/proc/cmdline")?;
    let words: Vec<_> = words.split_whitespace().collect();
    machine::prepare()?;
    if words.contains(&"lab.shell") {
        shell()?;
    } else {
        let names = words.iter().find_map(|w| w.strip_prefix("lab.suites="));
        for name in names.unwrap_or_default().split(',') {
            run(name);
        }
    }
    report::end();
    Ok(())
}

/// Runs one suite and looks at what the kernel said meanwhile.
fn run(name: &str) {
    let mut report = Report::begin(name);
    match suites::find(name) {
        // A step that failed has said so itself; the steps that needed it are left out.
        Some(suite) => drop(suite(&mut report)),
        None => drop(report.step("find", || anyhow::bail!("the guest has no such suite"))),
    }
    let _ = report.step("kernel's log", machine::log_is_clean);
    report.end();
}

/// A prompt on the serial line, until its end.
fn shell() -> Result<()> {
    println!("the lab's guest: zonecast, openssl, curl, ip, ss, ethtool and busybox are in /bin");
    Command::new("setsid")
        .args(["cttyhack", "sh"])
        .current_dir("/root")
        .status()?;
    Ok(())
}
