//! `zonecast dns` prints what a zone file needs.

#![allow(clippy::unwrap_used, reason = "a test's panic is its verdict")]

mod common;

use std::process::Command;

use tempfile::TempDir;

const CONFIG: &str = "\
zones = 'virtual:2'
[[streams]]
id = 'news'
token_sha256 = 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'
zone = 1
[[streams]]
id = 'sport'
token_sha256 = 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'
[steering]
stream_host = '{stream}.live.example:8443'
";

const ZONES: &str = "zones = [
    { zone = 0, host = 'z0.live.example' },
    { zone = 1, host = 'z1.live.example:8443', addresses = ['192.0.2.1', '2001:db8::1'] },
]
";

fn dns(text: &str, more: &[&str]) -> (bool, String) {
    let folder = TempDir::new().unwrap();
    let config = common::write(&folder, "zonecast.toml", text);
    let mut command = Command::new(env!("CARGO_BIN_EXE_zonecast"));
    command.args(["dns", "--config"]).arg(config).args(more);
    let output = command.output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(said).unwrap())
}

/// Zones have their addresses, streams those of their zone where it is fixed; what has none says why.
#[test]
fn zones_and_streams_have_records() {
    let (fine, said) = dns(&format!("{CONFIG}{ZONES}"), &["--ttl", "5"]);
    assert!(fine, "{said}");
    assert_eq!(
        said,
        "; z0.live.example: zone 0 has no addresses\n\
         z1.live.example.\t5\tIN\tA\t192.0.2.1\n\
         z1.live.example.\t5\tIN\tAAAA\t2001:db8::1\n\
         news.live.example.\t5\tIN\tA\t192.0.2.1\n\
         news.live.example.\t5\tIN\tAAAA\t2001:db8::1\n\
         ; sport.live.example: no steering.stream_prefix, and its zone is not fixed\n"
    );
}

/// With a network of streams' addresses every stream has its own, one that is not in the file too.
#[test]
fn streams_have_addresses_of_their_own() {
    let text = format!("{CONFIG}stream_prefix = 'fd00:5eed::/64'\n");
    let (fine, said) = dns(&text, &["--stream", "more"]);
    assert!(fine, "{said}");
    let names: Vec<_> = said
        .lines()
        .map(|line| line.split('\t').next().unwrap())
        .collect();
    assert_eq!(
        names,
        [
            "news.live.example.",
            "sport.live.example.",
            "more.live.example."
        ]
    );
    // SHA-256("news"), bytes 8 to 15.
    let news = said.lines().next().unwrap();
    let address = "fd00:5eed::c2c2:6217:bf3b:725c";
    assert_eq!(news, format!("news.live.example.\t60\tIN\tAAAA\t{address}"));
}

/// Without names there are no records, and the command says which keys are missing.
#[test]
fn without_hosts_it_says_so() {
    let (fine, said) = dns("zones = 'virtual:2'\n", &[]);
    assert!(!fine && said.contains("steering.stream_host"), "{said}");
}
