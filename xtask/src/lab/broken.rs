//! Rules that are broken on purpose, by features of the data plane that nothing else has: each must be
//! found by its suite, or that suite shows less than it says.

use super::Lab;
use super::binaries::Binaries;
use super::kernels::LINES;
use super::suites;
use crate::Result;
use std::process::ExitCode;

/// A rule, and who must notice that it is broken.
struct Flaw {
    feature: &'static str,
    breaks: &'static str,
    suite: &'static str,
    /// The beginning of the step's name.
    step: &'static str,
}

const FLAWS: [Flaw; 2] = [
    Flaw {
        feature: "flaw-nonce",
        breaks: "the kernel gets the nonce that rustls gives, which Finished has used",
        suite: "ktls",
        step: "no explicit nonce twice",
    },
    Flaw {
        feature: "flaw-lease",
        breaks: "a lease ends when the socket has taken the bytes, which the card reads later",
        suite: "nic",
        step: "the ring turns over under held segments",
    },
];

/// Builds a daemon for each flaw and runs its suite, which must fail where the flaw is.
pub(super) fn run(profile: &str) -> Result<ExitCode> {
    let mut missed = Vec::new();
    for flaw in &FLAWS {
        println!("lab: broken: {}: {}", flaw.feature, flaw.breaks);
        let suite = suites::select(&[flaw.suite.to_owned()])?;
        let lab = Lab::open(Binaries::build_broken(profile, flaw.feature)?)?;
        let heard = lab.boot(LINES[0], &suite)?;
        let found = |why: &&String| why.contains(flaw.step);
        match heard.failed.iter().find(found) {
            Some(why) => println!("lab: broken: {} is found: {why}", flaw.feature),
            None => missed.push(flaw.feature),
        }
    }
    println!(
        "\nlab: {} of {} broken rules are found",
        FLAWS.len() - missed.len(),
        FLAWS.len()
    );
    for feature in &missed {
        println!("not found: {feature}");
    }
    Ok(ExitCode::from(u8::from(!missed.is_empty())))
}
