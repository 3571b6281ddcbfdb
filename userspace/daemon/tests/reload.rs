//! A reload takes over the whole file or nothing of it.

#![allow(clippy::unwrap_used, reason = "a test's panic is its verdict")]

mod common;

use std::cell::RefCell;
use std::rc::Rc;

use tempfile::TempDir;
use zonecast_daemon::config::{hash, load as load_path};
use zonecast_daemon::serve::{Reloader, Target};
use zonecast_dataplane::Reload;

/// Notes what it is given; refuses when told to.
#[derive(Clone, Default)]
struct Fake {
    taken: Rc<RefCell<Vec<Reload>>>,
    refuse: Rc<RefCell<Option<&'static str>>>,
}

impl Target for Fake {
    fn reload(&self, reload: Reload) -> Result<String, String> {
        if let Some(reason) = *self.refuse.borrow() {
            return Err(reason.to_owned());
        }
        self.taken.borrow_mut().push(reload);
        Ok("taken".to_owned())
    }
}

const FIRST: &str = "\
[[certificates]]
chain_file = 'cert.pem'
key_file = 'key.pem'
[[listeners]]
listen = '127.0.0.1:8443'
[ingest]
listen = '127.0.0.1:8080'
[[streams]]
id = 'a'
token_file = 'a.token'
";

fn start(folder: &TempDir) -> (Fake, Reloader<Fake>) {
    common::write_certificate(folder);
    common::write(folder, "a.token", "first-token-of-stream-a");
    let fake = Fake::default();
    let settings = load_path(
        &common::write(folder, "zonecast.toml", FIRST),
        &common::plan,
    );
    (fake.clone(), Reloader::new(settings.unwrap(), fake))
}

/// A file without a mistake is taken over: streams, tokens from their files, certificates.
#[test]
fn a_good_file_is_taken_over() {
    let folder = tempfile::tempdir().unwrap();
    let (fake, mut reloader) = start(&folder);
    common::write(&folder, "a.token", "second-token-of-stream-a");
    let added =
        format!("drain_timeout = '3s'\n{FIRST}[[streams]]\nid = 'b'\ntoken_file = 'a.token'\n");
    common::write(&folder, "zonecast.toml", &added);
    assert_eq!(reloader.reload(), "reloaded: taken");
    let taken = fake.taken.borrow();
    let [reload] = &taken[..] else {
        panic!("one reload")
    };
    let ids: Vec<&str> = reload.streams.iter().map(|s| s.id.as_str()).collect();
    assert_eq!(ids, ["a", "b"]);
    assert!(reload.streams[0].token == Some(hash("second-token-of-stream-a")));
    assert!(reload.certificates.is_some());
    assert_eq!(reloader.drain_timeout().as_secs(), 3);
}

/// A mistake anywhere, in the file or in a file that it names, refuses all of it: the data plane
/// hears nothing, the settings in force stay, and the next good file is taken over.
#[test]
fn a_mistake_refuses_everything() {
    let folder = tempfile::tempdir().unwrap();
    let (fake, mut reloader) = start(&folder);
    let in_force = reloader.current().file.clone();
    for (bad, complaint) in [
        ("no toml".to_owned(), "zonecast.toml:1"),
        (
            format!("{FIRST}zone = 7\n"),
            "streams[0].zone: zone 7 does not exist",
        ),
        (
            format!("{FIRST}[limits]\nloop_stall = '1ms'\n"),
            "limits.loop_stall",
        ),
        (
            FIRST.replace("a.token", "missing"),
            "missing cannot be read",
        ),
        (FIRST.replace("key.pem", "a.token"), "certificates[0]"),
        (
            FIRST.replace("[[streams]]\n", "[[streams]]\nid = 'x'\n"),
            "duplicate key",
        ),
    ] {
        common::write(&folder, "zonecast.toml", &bad);
        let status = reloader.reload();
        assert!(
            status.starts_with("reload refused: ") && status.contains(complaint),
            "{status}"
        );
        assert!(fake.taken.borrow().is_empty());
        assert_eq!(reloader.current().file, in_force);
    }
    std::fs::remove_file(folder.path().join("zonecast.toml")).unwrap();
    assert!(reloader.reload().contains("cannot be read"));
    common::write(&folder, "zonecast.toml", FIRST);
    assert_eq!(reloader.reload(), "reloaded: taken");
}

/// What the data plane refuses does not come into force either.
#[test]
fn the_data_plane_may_refuse() {
    let folder = tempfile::tempdir().unwrap();
    let (fake, mut reloader) = start(&folder);
    *fake.refuse.borrow_mut() = Some("no memory for stream b");
    let in_force = reloader.current().file.clone();
    let added = format!("{FIRST}[[streams]]\nid = 'b'\ntoken_file = 'a.token'\n");
    common::write(&folder, "zonecast.toml", &added);
    assert_eq!(reloader.reload(), "reload refused: no memory for stream b");
    assert_eq!(reloader.current().file, in_force);
}

/// What cannot change stays as it runs, and the rest is checked against what stays: a running
/// TLS listener still needs its certificate, even if the new file has made it plain.
#[test]
fn what_cannot_change_stays() {
    let folder = tempfile::tempdir().unwrap();
    let (fake, mut reloader) = start(&folder);
    let moved = format!(
        "{}[memory]\narena = '2GiB'\n",
        FIRST.replace(":8443", ":9443")
    );
    common::write(&folder, "zonecast.toml", &moved);
    assert_eq!(reloader.reload(), "reloaded: taken");
    let in_force = &reloader.current().file;
    assert_eq!(in_force.listeners[0].listen.to_string(), "127.0.0.1:8443");
    assert_eq!(in_force.memory.arena.to_string(), "1GiB");

    let plain = FIRST
        .replace(
            "[[certificates]]\nchain_file = 'cert.pem'\nkey_file = 'key.pem'\n",
            "",
        )
        .replace("8443'\n", "8443'\ntls = false\n");
    common::write(&folder, "zonecast.toml", &plain);
    let status = reloader.reload();
    assert!(
        status.contains("listeners[0].tls: tls = true needs"),
        "{status}"
    );
    assert_eq!(fake.taken.borrow().len(), 1);
}
