//! The example file has every key, at the code's default.

#![allow(clippy::unwrap_used, reason = "a test's panic is its verdict")]

mod common;

use zonecast_daemon::config::{File, Listener, Stream};

const EXAMPLE: &str = include_str!("../zonecast.example.toml");

/// The example with all keys that stand behind a single `#`, and with `token_sha256` left out
/// where `token_file` is given, since only one of them is allowed.
fn with_commented_keys() -> String {
    let is_key = |line: &str| {
        let name = line.split(" =").next().unwrap_or_default();
        line.starts_with("[[") || (line.contains(" = ") && !name.contains(' '))
    };
    let lines = EXAMPLE.lines().map(|line| match line.strip_prefix('#') {
        Some(key) if is_key(key) => key,
        _ => line,
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// What the example shows as default is what the code takes without the key.
#[test]
fn uncommented_keys_have_their_defaults() {
    let example: File = toml::from_str(EXAMPLE).unwrap();
    assert_eq!(example, File::default());
    assert_eq!(toml::from_str::<File>("").unwrap(), File::default());
}

/// In tables that can be repeated, the keys marked with a default have it.
#[test]
fn commented_defaults_are_the_defaults() {
    let example: File = toml::from_str(&with_commented_keys()).unwrap();
    let [listener] = &example.listeners[..] else {
        panic!("one listener")
    };
    let mut expected = Listener::at(listener.listen.clone());
    expected.name = Some("https".to_owned());
    expected.zone = Some(0);
    assert_eq!(*listener, expected);
    let [stream] = &example.streams[..] else {
        panic!("one stream")
    };
    let mut expected = Stream::called(stream.id.clone());
    expected.token_file = Some("news.token".into());
    expected.token_sha256 = stream.token_sha256;
    expected.zone = Some(0);
    assert_eq!(*stream, expected);
}

/// The example has every key that the code knows, and no other: serde lists the keys of each
/// table when it meets one that it does not know.
#[test]
fn every_key_is_in_the_example() {
    let table: toml::Table = toml::from_str(&with_commented_keys()).unwrap();
    for (place, file) in [
        ("", "x = 1"),
        ("memory", "[memory]\nx = 1"),
        ("admin", "[admin]\nx = 1"),
        ("certificates", "[[certificates]]\nx = 1"),
        ("listeners", "[[listeners]]\nx = 1"),
        ("ingest", "[ingest]\nx = 1"),
        ("streams", "[[streams]]\nx = 1"),
        ("steering", "[steering]\nx = 1"),
        ("limits", "[limits]\nx = 1"),
    ] {
        let message = toml::from_str::<File>(file)
            .unwrap_err()
            .message()
            .to_owned();
        let (_, list) = message.split_once("expected ").unwrap();
        let mut known: Vec<&str> = list.split('`').skip(1).step_by(2).collect();
        let value = table.get(place);
        let value = value.and_then(|v| v.get(0)).or(value);
        let section = value.map_or(Some(&table), toml::Value::as_table).unwrap();
        let mut shown: Vec<&str> = section.keys().map(String::as_str).collect();
        known.sort_unstable();
        shown.sort_unstable();
        assert_eq!(shown, known, "[{place}]");
    }
}

/// The example as it is passes the checks; with nothing to serve, it says so.
#[test]
fn the_example_passes_the_checks() {
    let folder = tempfile::tempdir().unwrap();
    let settings = common::load(&folder, EXAMPLE).unwrap();
    let keys: Vec<&str> = settings.warnings.iter().map(|w| w.key.as_str()).collect();
    assert_eq!(keys, ["listeners", "streams", "ingest.listen"]);
}
