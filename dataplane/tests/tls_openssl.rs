//! Shows that another implementation, OpenSSL's `s_client` over TCP, takes what we send and sends
//! what we take: every suite of ours, KeyUpdate, renegotiation, resumption, close_notify.
#![allow(clippy::unwrap_used)]

mod tls_support;

use std::io::Write;
use std::process::{Child, Command, Stdio};

use tls_support::served::{Lab, ended, say};
use zonecast_dataplane::tls::{AlertDescription, Opened, TlsError};

fn client(lab: &Lab, options: &[&str]) -> Child {
    Command::new("openssl")
        .args(["s_client", "-connect", &lab.address.to_string()])
        .args(["-servername", "localhost", "-verify_return_error"])
        .args(["-verify_hostname", "localhost", "-alpn", "http/1.1"])
        .args(["-CAfile", "ca.pem"])
        .args(options)
        .current_dir(lab.folder.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("openssl is installed")
}

#[test]
fn every_suite_works_with_openssl() {
    let lab = Lab::new();
    for options in [
        ["-tls1_3", "-ciphersuites", "TLS_AES_128_GCM_SHA256"],
        ["-tls1_3", "-ciphersuites", "TLS_AES_256_GCM_SHA384"],
        ["-tls1_3", "-ciphersuites", "TLS_CHACHA20_POLY1305_SHA256"],
        ["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256"],
        ["-tls1_2", "-cipher", "ECDHE-ECDSA-AES256-GCM-SHA384"],
        ["-tls1_2", "-cipher", "ECDHE-ECDSA-CHACHA20-POLY1305"],
    ] {
        let mut client = client(&lab, &[&options[..], &["-quiet"]].concat());
        let mut served = lab.serve();
        say(&mut client, "GET /live/news/1.m4s\n");
        assert_eq!(served.line(), "GET /live/news/1.m4s\n", "{options:?}");
        let response = "0123456789abcdef".repeat(10_000);
        served.send(response.as_bytes());
        served.finish();
        assert_eq!(ended(client), response, "{options:?}");
    }
}

/// `K` makes s_client change its key and ask for ours to change; `k` does not ask.
#[test]
fn openssl_may_change_keys() {
    let lab = Lab::new();
    let mut client = client(&lab, &["-tls1_3"]);
    let mut served = lab.serve();
    for round in 0..3 {
        say(&mut client, "K\n");
        let (opened, _) = served.next().unwrap();
        assert!(matches!(opened, Opened::KeyUpdate { answer: true, .. }));
        served.send(format!("answer {round}\n").as_bytes());
        say(&mut client, "request\n");
        assert_eq!(served.line(), "request\n");
    }
    say(&mut client, "k\n");
    let (opened, _) = served.next().unwrap();
    assert!(matches!(opened, Opened::KeyUpdate { answer: false, .. }));
    say(&mut client, "request\n");
    assert_eq!(served.line(), "request\n");
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

/// `R` makes s_client renegotiate.
#[test]
fn openssl_may_not_renegotiate() {
    let lab = Lab::new();
    let mut client = client(&lab, &["-tls1_2"]);
    let mut served = lab.serve();
    say(&mut client, "request\n");
    assert_eq!(served.line(), "request\n");
    say(&mut client, "R\n");
    let error = served.next().unwrap_err();
    assert!(matches!(error, TlsError::Renegotiation));
    assert_eq!(error.alert(), Some(AlertDescription::NoRenegotiation));
    let mut out = [0; 64];
    let written = served
        .session
        .seal_alert(AlertDescription::NoRenegotiation, &mut out)
        .unwrap();
    served.stream.write_all(&out[..written]).unwrap();
    drop(served);
    let output = client.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("no renegotiation"), "{said}");
}

#[test]
fn openssl_resumes() {
    let lab = Lab::new();
    for version in ["-tls1_3", "-tls1_2"] {
        for (option, resumed) in [("-sess_out", false), ("-sess_in", true)] {
            let mut client = client(&lab, &[version, "-quiet", option, "session.pem"]);
            let mut served = lab.serve();
            assert_eq!(served.session.agreed().resumed, resumed, "{version}");
            say(&mut client, "request\n");
            assert_eq!(served.line(), "request\n");
            served.send(b"response");
            served.finish();
            assert_eq!(ended(client), "response");
        }
    }
}

/// The client's close_notify is told apart from its data.
#[test]
fn openssl_says_goodbye() {
    let lab = Lab::new();
    let mut client = client(&lab, &["-tls1_3"]);
    let mut served = lab.serve();
    say(&mut client, "last request\n");
    assert_eq!(served.line(), "last request\n");
    say(&mut client, "Q\n");
    assert!(matches!(
        served.next().unwrap().0,
        Opened::CloseNotify { .. }
    ));
    served.finish();
    ended(client);
}
