//! A blocking server on loopback, for clients that are programs of others.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Child;
use std::time::Duration;

use super::{Listener, listener};
use zonecast_dataplane::tls::{Acceptor, Handshake, Opened, Progress, Session, TlsError};

/// One connection as a blocking server has it.
pub struct Served {
    pub stream: TcpStream,
    pub session: Session,
    pub input: Vec<u8>,
}

impl Served {
    pub fn accept(listening: &TcpListener, acceptor: &Acceptor) -> Self {
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
    pub fn next(&mut self) -> Result<(Opened, Vec<u8>), TlsError> {
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
    pub fn line(&mut self) -> String {
        let mut line = Vec::new();
        while line.last() != Some(&b'\n') {
            line.extend(self.next().unwrap().1);
        }
        String::from_utf8(line).unwrap()
    }

    pub fn send(&mut self, data: &[u8]) {
        let mut out = vec![0; Session::PLAINTEXT_MAX + Session::OVERHEAD_MAX];
        for piece in data.chunks(Session::PLAINTEXT_MAX) {
            let written = self.session.seal(&[piece], &mut out).unwrap();
            self.stream.write_all(&out[..written]).unwrap();
        }
    }

    pub fn finish(mut self) {
        let mut out = [0; 64];
        let written = self.session.seal_close_notify(&mut out).unwrap();
        self.stream.write_all(&out[..written]).unwrap();
    }
}

pub fn receive(stream: &mut TcpStream) -> Vec<u8> {
    let mut buffer = vec![0; 4096];
    let received = stream.read(&mut buffer).unwrap();
    buffer.truncate(received);
    buffer
}

/// A listener on loopback, with its certificate in a file for the client.
pub struct Lab {
    pub listening: TcpListener,
    pub address: SocketAddr,
    pub acceptor: Acceptor,
    pub folder: tempfile::TempDir,
}

impl Lab {
    pub fn new() -> Self {
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

    pub fn serve(&self) -> Served {
        Served::accept(&self.listening, &self.acceptor)
    }
}

pub fn say(client: &mut Child, line: &str) {
    let stdin = client.stdin.as_mut().unwrap();
    stdin.write_all(line.as_bytes()).unwrap();
    stdin.flush().unwrap();
}

/// What the client has put out by its end, which it comes to by itself: at the end of its input
/// it would leave, and not read what is still to come.
pub fn ended(mut client: Child) -> String {
    let input = client.stdin.take();
    let output = client.wait_with_output().unwrap();
    drop(input);
    String::from_utf8_lossy(&output.stdout).into_owned()
}
