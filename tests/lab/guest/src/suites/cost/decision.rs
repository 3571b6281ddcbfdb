//! What the kernel takes to steer a connection: a nanosecond of this machine is an instruction.

use crate::daemon::Daemon;
use crate::tool::run as tool;
use anyhow::{Context, Result};

/// A word that picks it.
pub(super) const NAME: &str = "steering decision";

/// How often each is decided.
const TIMES: &str = "10000";

/// With an address that names a zone, and with nothing that does.
pub(super) fn measure() -> Result<String> {
    let more = "[[listeners]]\nlisten = \"0.0.0.0:8446\"\n[steering]\n\
                zones = [{ zone = 0, addresses = [\"10.9.9.9\"] }]\n";
    let _daemon = Daemon::start_with("decision", more)?;
    let ask = |to: &str| {
        let words = ["zones", "--from", "10.1.1.1", "--to", to, "--times", TIMES];
        let said = tool("zonecast", &words)?;
        let took = said
            .split("; ")
            .nth(1)
            .and_then(|rest| rest.split(' ').next());
        took.map(str::to_owned).with_context(|| said.clone())
    };
    let (known, unknown) = (ask("10.9.9.9:8446")?, ask("10.9.9.8:8446")?);
    // A port that is nobody's is all but nothing to decide: the rest is the kernel's way of asking.
    let asking = ask("10.9.9.9:1")?;
    Ok(format!(
        "{known} instructions by a zone's address, {unknown} with no hint; {asking} of them to ask"
    ))
}
