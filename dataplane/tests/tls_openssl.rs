//! Shows that another implementation, OpenSSL's `s_client` over TCP, takes what we send and sends
//! what we take: every suite of ours, KeyUpdate, renegotiation, resumption, close_notify.
#![allow(clippy::unwrap_used)]

mod tls_support;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tls_support::{Listener, listener};
use zonecast_dataplane::tls::{
    Acceptor, AlertDescription, Handshake, Opened, Progress, Session, TlsError,
};

/// One connection as a blocking server has it.
struct Served {
    stream: TcpStream,
    session: Session,
    input: Vec<u8>,
}

impl Served {
    fn accept(listening: &TcpListener, acceptor: &Acceptor) -> Self {
        let (mut stream, _) = listening.accept().unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(20)))
            .unwrap();
        let mut handshake = Handshake::new(acceptor).unwrap();
        loop {
            let mut out = Vec::new();
            let received = receive(&mut stream);
            assert!(!received.is_empty(), "the client left");
            let progress = handshake.receive(&received, &mut out).unwrap();
            stream.write_all(&out).unwrap();
            if progress == Progress::Done {
                break;
            }
        }
        let (session, input) = handshake.finish().unwrap();
        Self {
            stream,
            session,
            input,
        }
    }

    /// The next record that is all there, and its data.
    fn next(&mut self) -> Result<(Opened, Vec<u8>), TlsError> {
        loop {
            let opened = self.session.open(&mut self.input)?;
            let (consumed, data) = match &opened {
                Opened::Incomplete => {
                    let received = receive(&mut self.stream);
                    assert!(!received.is_empty(), "the client left without close_notify");
                    self.input.extend(received);
                    continue;
                }
                Opened::Data { consumed, plain } => (*consumed, self.input[plain.clone()].to_vec()),
                Opened::CloseNotify { consumed }
                | Opened::KeyUpdate { consumed, .. }
                | Opened::Skipped { consumed } => (*consumed, Vec::new()),
                Opened::NoRoom { .. } => unreachable!("opened in place"),
            };
            self.input.drain(..consumed);
            return Ok((opened, data));
        }
    }

    /// Data up to the end of a line.
    fn line(&mut self) -> String {
        let mut line = Vec::new();
        while line.last() != Some(&b'\n') {
            line.extend(self.next().unwrap().1);
        }
        String::from_utf8(line).unwrap()
    }

    fn send(&mut self, data: &[u8]) {
        let mut out = vec![0; Session::PLAINTEXT_MAX + Session::OVERHEAD_MAX];
        for piece in data.chunks(Session::PLAINTEXT_MAX) {
            let written = self.session.seal(&[piece], &mut out).unwrap();
            self.stream.write_all(&out[..written]).unwrap();
        }
    }

    fn finish(mut self) {
        let mut out = [0; 64];
        let written = self.session.seal_close_notify(&mut out).unwrap();
        self.stream.write_all(&out[..written]).unwrap();
    }
}

fn receive(stream: &mut TcpStream) -> Vec<u8> {
    let mut buffer = vec![0; 4096];
    let received = stream.read(&mut buffer).unwrap();
    buffer.truncate(received);
    buffer
}

/// A listener on loopback, with its certificate in a file for the client.
struct Lab {
    listening: TcpListener,
    address: SocketAddr,
    acceptor: Acceptor,
    folder: tempfile::TempDir,
}

impl Lab {
    fn new() -> Self {
        let Listener { identity, acceptor } = listener();
        let listening = TcpListener::bind("127.0.0.1:0").unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("ca.pem"), identity.chain).unwrap();
        Self {
            address: listening.local_addr().unwrap(),
            listening,
            acceptor,
            folder,
        }
    }

    fn client(&self, options: &[&str]) -> Child {
        Command::new("openssl")
            .args(["s_client", "-connect", &self.address.to_string()])
            .args(["-servername", "localhost", "-verify_return_error"])
            .args(["-verify_hostname", "localhost", "-alpn", "http/1.1"])
            .args(["-CAfile", "ca.pem"])
            .args(options)
            .current_dir(self.folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("openssl is installed")
    }

    fn serve(&self) -> Served {
        Served::accept(&self.listening, &self.acceptor)
    }
}

fn say(client: &mut Child, line: &str) {
    let stdin = client.stdin.as_mut().unwrap();
    stdin.write_all(line.as_bytes()).unwrap();
    stdin.flush().unwrap();
}

/// What the client has put out by its end.
fn ended(client: Child) -> String {
    let output = client.wait_with_output().unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned()
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
        let mut client = lab.client(&[&options[..], &["-quiet"]].concat());
        let mut served = lab.serve();
        say(&mut client, "GET /live/news/1.m4s\n");
        assert_eq!(served.line(), "GET /live/news/1.m4s\n", "{options:?}");
        let response = "0123456789abcdef".repeat(10_000);
        served.send(response.as_bytes());
        served.finish();
        assert_eq!(ended(client), response, "{options:?}");
    }
}

/// `K` makes s_client change its key and ask for ours to change.
#[test]
fn openssl_may_change_keys() {
    let lab = Lab::new();
    let mut client = lab.client(&["-tls1_3"]);
    let mut served = lab.serve();
    for round in 0..3 {
        say(&mut client, "K\n");
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

/// `R` makes s_client renegotiate.
#[test]
fn openssl_may_not_renegotiate() {
    let lab = Lab::new();
    let mut client = lab.client(&["-tls1_2"]);
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
            let mut client = lab.client(&[version, "-quiet", option, "session.pem"]);
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
    let mut client = lab.client(&["-tls1_3"]);
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
