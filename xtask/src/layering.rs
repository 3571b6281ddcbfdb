//! The layers of the tree: which crate may depend on which.
//!
//! A crate may depend on crates of the layers below its own, and on no other of the workspace;
//! so `ring` and `io`, which share a layer, do not know each other. `xtask` and the lab's guest
//! stand apart: they depend on none and none depends on them. Holds for dev-dependencies too.

use crate::workspace::Member;

/// The layers, highest first. Tests look at everything, and use perf's viewers and tee.
const LAYERS: [&[&str]; 8] = [
    &["zonecast-tests", "zonecast-fuzz"],
    &["zonecast-bench"],
    &["zonecast-load"],
    &["zonecast", "zonecast-capi", "zonecast-perf"],
    &["zonecast-control", "zonecast-archive"],
    &["zonecast-ebpf", "zonecast-dataplane"],
    &["zonecast-ring", "zonecast-io", "zonecast-proto"],
    &["zonecast-numa"],
];

/// The crates that stand outside the layers.
const APART: [&str; 2] = ["xtask", "zonecast-lab-guest"];

/// The rule as lines for a person.
pub(crate) fn rule() -> Vec<String> {
    let layers: Vec<_> = LAYERS.iter().map(|layer| layer.join(" ")).collect();
    vec![
        layers.join(" > "),
        format!("{}: no crate of the workspace", APART.join(", ")),
    ]
}

/// What breaks the rule, one line each.
pub(crate) fn broken(members: &[Member]) -> Vec<String> {
    let mut lines = Vec::new();
    for member in members {
        if !APART.contains(&member.name.as_str()) && layer_of(&member.name).is_none() {
            lines.push(format!(
                "{} is in no layer; give it one in xtask/src/layering.rs",
                member.name
            ));
        }
        let own = |need: &&String| members.iter().any(|m| m.name == **need);
        for need in member.needs.iter().filter(own) {
            if !may_need(&member.name, need) {
                lines.push(format!(
                    "{} depends on {need}, which is not below it",
                    member.name
                ));
            }
        }
    }
    lines
}

/// Whether `name` may depend on `need`; unknown names are reported on their own.
fn may_need(name: &str, need: &str) -> bool {
    if APART.contains(&name) || APART.contains(&need) {
        return false;
    }
    match (layer_of(name), layer_of(need)) {
        (Some(layer), Some(needed)) => layer < needed,
        _ => true,
    }
}

fn layer_of(name: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.contains(&name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn members(table: &[(&str, &[&str])]) -> Vec<Member> {
        let member = |&(name, needs): &(&str, &[&str])| Member {
            name: name.to_owned(),
            folder: name.into(),
            needs: needs.iter().map(|&n| n.to_owned()).collect(),
            roots: Vec::new(),
            tests: Vec::new(),
        };
        table.iter().map(member).collect()
    }

    /// Downward dependencies, also over several layers, and foreign crates are fine.
    #[test]
    fn downward_is_allowed() {
        let members = members(&[
            ("zonecast", &["zonecast-control", "zonecast-numa", "tokio"]),
            ("zonecast-control", &["zonecast-dataplane"]),
            ("zonecast-dataplane", &["zonecast-ring", "zonecast-io"]),
            ("zonecast-ring", &["zonecast-numa", "loom"]),
            ("zonecast-io", &["zonecast-numa"]),
            ("zonecast-numa", &["libc"]),
            ("xtask", &[]),
        ]);
        assert_eq!(broken(&members), [""; 0]);
    }

    /// Upward, sideways, from and to xtask, and crates without a layer are each named.
    #[test]
    fn all_else_is_not() {
        let cases: [(&str, &str); 5] = [
            ("zonecast-numa", "zonecast-ring"),
            ("zonecast-ring", "zonecast-io"),
            ("zonecast-perf", "zonecast"),
            ("xtask", "zonecast-numa"),
            ("zonecast-numa", "xtask"),
        ];
        for (name, need) in cases {
            let lines = broken(&members(&[(name, &[need]), (need, &[])]));
            assert_eq!(
                lines,
                [format!("{name} depends on {need}, which is not below it")]
            );
        }
        let lines = broken(&members(&[("zonecast-new", &[])]));
        assert!(
            lines[0].contains("zonecast-new is in no layer"),
            "{lines:?}"
        );
    }
}
