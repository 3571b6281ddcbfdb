//! Handshakes: what comes first on a connection, whatever it is.

use std::sync::LazyLock;

use zonecast_dataplane::tls::{
    Acceptor, AcceptorConfig, Certificates, Handshake, Progress, RECORDS_PER_KEY, TlsError,
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
/// its lengths are right however it was changed.
pub(crate) fn run(data: &[u8]) {
    let Some((choice, said)) = data.split_first() else {
        return;
    };
    let acceptor = &ACCEPTORS[usize::from(*choice) % 3];
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
