//! Every mistake in a configuration is reported with file, line, key and what is allowed.

#![allow(clippy::unwrap_used, reason = "a test's panic is its verdict")]

mod common;

use common::{load, without_folder, write, write_certificate};

const HASH: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

/// Files, each with the exact complaints; `HASH` stands for a valid hash.
const TABLE: &[(&str, &[&str])] = &[
    // The parser's own: what is no TOML, unknown keys, wrong types, values of no known form.
    (
        "[memory\n",
        &["zonecast.toml:1: unclosed table, expected `]`"],
    ),
    (
        "\nstate_dirr = 'x'",
        &[
            "zonecast.toml:2: state_dirr: unknown field `state_dirr`, expected one of `state_dir`, `holder`, `zones`, `control_cpus`, `drain_timeout`, `memory`, `admin`, `certificates`, `listeners`, `ingest`, `streams`, `steering`, `limits`",
        ],
    ),
    (
        "[memory]\narena = '1GiB'\npage = 'auto'",
        &["zonecast.toml:3: memory.page: unknown field `page`, expected `arena` or `pages`"],
    ),
    (
        "[ingest]\ntls = 'yes'",
        &["zonecast.toml:2: ingest.tls: invalid type: string \"yes\", expected a boolean"],
    ),
    (
        "[limits]\nobject_wait = 5",
        &[
            "zonecast.toml:2: limits.object_wait: invalid type: integer `5`, expected a time with a unit (ms, s, m or h), such as \"500ms\", \"2s\" or \"10m\"",
        ],
    ),
    (
        "[limits]\nobject_wait = '5 minutes'",
        &[
            "zonecast.toml:2: limits.object_wait: \"5 minutes\" is not a time with a unit (ms, s, m or h), such as \"500ms\", \"2s\" or \"10m\"",
        ],
    ),
    (
        "[memory]\narena = '64MB'",
        &[
            "zonecast.toml:2: memory.arena: \"64MB\" is not a size with a unit (B, KiB, MiB, GiB or TiB), such as \"64KiB\" or \"1GiB\"",
        ],
    ),
    (
        "[memory]\npages = '4KiB'",
        &[
            "zonecast.toml:2: memory.pages: \"4KiB\" is not one of \"auto\", \"1GiB\", \"2MiB\", \"transparent\", \"plain\"",
        ],
    ),
    (
        "zones = 'virtual:0'",
        &[
            "zonecast.toml:1: zones: \"virtual:0\" is not \"auto\", \"virtual:N\" with N from 1 to 64, or a list such as [{ cpus = [0, 1], node = 0 }]",
        ],
    ),
    (
        "zones = []",
        &[
            "zonecast.toml:1: zones: an empty list is not allowed: \"auto\", \"virtual:N\" with N from 1 to 64, or a list such as [{ cpus = [0, 1], node = 0 }]",
        ],
    ),
    (
        "zones = [{ cpus = [99] }]",
        &["zonecast.toml:1: zones: zone 0 lists CPU 99, which this process cannot run on"],
    ),
    (
        "zones = [{ node = 0 }]",
        &["zonecast.toml:1: zones[0]: missing field `cpus`"],
    ),
    (
        "[admin]\nlisten = 'localhost:9090'",
        &[
            "zonecast.toml:2: admin.listen: \"localhost:9090\" is not an IP address with a port, such as \"127.0.0.1:8080\" or \"[::]:8443\", or a Unix socket, such as \"unix:/run/zonecast/http.sock\"",
        ],
    ),
    (
        "[[listeners]]\ntls = false",
        &["zonecast.toml:1: listeners[0]: missing field `listen`"],
    ),
    (
        "[[streams]]\nid = 'a/b'",
        &[
            "zonecast.toml:2: streams[0].id: \"a/b\" is not an id of 1 to 64 letters, digits and . _ - (and not \".\" or \"..\")",
        ],
    ),
    (
        "[[streams]]\nid = 'a'\ntoken_sha256 = 'abc'",
        &[
            "zonecast.toml:3: streams[0].token_sha256: \"abc\" is not a SHA-256 in 64 hexadecimal digits, as `zonecast token` prints it",
        ],
    ),
    (
        "[[streams]]\nid = 'a'\nzone = -1",
        &["zonecast.toml:3: streams[0].zone: invalid value: integer `-1`, expected u16"],
    ),
    (
        "[steering]\nmode = 'on'",
        &["zonecast.toml:2: steering.mode: \"on\" is not \"auto\" or \"off\""],
    ),
    (
        "[steering]\nstream_prefix = '2001:db8::1/64'",
        &[
            "zonecast.toml:2: steering.stream_prefix: \"2001:db8::1/64\" is not an IPv6 network of at most 112 bits, such as \"2001:db8:5eed::/64\"",
        ],
    ),
    (
        "[steering]\nzones = [{ zone = 0, addresses = ['host'] }]",
        &["zonecast.toml:2: steering.zones[0].addresses[0]: invalid IP address syntax"],
    ),
    // One component by itself.
    (
        "[steering]\nfolder = 'bpf'\naffinity = '0s'\n\
         zones = [{ zone = 0, addresses = ['::', '::1'] }, { zone = 7, addresses = ['::1'] }]",
        &[
            "zonecast.toml:2: steering.folder: bpf is not absolute",
            "zonecast.toml:3: steering.affinity: 0ms is not allowed: from 1s to 24h",
            "zonecast.toml:4: steering.zones[1].zone: zone 7 does not exist: from 0 to 1",
            "zonecast.toml:4: steering.zones[0].addresses: :: is no address of a machine",
            "zonecast.toml:4: steering.zones[1].addresses: ::1 is in steering.zones[0].addresses already",
        ],
    ),
    (
        "drain_timeout = '2h'",
        &["zonecast.toml:1: drain_timeout: 2h is not allowed: from 0ms to 1h"],
    ),
    (
        "[limits]\nloop_stall = '10ms'\nsend_buffers = 0",
        &[
            "zonecast.toml:2: limits.loop_stall: 10ms is not allowed: from 1s to 24h",
            "zonecast.toml:3: limits.send_buffers: 0 is not allowed: from 8 to 16384",
        ],
    ),
    (
        "[limits]\npart_bytes = '33MiB'",
        &["zonecast.toml:2: limits.part_bytes: 33MiB is not allowed: from 16KiB to 32MiB"],
    ),
    (
        "[[listeners]]\nlisten = '127.0.0.1:1'\ntls = false\nconnections_max = 0\nname = 'ingest'",
        &[
            "zonecast.toml:4: listeners[0].connections_max: 0 is not allowed: from 1 to 1048576",
            "zonecast.toml:5: listeners[0].name: a name is not empty and not \"ingest\", which is the encoders' listener",
        ],
    ),
    (
        "[ingest]\nlisten = []",
        &["zonecast.toml:2: ingest.listen: an empty list is not allowed: at least one address"],
    ),
    (
        "[ingest]\nlisten = 'unix:missing/in.sock'",
        &["zonecast.toml:2: ingest.listen: the folder of missing/in.sock does not exist"],
    ),
    (
        "[ingest]\nopen = true",
        &[
            "zonecast.toml:2: ingest.open: open = true needs token_file or token_sha256: whoever has that token may create streams",
        ],
    ),
    (
        "[[streams]]\nid = 'a'",
        &[
            "zonecast.toml:1: streams[0]: nobody can upload to \"a\": token_file or token_sha256 is needed, or [ingest] open = true",
        ],
    ),
    (
        "[[streams]]\nid = 'a'\ntoken_file = 'good.token'\ntoken_sha256 = 'HASH'",
        &[
            "zonecast.toml:4: streams[0].token_sha256: token_file and token_sha256 are both given; one is allowed",
        ],
    ),
    (
        "[[streams]]\nid = 'a'\ntoken_file = 'missing'",
        &[
            "zonecast.toml:3: streams[0].token_file: missing cannot be read: No such file or directory (os error 2)",
        ],
    ),
    (
        "[[streams]]\nid = 'a'\ntoken_file = 'bad.token'",
        &[
            "zonecast.toml:3: streams[0].token_file: bad.token: the token may have only letters, digits and - . _ ~",
        ],
    ),
    (
        "[[certificates]]\nchain_file = 'missing'\nkey_file = 'key.pem'",
        &[
            "zonecast.toml:2: certificates[0].chain_file: missing cannot be read: No such file or directory (os error 2)",
        ],
    ),
    (
        "[[certificates]]\nchain_file = 'good.token'\nkey_file = 'key.pem'",
        &["zonecast.toml:1: certificates[0]: certificate good.token: the chain has no certificate"],
    ),
    // Components together.
    (
        "[[listeners]]\nlisten = '127.0.0.1:1'\n[ingest]\ntls = true",
        &[
            "zonecast.toml:1: listeners[0].tls: tls = true needs at least one [[certificates]] table with chain_file and key_file",
            "zonecast.toml:4: ingest.tls: tls = true needs at least one [[certificates]] table with chain_file and key_file",
        ],
    ),
    (
        "[[listeners]]\nlisten = '127.0.0.1:1'\ntls = false\nzone = 2",
        &["zonecast.toml:4: listeners[0].zone: zone 2 does not exist: from 0 to 1"],
    ),
    (
        "[[listeners]]\nlisten = '127.0.0.1:1'\ntls = false\nnic_tls12 = true",
        &[
            "zonecast.toml:4: listeners[0].nic_tls12: nic_tls12 = true needs tls = true and kernel_tls = true",
        ],
    ),
    (
        "[[listeners]]\nlisten = '127.0.0.1:9090'\ntls = false\n[[listeners]]\nlisten = '0.0.0.0:9090'\ntls = false",
        &[
            "zonecast.toml:2: listeners[0].listen: 127.0.0.1:9090 is taken by admin.listen already",
            "zonecast.toml:5: listeners[1].listen: 0.0.0.0:9090 is taken by admin.listen already",
        ],
    ),
    (
        "[[listeners]]\nname = 'x'\nlisten = '[::]:1'\ntls = false\n[[listeners]]\nname = 'x'\nlisten = '[::]:2'\ntls = false",
        &["zonecast.toml:6: listeners[1].name: listeners[0] has the name \"x\" already"],
    ),
    (
        "[[streams]]\nid = 'a'\ntoken_sha256 = 'HASH'\n[[streams]]\nid = 'a'\ntoken_sha256 = 'HASH'",
        &["zonecast.toml:5: streams[1].id: streams[0] has the id \"a\" already"],
    ),
    (
        "[[streams]]\nid = 'a'\ntoken_sha256 = 'HASH'\nzone = 2",
        &["zonecast.toml:4: streams[0].zone: zone 2 does not exist: from 0 to 1"],
    ),
    (
        "[ingest]\nstreams_max = 1\n[[streams]]\nid = 'a'\ntoken_sha256 = 'HASH'\n[[streams]]\nid = 'b'\ntoken_sha256 = 'HASH'",
        &["zonecast.toml:2: ingest.streams_max: 1 is less than the 2 streams of this file"],
    ),
    (
        "[[streams]]\nid = 'a'\ntoken_sha256 = 'HASH'\nring = '16MiB'",
        &[
            "zonecast.toml:4: streams[0].ring: 16MiB is less than limits.object_bytes_max = 32MiB: an object must fit into its ring",
        ],
    ),
    (
        "[[streams]]\nid = 'a'\ntoken_sha256 = 'HASH'\nring = '9TiB'\ntracks_max = 1024\n[memory]\narena = '16TiB'",
        &["zonecast.toml:4: streams[0].ring: 9TiB is more than a ring can have, 1GiB"],
    ),
    (
        "[memory]\narena = '32MiB'\n[[streams]]\nid = 'a'\ntoken_sha256 = 'HASH'",
        &["zonecast.toml:3: streams[0].ring: 64MiB is more than a zone has, memory.arena = 32MiB"],
    ),
    (
        "[memory]\narena = '64MiB'\n[[streams]]\nid = 'a'\ntoken_sha256 = 'HASH'\n[[streams]]\nid = 'b'\ntoken_sha256 = 'HASH'\n[[streams]]\nid = 'c'\ntoken_sha256 = 'HASH'",
        &[
            "zonecast.toml:2: memory.arena: 64MiB in each of 2 zones is less than the 192MiB that one ring for each stream needs",
        ],
    ),
    (
        "[memory]\narena = '64MiB'\n[[streams]]\nid = 'a'\ntoken_sha256 = 'HASH'\nzone = 1\n[[streams]]\nid = 'b'\ntoken_sha256 = 'HASH'\nzone = 1",
        &[
            "zonecast.toml:2: memory.arena: 64MiB is less than the 128MiB that one ring for each stream of zone 1 needs",
        ],
    ),
];

/// Each file of the table gives exactly its complaints, in the order of lines.
#[test]
fn each_mistake_is_named() {
    let folder = tempfile::tempdir().unwrap();
    write_certificate(&folder);
    write(&folder, "good.token", "0123456789abcdefghij\n");
    write(&folder, "bad.token", "two words\n");
    for (text, expected) in TABLE {
        let text = text.replace("HASH", HASH);
        let error = load(&folder, &text)
            .err()
            .unwrap_or_else(|| panic!("accepted:\n{text}"));
        let error = without_folder(&error.to_string(), folder.path());
        assert_eq!(error.lines().collect::<Vec<_>>(), *expected, "of\n{text}");
    }
}

/// A file that is not there is named too.
#[test]
fn a_missing_file_is_named() {
    let error = zonecast_daemon::config::load("/nonexistent/x.toml".as_ref(), &common::plan);
    let error = error.err().unwrap().to_string();
    assert_eq!(
        error,
        "/nonexistent/x.toml: cannot be read: No such file or directory (os error 2)"
    );
}
