//! Shows the generator against the floor program, by TLS and in plain: right bytes pass, and one
//! that was changed in the server's copy of an object is found.
#![allow(clippy::unwrap_used, missing_docs)]

use std::io::{BufRead as _, BufReader};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use zonecast_load::content::Objects;
use zonecast_load::handshakes::Handshakes;
use zonecast_load::{Counts, Load, LoadError, Spec, tls};
use zonecast_perf::setup::{Certificate, Ports};

/// A floor program; killed when dropped.
struct Floor {
    child: Child,
    target: SocketAddr,
    objects: Arc<Objects>,
    root: CertificateDer<'static>,
    folder: tempfile::TempDir,
}

impl Drop for Floor {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Floor {
    /// `change` may spoil the files that it serves.
    fn start(plain: bool, change: impl Fn(&Path, &Objects)) -> Floor {
        let folder = tempfile::tempdir().unwrap();
        let certificate = Certificate::make(folder.path()).unwrap();
        let files = folder.path().join("objects");
        std::fs::create_dir(&files).unwrap();
        let objects = Arc::new(Objects::make(5, 7, 100_000));
        for number in 0..objects.count() {
            std::fs::write(files.join(objects.name(number)), objects.get(number)).unwrap();
        }
        change(&files, &objects);
        let target = Ports::four(Ports::pick().unwrap().https);
        let mut command = Command::new(env!("CARGO_BIN_EXE_zonecast-floor"));
        command.arg("--listen").arg(target.to_string());
        command.arg("--objects").arg(&files);
        if !plain {
            command.arg("--chain").arg(&certificate.chain_file);
            command.arg("--key").arg(&certificate.key_file);
        }
        let mut child = command.spawn().unwrap();
        while TcpStream::connect(target).is_err() {
            assert_eq!(child.try_wait().unwrap(), None, "the floor program ended");
            std::thread::sleep(Duration::from_millis(10));
        }
        Floor {
            child,
            target,
            objects,
            root: CertificateDer::from_pem_file(&certificate.chain_file).unwrap(),
            folder,
        }
    }

    fn spec(&self, plain: bool) -> Spec {
        let mut spec = Spec::new(self.target, "/", Arc::clone(&self.objects));
        if !plain {
            let client = tls::client(self.root.clone(), false).unwrap();
            spec.tls = Some(Arc::new(client));
        }
        spec.connections = 8;
        spec.verify_every = 4;
        spec.any_object = true;
        spec
    }

    fn load(&self, plain: bool) -> Result<Counts, LoadError> {
        let mut load = Load::open(self.spec(plain))?;
        load.run(Duration::from_secs(1))?;
        load.finish(Duration::from_secs(10))
    }
}

/// A second of load: every response has the length that it must have, a sample every byte.
#[test]
fn right_bytes_pass() {
    for plain in [false, true] {
        let floor = Floor::start(plain, |_, _| {});
        let counts = floor.load(plain).unwrap();
        assert!(counts.verified > 0, "{counts:?}");
        assert!(counts.responses > counts.verified, "{counts:?}");
        assert!(floor.folder.path().is_dir());
    }
}

/// One bit of one object: the first viewer that compares it ends the load.
#[test]
fn a_wrong_byte_is_found() {
    for plain in [false, true] {
        let floor = Floor::start(plain, |files, objects| {
            let mut bytes = objects.get(3).to_vec();
            bytes[77_777] ^= 0x10;
            std::fs::write(files.join(objects.name(3)), bytes).unwrap();
        });
        let error = floor.load(plain).unwrap_err().to_string();
        assert!(
            error.contains("wrong byte at 77777 of object Some(3)"),
            "{error}"
        );
    }
}

/// Full handshakes are full, and clients that keep tickets resume every one but their first.
#[test]
fn handshakes_are_what_they_are_called() {
    let floor = Floor::start(false, |_, _| {});
    for resumes in [false, true] {
        let config = || Arc::new(tls::client(floor.root.clone(), resumes).unwrap());
        let mut handshakes = Handshakes::start(floor.target, [config(), config()]).unwrap();
        handshakes.run(Duration::from_millis(500)).unwrap();
        let shaken = handshakes.take();
        assert!(shaken.done > 2, "{shaken:?}");
        let due = if resumes { shaken.done - 2 } else { 0 };
        assert_eq!(shaken.resumed, due, "{resumes}");
    }
}

/// A crowd says when all its viewers are there, stays until its input ends, and then says how many
/// are left; one whose server ends before that fails.
#[test]
fn a_crowd_is_there_until_its_input_ends() {
    for killed in [false, true] {
        let mut floor = Floor::start(false, |files, objects| {
            for number in 1..objects.count() {
                std::fs::remove_file(files.join(objects.name(number))).unwrap();
            }
        });
        let mut command = Command::new(env!("CARGO_BIN_EXE_zonecast-crowd"));
        command.args(["--folder=/", "--seed=5", "--objects=1", "--size=100000"]);
        command.args(["--connections=8", "--interval-ms=50", "--cpu=0"]);
        command.args(["--open-within-s=60", "--target"]);
        command.arg(floor.target.to_string());
        command.arg(format!("--root={}/cert.pem", floor.folder.path().display()));
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut crowd = command.spawn().unwrap();
        let mut output = BufReader::new(crowd.stdout.take().unwrap());
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        assert_eq!(line, "open\n");
        assert_eq!(crowd.try_wait().unwrap(), None);
        line.clear();
        if killed {
            floor.child.kill().unwrap();
            output.read_line(&mut line).unwrap();
            assert_eq!(line, "");
        } else {
            drop(crowd.stdin.take());
            output.read_line(&mut line).unwrap();
            assert_eq!(line, "8\n");
        }
        assert_eq!(crowd.wait().unwrap().success(), !killed);
    }
}
