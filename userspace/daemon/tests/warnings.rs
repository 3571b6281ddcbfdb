//! What is allowed but unwise is a warning, with line and key as a mistake has them.

#![allow(clippy::unwrap_used, reason = "a test's panic is its verdict")]

mod common;

use std::os::unix::fs::PermissionsExt;

use common::{load, without_folder, write, write_certificate};

/// Each warning that a file can have, but those of a file with nothing to do.
#[test]
fn warnings() {
    let folder = tempfile::tempdir().unwrap();
    write_certificate(&folder);
    let token = write(&folder, "short.token", "guessme");
    std::fs::set_permissions(&token, std::fs::Permissions::from_mode(0o644)).unwrap();
    let text = "\
[admin]
listen = '0.0.0.0:9090'
[memory]
arena = '256MiB'
[[certificates]]
chain_file = 'cert.pem'
key_file = 'key.pem'
[[listeners]]
listen = '[::]:8443'
[ingest]
token_file = 'short.token'
[[streams]]
id = 'a'
token_file = 'short.token'
";
    let settings = load(&folder, text).unwrap();
    let warnings: Vec<String> = settings.warnings.iter().map(ToString::to_string).collect();
    let warnings = without_folder(&warnings.join("\n"), folder.path());
    assert_eq!(
        warnings.lines().collect::<Vec<_>>(),
        [
            "zonecast.toml:2: admin.listen: 0.0.0.0:9090 can be reached from other machines, and asks nobody who he is",
            "zonecast.toml:4: memory.arena: 256MiB in each of 2 zones is less than the 1GiB of all tracks that streams may have: the last ones will be refused",
            "zonecast.toml:10: ingest.listen: [::]:8080 can be reached from other machines without TLS: tokens can be read on the way",
            "zonecast.toml:10: ingest: the shared token is of no use without open = true",
            "zonecast.toml:11: ingest.token_file: short.token can be read by other users (mode 644)",
            "zonecast.toml:11: ingest.token_file: a token of 7 characters can be guessed",
            "zonecast.toml:14: streams[0].token_file: short.token can be read by other users (mode 644)",
            "zonecast.toml:14: streams[0].token_file: a token of 7 characters can be guessed",
        ]
    );
}
