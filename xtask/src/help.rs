//! The help texts: the list of subcommands, and one page for each.

use crate::Result;
use std::process::ExitCode;

/// A subcommand as `help` shows it.
struct Page {
    name: &'static str,
    summary: &'static str,
    usage: &'static str,
    text: &'static str,
}

const PAGES: [Page; 10] = [
    Page {
        name: "setup",
        summary: "install what building, the demo and the tests need",
        usage: "cargo xtask setup [bench]",
        text: "Probes what is missing and says what each missing thing is for. As root on Debian and its
relatives it installs it; otherwise it prints the one command to run and exits 1. With
everything there it changes nothing.

  bench       install Varnish, hitch, Redis and stunnel, too, which benchmarks leave out where they are
              not installed, perf, which `profile` uses, and bpftool, which `bpf` does",
    },
    Page {
        name: "demo",
        summary: "build everything and watch two live streams being served",
        usage: "cargo xtask demo [--seconds N] [--viewers N] [--profile dev|release] [FLAG…]",
        text: "Installs what is missing (as `setup` does), builds the daemon and the demo, and runs the
demo. It exits 0 only if every viewer got every segment, in time and intact.

  --seconds N     end after N seconds, with a verdict; without it, run until Ctrl-C
  --viewers N     how many verifying viewers follow the streams
  --profile P     dev or release (default: release)

Every other flag goes to `zonecast-demo` as it is.",
    },
    Page {
        name: "test",
        summary: "run everything that can fail, in order",
        usage: "cargo xtask test [--strict] [FILTER…]",
        text: "The checks, the unit, property and integration tests, the examples in the docs, the loom models
of the ring, ten seconds of each fuzz target, the end-to-end tests, the lab's newest kernel, and a
demo of 20 seconds. The last line counts the tests.

  FILTER      a part (check, unit, loom, fuzz, e2e, lab, demo) runs only that part; any other word goes
              to the test runners, which run the tests whose names contain it
  --strict    a skipped test fails unless tests/skips-allowed.txt lists its reason, and so does
              an end-to-end test that passed only the second time, alone
              (also: ZONECAST_STRICT=1)",
    },
    Page {
        name: "bench",
        summary: "measure the daemon beside other servers and a floor program",
        usage: "cargo xtask bench NAME [--quick] [--runs N] [--against FILE] [FLAG…]\ncargo xtask bench --list\ncargo xtask bench report [--readme FILE]",
        text: "Builds the daemon, the floor program and the benchmarks in release mode, and runs one of them
(--list names them). What they are compared with, `setup bench` installs. The server has CPU 0 for itself,
the generator CPU 1; nothing else should run. Prints tables, and keeps the results in perf/results,
in a file named after what was measured, when and where.

  --quick         short runs, to see that all works; their results go to target/bench
  --runs N        runs of each server; the tables show median and spread (default: 3)
  --grid          delivery: object sizes by connections; memory: numbers of viewers
  --against FILE  hold the results against earlier ones of the same scenario
  report          render what perf/results holds: target/bench/report.html, its plots as SVG beside
                  it, and a summary in Markdown, which --readme writes into a file

Every other flag goes to `zonecast-bench` as it is: --servers, --size, --connections, --plain;
`target/release/zonecast-bench --help` lists them all.",
    },
    Page {
        name: "profile",
        summary: "see where the time goes, as a flame graph by zone",
        usage: "cargo xtask profile NAME [--quick] [--servers ours,nginx,floor] [FLAG…]",
        text: "Runs a scenario of `bench` once under `perf record`: the daemon, or the servers that are named.
Prints what takes most time by itself, and leaves target/bench/profile-NAME-SERVER.svg, which a
browser lets one click through: zones at the bottom, their loops, then functions of the daemon and
of the kernel. Without hardware counters it goes by the kernel's clock (cpu-clock). Needs perf
(linux-perf on Debian) and the right to use it.",
    },
    Page {
        name: "fuzz",
        summary: "look for inputs that break what parses them",
        usage: "cargo xtask fuzz [TARGET…] [--seconds N] [--keep] | cargo xtask fuzz TARGET FILE…",
        text: "Runs each target of tests/fuzz (or those that are named) under libFuzzer, on the stable
toolchain. What is new goes to target/fuzz/corpus; an input that fails is a file in target/fuzz,
and its name is in the output.

  --seconds N   how long each target runs (default: 60)
  --keep        then add to tests/fuzz/corpus what reaches new code
  FILE          run these inputs once, instead of fuzzing",
    },
    Page {
        name: "check",
        summary: "hold the rules: format, lints, layers, unsafe list, lengths, docs",
        usage: "cargo xtask check [--fix]",
        text: "  --fix       let rustfmt and clippy mend what they can before looking",
    },
    Page {
        name: "doctor",
        summary: "see what this machine gives the daemon, and what would give it more",
        usage: "cargo xtask doctor [--config FILE] [--json]",
        text: "Builds the daemon in release mode and runs `zonecast doctor`: kernel, io_uring, limits, kernel
TLS, hugepages, zones, and for each listener its devices and byte path.",
    },
    Page {
        name: "bpf",
        summary: "build the eBPF programs, and see what the kernel makes of them",
        usage: "cargo xtask bpf [disassemble [PROGRAM] | maps [FOLDER]]",
        text: "Loads the programs, prints their sizes and how much the verifier had to look at, and drops them:
nothing is attached or pinned. Takes root, or CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON.

  disassemble   also their instructions, with the lines of the source (bpftool)
  maps          every map that a daemon has pinned (bpftool; default: /sys/fs/bpf/zonecast)",
    },
    Page {
        name: "lab",
        summary: "boot kernels in a virtual machine with two NUMA nodes, and test there",
        usage: "cargo xtask lab [run [SUITE…] | broken | list | shell | bench [WORD…] [--runs N]] [--kernel K] [--profile P]",
        text: "Fetches kernels and tools from the Debian mirror that this machine uses, installs nothing,
builds our binaries and kernel module, boots QEMU, and runs suites in the guest. Everything is
kept in target/lab. It exits 0 only if every step passed.

  run SUITE…    these suites; without names, all of them on the kernels that they are made for
  broken        daemons with a rule broken on purpose, each of which its suite must find
  list          the suites and the kernels
  shell         a prompt in the guest; Ctrl-A X ends it
  bench WORD…   instructions of the guest for each byte delivered, by the daemon, nginx and a bare
                program; only rows with one of these words. Without words also what crosses between
                nodes. Five minutes; the rows also in target/lab/bench.json
  --runs N      how often the benchmark measures (default: 2); the table shows how far runs differ
  --kernel K    7, 6.12 or 6.1, whatever the suites are made for
  --profile P   dev or release (default: release); ZONECAST_BIN names a daemon that is built already",
    },
];

/// Prints the list of subcommands.
pub(crate) fn all() -> Result<ExitCode> {
    println!("cargo xtask COMMAND\n");
    for page in &PAGES {
        println!("  {:<7} {}", page.name, page.summary);
    }
    println!(
        "  {:<7} this list; `cargo xtask COMMAND --help` says more",
        "help"
    );
    Ok(ExitCode::SUCCESS)
}

/// Prints the page of one subcommand.
pub(crate) fn of(command: &str) -> Result<ExitCode> {
    let page = PAGES
        .iter()
        .find(|page| page.name == command)
        .ok_or_else(|| format!("there is no `{command}`"))?;
    println!("{}\n\n{}", page.usage, page.text);
    Ok(ExitCode::SUCCESS)
}
