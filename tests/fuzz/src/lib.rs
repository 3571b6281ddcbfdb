//! Fuzz targets for everything that parses what peers and operators send.
//!
//! A target is a function of bytes that panics when a property does not hold: not only "no
//! panic inside", but that cutting input up changes nothing, that what is accepted reads the
//! same when it is written again, and that limits are kept. [`TARGETS`] lists them. The
//! binary runs one of them under libFuzzer (`cargo xtask fuzz`); the tests replay the corpora,
//! without libFuzzer.
//!
//! What does not belong here: the parsers' own tests, which stand beside them.

#![forbid(unsafe_code)]

mod chunked;
mod config;
mod cuts;
mod half;
mod handshake;
mod names;
mod records;
mod request;
mod wire;

/// One thing to fuzz.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its name, which is also the name of its folder in `corpus/`.
    pub name: &'static str,
    /// Takes one input; panics when a property does not hold.
    pub run: fn(&[u8]),
    /// Bytes that an input has at most: what is longer is refused early, or brings nothing new.
    pub bytes_max: usize,
}

/// All of them.
pub const TARGETS: [Target; 6] = [
    Target {
        name: "request",
        run: request::run,
        bytes_max: 9000,
    },
    Target {
        name: "chunked",
        run: chunked::run,
        bytes_max: 4096,
    },
    Target {
        name: "names",
        run: names::run,
        bytes_max: 1024,
    },
    Target {
        name: "records",
        run: records::run,
        bytes_max: 256,
    },
    Target {
        name: "handshake",
        run: handshake::run,
        bytes_max: 4096,
    },
    Target {
        name: "config",
        run: config::run,
        bytes_max: 4096,
    },
];

/// The target of this name.
#[must_use]
pub fn target(name: &str) -> Option<Target> {
    TARGETS.into_iter().find(|target| target.name == name)
}
