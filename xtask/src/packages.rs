//! What the tree needs from the system, why, and how to see that it is there.

/// Something that must be installed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Need {
    /// What brings it.
    pub(crate) from: From,
    /// What it is for, in a few words.
    pub(crate) why: &'static str,
    pub(crate) seen_by: SeenBy,
    pub(crate) purpose: Purpose,
}

/// Where a need comes from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum From {
    /// A package, under its name in Debian.
    Debian(&'static str),
    /// A component of the Rust toolchain.
    Rustup(&'static str),
}

/// How to see that a need is met; none of these takes more than a few milliseconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum SeenBy {
    /// A program on the PATH.
    Program(&'static str),
    /// A C header in the system's own include folder.
    Header(&'static str),
    /// A library that pkg-config finds: its name and the versions that fit.
    Library(&'static str, &'static [&'static str]),
    /// A program beside the toolchain's cargo.
    BesideCargo(&'static str),
}

/// What a need is needed for.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub(crate) enum Purpose {
    /// Building and showing the demo.
    Demo,
    /// The tests, the checks and most benchmarks.
    Test,
    /// What benchmarks do without if they must.
    Bench,
}

impl Need {
    /// The name of what brings it.
    pub(crate) fn name(&self) -> &'static str {
        match self.from {
            From::Debian(name) | From::Rustup(name) => name,
        }
    }
}

/// Everything. aws-lc-sys, the one crate with much C in it, is built by gcc alone: it needs no
/// cmake, Perl or assembler.
pub(crate) const NEEDS: &[Need] = &[
    debian(
        "gcc",
        "links, and builds the C in aws-lc",
        SeenBy::Program("cc"),
        Purpose::Demo,
    ),
    debian(
        "libc6-dev",
        "the C library's headers, for the same",
        SeenBy::Header("stdio.h"),
        Purpose::Demo,
    ),
    debian(
        "pkg-config",
        "finds hwloc",
        SeenBy::Program("pkg-config"),
        Purpose::Demo,
    ),
    debian(
        "libhwloc-dev",
        "knows the machine's NUMA nodes and network cards",
        SeenBy::Library("hwloc", &["hwloc >= 2.0.0", "hwloc < 3.0.0"]),
        Purpose::Demo,
    ),
    debian(
        "libudev-dev",
        "is linked along with hwloc",
        SeenBy::Library("libudev", &["libudev"]),
        Purpose::Demo,
    ),
    debian(
        "clang",
        "compiles the eBPF programs",
        SeenBy::Program("clang"),
        Purpose::Demo,
    ),
    debian(
        "make",
        "builds libbpf, which loads them",
        SeenBy::Program("make"),
        Purpose::Demo,
    ),
    debian(
        "libelf-dev",
        "is what libbpf reads them with",
        SeenBy::Library("libelf", &["libelf"]),
        Purpose::Demo,
    ),
    debian(
        "zlib1g-dev",
        "is linked along with it",
        SeenBy::Library("zlib", &["zlib"]),
        Purpose::Demo,
    ),
    debian(
        "ffmpeg",
        "encodes and probes the live streams",
        SeenBy::Program("ffmpeg"),
        Purpose::Demo,
    ),
    debian(
        "curl",
        "plays viewer in the tests",
        SeenBy::Program("curl"),
        Purpose::Test,
    ),
    debian(
        "openssl",
        "is the other side of TLS in the tests",
        SeenBy::Program("openssl"),
        Purpose::Test,
    ),
    debian(
        "chromium",
        "is the browser that plays the streams in the tests",
        SeenBy::Program("chromium"),
        Purpose::Test,
    ),
    debian(
        "nodejs",
        "drives that browser",
        SeenBy::Program("node"),
        Purpose::Test,
    ),
    debian(
        "npm",
        "fetches hls.js, shaka-player and playwright-core for it",
        SeenBy::Program("npm"),
        Purpose::Test,
    ),
    debian(
        "gnutls-bin",
        "is another other side of TLS in the tests",
        SeenBy::Program("gnutls-cli"),
        Purpose::Test,
    ),
    debian(
        "nginx-light",
        "is asked in the tests where requests end",
        SeenBy::Program("nginx"),
        Purpose::Test,
    ),
    debian(
        "g++",
        "builds libFuzzer",
        SeenBy::Program("c++"),
        Purpose::Test,
    ),
    debian(
        "iproute2",
        "makes the network namespaces of the tests",
        SeenBy::Program("ip"),
        Purpose::Test,
    ),
    debian(
        "varnish",
        "is measured beside the daemon",
        SeenBy::Program("varnishd"),
        Purpose::Bench,
    ),
    debian(
        "hitch",
        "seals what Varnish serves",
        SeenBy::Program("hitch"),
        Purpose::Bench,
    ),
    debian(
        "redis-server",
        "is compared with in live benchmarks",
        SeenBy::Program("redis-server"),
        Purpose::Bench,
    ),
    debian(
        "stunnel4",
        "speaks TLS for Redis",
        SeenBy::Program("stunnel"),
        Purpose::Bench,
    ),
    debian(
        "linux-perf",
        "says where the time goes (cargo xtask profile)",
        SeenBy::Program("perf"),
        Purpose::Bench,
    ),
    debian(
        "bpftool",
        "shows eBPF programs and maps (cargo xtask bpf)",
        SeenBy::Program("bpftool"),
        Purpose::Bench,
    ),
    rustup(
        "rustfmt",
        "checks the format",
        SeenBy::BesideCargo("cargo-fmt"),
    ),
    rustup(
        "clippy",
        "checks the code",
        SeenBy::BesideCargo("cargo-clippy"),
    ),
];

const fn debian(
    package: &'static str,
    why: &'static str,
    seen_by: SeenBy,
    purpose: Purpose,
) -> Need {
    Need {
        from: From::Debian(package),
        why,
        seen_by,
        purpose,
    }
}

const fn rustup(component: &'static str, why: &'static str, seen_by: SeenBy) -> Need {
    Need {
        from: From::Rustup(component),
        why,
        seen_by,
        purpose: Purpose::Test,
    }
}
