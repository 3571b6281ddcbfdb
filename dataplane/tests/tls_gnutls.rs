//! Shows that a third implementation, GnuTLS's `gnutls-cli` over TCP, takes what we send and sends
//! what we take: every suite of ours, KeyUpdate, renegotiation, close_notify.
#![allow(clippy::unwrap_used)]

mod tls_support;

use std::io::Write;
use std::process::{Child, Command, Stdio};

use tls_support::served::{Lab, ended, say};
use zonecast_dataplane::tls::{AlertDescription, Opened, TlsError};

const TLS13: &str = "NORMAL:-VERS-ALL:+VERS-TLS1.3";
const TLS12: &str = "NORMAL:-VERS-ALL:+VERS-TLS1.2";

/// Whether there is a `gnutls-cli`; says so where there is none.
fn is_installed() -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).any(|folder| folder.join("gnutls-cli").is_file());
    if !found {
        println!("SKIP: gnutls-cli is not installed");
    }
    found
}

fn client(lab: &Lab, priority: &str, options: &[&str]) -> Child {
    Command::new("gnutls-cli")
        .args(["--port", &lab.address.port().to_string()])
        .args(["--x509cafile", "ca.pem", "--logfile", "gnutls.log"])
        .args([
            "--sni-hostname",
            "localhost",
            "--verify-hostname",
            "localhost",
        ])
        .args(["--alpn", "http/1.1", "--priority", priority])
        .args(options)
        .arg("127.0.0.1")
        .current_dir(lab.folder.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// What gnutls-cli has said about the connection.
fn log(lab: &Lab) -> String {
    std::fs::read_to_string(lab.folder.path().join("gnutls.log")).unwrap()
}

#[test]
fn every_suite_works_with_gnutls() {
    if !is_installed() {
        return;
    }
    let lab = Lab::new();
    for (version, cipher) in [
        (TLS13, "AES-128-GCM"),
        (TLS13, "AES-256-GCM"),
        (TLS13, "CHACHA20-POLY1305"),
        (TLS12, "AES-128-GCM"),
        (TLS12, "AES-256-GCM"),
        (TLS12, "CHACHA20-POLY1305"),
    ] {
        let priority = format!("{version}:-CIPHER-ALL:+{cipher}");
        let mut client = client(&lab, &priority, &[]);
        let mut served = lab.serve();
        // More than one record each way; the client reads its input by the line.
        let request = format!("{}\n", "0123456789abcdef".repeat(30)).repeat(100);
        say(&mut client, &request);
        let mut heard = String::new();
        while heard.len() < request.len() {
            heard += &served.line();
        }
        assert_eq!(heard, request, "{priority}");
        let response = "0123456789abcdef".repeat(10_000);
        served.send(response.as_bytes());
        served.finish();
        assert_eq!(ended(client), response, "{priority}: {}", log(&lab));
        assert!(log(&lab).contains(cipher), "{}", log(&lab));
    }
}

/// `^rekey^` makes gnutls-cli change its key and ask for ours to change.
#[test]
fn gnutls_may_change_keys() {
    if !is_installed() {
        return;
    }
    let lab = Lab::new();
    let mut client = client(&lab, TLS13, &["--inline-commands"]);
    let mut served = lab.serve();
    for round in 0..3 {
        say(&mut client, "^rekey^\n");
        let (opened, _) = served.next().unwrap();
        assert!(matches!(opened, Opened::KeyUpdate { answer: true, .. }));
        served.send(format!("answer {round}\n").as_bytes());
        say(&mut client, "request\n");
        assert_eq!(served.line(), "request\n");
    }
    // Our own change, unasked.
    let mut out = [0; 64];
    let written = served.session.seal_key_update(&mut out).unwrap();
    served.stream.write_all(&out[..written]).unwrap();
    served.send(b"answer 3\n");
    served.finish();
    let said = ended(client);
    for round in 0..4 {
        assert!(said.contains(&format!("answer {round}\n")), "{said}");
    }
}

/// `--rehandshake` makes gnutls-cli renegotiate at once.
#[test]
fn gnutls_may_not_renegotiate() {
    if !is_installed() {
        return;
    }
    let lab = Lab::new();
    let client = client(&lab, TLS12, &["--rehandshake"]);
    let mut served = lab.serve();
    let error = served.next().unwrap_err();
    assert!(matches!(error, TlsError::Renegotiation));
    let mut out = [0; 64];
    let written = served
        .session
        .seal_alert(AlertDescription::NoRenegotiation, &mut out)
        .unwrap();
    served.stream.write_all(&out[..written]).unwrap();
    drop(served);
    let output = client.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned() + &log(&lab);
    assert!(said.contains("No renegotiation"), "{said}");
}

/// The end of the client's input is a close_notify, and not just an end.
#[test]
fn gnutls_says_goodbye() {
    if !is_installed() {
        return;
    }
    let lab = Lab::new();
    for version in [TLS13, TLS12] {
        let mut client = client(&lab, version, &[]);
        let mut served = lab.serve();
        say(&mut client, "last request\n");
        assert_eq!(served.line(), "last request\n");
        drop(client.stdin.take());
        let (opened, _) = served.next().unwrap();
        assert!(matches!(opened, Opened::CloseNotify { .. }), "{version}");
        served.finish();
        ended(client);
    }
}
