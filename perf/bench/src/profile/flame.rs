//! Stacks as a flame graph: the wider, the more time; from the zone at the bottom upwards.

use anyhow::{Context, Result};
use inferno::flamegraph::{self, Options};

use super::Stacks;

/// The picture, as SVG that a browser lets one click through.
pub(super) fn graph(stacks: &Stacks, title: &str) -> Result<Vec<u8>> {
    let folded = stacks.folded();
    let mut options = Options::default();
    options.title = title.to_owned();
    options.count_name = "samples".to_owned();
    options.min_width = 0.05;
    let mut svg = Vec::new();
    flamegraph::from_lines(&mut options, folded.lines(), &mut svg).context("no flame graph")?;
    Ok(svg)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// Zones, threads and functions are in the picture.
    #[test]
    fn draws_every_level() {
        let stacks = Stacks::of("zc-loop-0-z0;main;seal 6\nzc-loop-1-z1;main;send 3\n");
        let svg = String::from_utf8(graph(&stacks, "a title").unwrap()).unwrap();
        for due in ["a title", "zone 1", "zc-loop-0-z0", "seal (6 samples"] {
            assert!(svg.contains(due), "no {due}");
        }
    }
}
