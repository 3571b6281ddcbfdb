//! The emulated cards: their counters, and their switches.

use crate::machine::{load as load_module, read, write};
use crate::tool::until;
use anyhow::{Context, Result, bail};

/// Loads the module with two pairs on each node; once is enough. Numbers that are odd are on node 1.
pub(crate) fn load() -> Result<()> {
    load_module("tlsnic", &["pairs=4", "nodes=0,1,0,1"])
}

/// Waits until the card keeps nothing; what is counted then.
pub(crate) fn let_go(card: &str) -> Result<Counts> {
    until("held segments let go", || {
        let counts = Counts::read(card)?;
        Ok((counts.get("held_now")? == 0).then_some(counts))
    })
}

/// A card's counters and the kernel's of kTLS.
pub(crate) struct Counts(Vec<(String, u64)>);

impl Counts {
    /// Those of a card at the near end of its cable.
    pub(crate) fn read(card: &str) -> Result<Counts> {
        let of_card = read(&format!("/sys/kernel/debug/tlsnic/{card}"))?;
        let text = of_card + "\n" + &read("/proc/net/tls_stat")?;
        let mut counts = Vec::new();
        for line in text.lines() {
            let mut words = line.split_whitespace();
            let (Some(name), Some(count)) = (words.next(), words.next()) else {
                bail!("a counter is {line}");
            };
            counts.push((name.to_owned(), count.parse()?));
        }
        Ok(Counts(counts))
    }

    pub(crate) fn get(&self, name: &str) -> Result<u64> {
        let mut counts = self.0.iter();
        let found = counts.find(|(known, _)| known == name);
        found
            .map(|(_, count)| *count)
            .with_context(|| format!("no counter {name}"))
    }

    /// What was added after `before`; gauges that fell count as nothing.
    pub(crate) fn since(&self, before: &Counts) -> Result<Counts> {
        let mut added = Vec::new();
        for (name, count) in &self.0 {
            added.push((name.clone(), count.saturating_sub(before.get(name)?)));
        }
        Ok(Counts(added))
    }
}

/// A switch of the module's that goes back when it is dropped.
pub(crate) struct Switch {
    file: String,
    before: String,
}

impl Switch {
    /// Sets it.
    pub(crate) fn set(name: &str, value: &str) -> Result<Switch> {
        let file = format!("/sys/module/tlsnic/parameters/{name}");
        let before = read(&file)?;
        write(&file, value)?;
        Ok(Switch { file, before })
    }
}

impl Drop for Switch {
    fn drop(&mut self) {
        let _ = write(&self.file, &self.before);
    }
}
