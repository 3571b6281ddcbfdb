//! Handshakes: what comes first on a connection, whatever it is.

use std::io::Write as _;
use std::sync::{Arc, LazyLock};

use rustls::{ClientConnection, NoKeyLog};
use zonecast_dataplane::tls::{
    Acceptor, AcceptorConfig, Certificates, Handshake, Opened, Progress, RECORDS_PER_KEY, TlsError,
    Versions,
};

use crate::cuts::Cuts;
use crate::wire;

/// A server's first flight takes less: one certificate of ours.
const FLIGHT_MAX: usize = 8 << 10;

static ACCEPTORS: LazyLock<[Acceptor; 3]> = LazyLock::new(|| {
    let certificates = Certificates::new(wire::IDENTITY.store());
    [Versions::Tls13And12, Versions::Tls13, Versions::Tls12].map(|versions| {
        let config = AcceptorConfig {
            certificates: certificates.clone(),
            tickets: None,
            versions,
            records_per_key: RECORDS_PER_KEY,
        };
        Acceptor::new(config).expect("the certificate can be served")
    })
});

/// The first byte says which versions are spoken; the rest is what the client says. With `#H`
/// in front of it, it is a ClientHello without its record's and its message's header, so that
/// its lengths are right however it was changed. With `#C` in front of it, it is what somebody
/// between an honest client and us changes.
pub(crate) fn run(data: &[u8]) {
    let Some((choice, said)) = data.split_first() else {
        return;
    };
    let acceptor = &ACCEPTORS[usize::from(*choice) % 3];
    if let Some(changes) = said.strip_prefix(b"#C") {
        return changed_on_the_way(acceptor, *choice, changes);
    }
    let said = said.strip_prefix(b"#H").map_or(said.to_vec(), hello);
    let whole = give(acceptor, &said, &[said.len()]);
    let ends = Cuts::of(data).ends(said.len(), 6);
    assert_eq!(give(acceptor, &said, &ends), whole, "cut at {ends:?}");
}

fn hello(body: &[u8]) -> Vec<u8> {
    let lengths = |len: usize| [(len >> 16) as u8, (len >> 8) as u8, len as u8];
    let mut message = vec![1];
    message.extend(lengths(body.len()));
    message.extend_from_slice(body);
    let mut record = vec![22, 3, 1];
    record.extend_from_slice(&lengths(message.len())[1..]);
    record.extend(message);
    record
}

/// What came of it, in words: nobody gets through without the keys.
fn give(acceptor: &Acceptor, said: &[u8], ends: &[usize]) -> Option<String> {
    let mut handshake = Handshake::new(acceptor).expect("the acceptor is in order");
    let (mut out, mut at) = (Vec::new(), 0);
    for &end in ends {
        let progress = handshake.receive(&said[at..end], &mut out);
        at = end;
        assert!(out.len() <= FLIGHT_MAX, "{} bytes of answer", out.len());
        match progress {
            Ok(Progress::NeedMore) => {}
            Ok(Progress::Done) => panic!("a handshake without keys"),
            Err(error) => {
                let sent = out.len();
                let again = handshake.receive(said, &mut out);
                assert!(matches!(again, Err(TlsError::HandshakeNotComplete)));
                assert_eq!(out.len(), sent, "it goes on after its end");
                let unfinished = handshake.finish().err();
                assert!(matches!(unfinished, Some(TlsError::HandshakeNotComplete)));
                return Some(error.to_string());
            }
        }
    }
    let unfinished = handshake.finish().err();
    assert!(matches!(unfinished, Some(TlsError::HandshakeNotComplete)));
    None
}

/// Each three bytes change one: where in all that the client says, and how. Where they change
/// nothing that counts the connection works; else it ends, and stays ended.
fn changed_on_the_way(acceptor: &Acceptor, choice: u8, changes: &[u8]) {
    let mut client = wire::client(choice / 3, Arc::new(NoKeyLog));
    let mut handshake = Handshake::new(acceptor).expect("the acceptor is in order");
    let (mut sent, mut changed) = (0, false);
    loop {
        let (mut said, mut out) = (wire::said_by(&mut client), Vec::new());
        for change in changes.chunks_exact(3) {
            let at = usize::from(u16::from_be_bytes([change[0], change[1]]));
            let byte = at.checked_sub(sent).and_then(|at| said.get_mut(at));
            if let Some(byte) = byte.filter(|_| change[2] != 0) {
                *byte ^= change[2];
                changed = true;
            }
        }
        sent += said.len();
        let progress = handshake.receive(&said, &mut out);
        let mut answer = &out[..];
        let mut client_goes_on = true;
        while client_goes_on && !answer.is_empty() {
            client.read_tls(&mut answer).expect("memory gives all");
            client_goes_on = client.process_new_packets().is_ok();
        }
        match progress {
            Ok(Progress::Done) if client_goes_on => {
                return works(&mut client, handshake);
            }
            Ok(Progress::Done) => return assert!(changed, "the client gave up"),
            Ok(Progress::NeedMore) if client.wants_write() => {}
            // A length that was changed: each waits for the other.
            Ok(Progress::NeedMore) => return assert!(changed, "it is stuck"),
            Err(_) => {
                // A client that knows other versions is refused, and nothing else that is honest.
                let refused = handshake.receive(b"", &mut out);
                assert!(matches!(refused, Err(TlsError::HandshakeNotComplete)));
                let unfinished = handshake.finish().err();
                assert!(matches!(unfinished, Some(TlsError::HandshakeNotComplete)));
                let speaks_all = choice.is_multiple_of(3);
                return assert!(changed || !speaks_all, "an honest client is refused");
            }
        }
    }
}

/// Both sides have the same keys.
fn works(client: &mut ClientConnection, handshake: Handshake) {
    let (mut session, early) = handshake.finish().expect("it is done");
    assert!(early.is_empty());
    client
        .writer()
        .write_all(b"request")
        .expect("memory takes all");
    let mut said = wire::said_by(client);
    let opened = session.open(&mut said).expect("an honest record");
    let Opened::Data { plain, .. } = opened else {
        panic!("{opened:?}");
    };
    assert_eq!(&said[plain], b"request");
}
