//! Shows that handshakes with rustls's client end in sessions that carry data both ways, in every
//! version and suite; that no byte around the hand-over is lost or opened twice, however the bytes
//! arrive; and that what is no handshake gets an alert.
#![allow(clippy::unwrap_used)]

mod tls_support;

use std::sync::Arc;

use rustls::AlertDescription;
use tls_support::{
    Listener, Refused, SUITES, TLS12, TLS13, acceptor, client, client_config, give, identity, join,
    joined, listener, listener_with, open_all, pattern, sent_by, store, try_join,
};
use zonecast_dataplane::tls::{
    Certificates, Fault, Handshake, Progress, RECORDS_PER_KEY, TlsError, Versions,
};

#[test]
fn every_suite_carries_data_both_ways() {
    for suite in SUITES {
        let mut joined = joined(suite);
        let agreed = joined.session.agreed();
        assert_eq!(agreed.suite, suite.suite());
        assert_eq!(agreed.version, suite.version().version);
        assert!(!agreed.resumed);
        assert!(joined.early.is_empty());
        let (request, response) = (pattern(700), pattern(100_000));
        for _ in 0..3 {
            assert_eq!(joined.server_gets(&request), request, "{suite:?}");
            assert_eq!(joined.client_gets(&response), response, "{suite:?}");
        }
    }
}

#[test]
fn a_request_that_comes_with_finished_is_handed_over_once_and_unopened() {
    for suite in SUITES {
        let listener = listener();
        let config = Arc::new(client_config(&listener.identity, suite));
        let request = pattern(40_000);
        let mut joined = try_join(&listener.acceptor, client(&config), &request).unwrap();
        let early = std::mem::take(&mut joined.early);
        let (opened, rest) = open_all(&mut joined.session, early).unwrap();
        assert!(rest.is_empty());
        // A client of TLS 1.2 has to wait for our Finished before it sends data.
        if suite.version().version == TLS13.version().version {
            assert_eq!(opened, request, "{suite:?}");
        } else {
            assert!(opened.is_empty(), "{suite:?}");
        }
        assert_eq!(joined.server_gets(b"more"), b"more");
        assert_eq!(joined.client_gets(b"answer"), b"answer");
    }
}

/// Every byte of the client's side comes alone, and the request straight behind it.
#[test]
fn bytes_may_come_one_at_a_time() {
    for suite in [TLS13, TLS12] {
        let Listener { identity, acceptor } = listener();
        let mut client = client(&Arc::new(client_config(&identity, suite)));
        let mut handshake = Handshake::new(&acceptor).unwrap();
        let mut progress = Progress::NeedMore;
        while progress == Progress::NeedMore {
            let mut out = Vec::new();
            for byte in sent_by(&mut client) {
                assert_eq!(progress, Progress::NeedMore, "done before the last byte");
                progress = handshake.receive(&[byte], &mut out).unwrap();
            }
            give(&mut client, &out).unwrap();
        }
        std::io::Write::write_all(&mut client.writer(), b"GET / HTTP/1.1\r\n\r\n").unwrap();
        let request = sent_by(&mut client);
        let (first, second) = request.split_at(7);
        for byte in first {
            let progress = handshake.receive(&[*byte], &mut Vec::new()).unwrap();
            assert_eq!(progress, Progress::Done);
        }
        let (mut session, mut input) = handshake.finish().unwrap();
        assert_eq!(input, first);
        for byte in second {
            let (data, rest) = open_all(&mut session, std::mem::take(&mut input)).unwrap();
            assert!(data.is_empty(), "opened before the last byte");
            input = rest;
            input.push(*byte);
        }
        let (data, rest) = open_all(&mut session, input).unwrap();
        assert_eq!(data, b"GET / HTTP/1.1\r\n\r\n");
        assert!(rest.is_empty());
    }
}

#[test]
fn a_listener_speaks_only_its_versions() {
    let identity = identity(&["localhost"]);
    let certificates = Certificates::new(store(&[&identity]));
    for (versions, works, fails) in [
        (Versions::Tls13, TLS13, TLS12),
        (Versions::Tls12, TLS12, TLS13),
    ] {
        let acceptor = acceptor(&certificates, versions);
        join(
            &acceptor,
            client(&Arc::new(client_config(&identity, works))),
        );
        let config = Arc::new(client_config(&identity, fails));
        let refused = try_join(&acceptor, client(&config), &[]).unwrap_err();
        assert_eq!(refused.error.fault(), Fault::Peer);
        assert_eq!(alert(&refused), AlertDescription::ProtocolVersion);
    }
}

#[test]
fn clients_that_insist_on_another_protocol_are_refused() {
    let Listener { identity, acceptor } = listener();
    let mut config = client_config(&identity, TLS13);
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let joined = join(&acceptor, client(&Arc::new(config.clone())));
    assert_eq!(joined.client.alpn_protocol(), Some(&b"http/1.1"[..]));
    config.alpn_protocols = vec![b"h2".to_vec()];
    let refused = try_join(&acceptor, client(&Arc::new(config)), &[]).unwrap_err();
    assert!(matches!(refused.error, TlsError::Handshake(_)));
    assert_eq!(refused.error.alert(), None, "rustls has written it");
    assert_eq!(alert(&refused), AlertDescription::NoApplicationProtocol);
}

#[test]
fn what_is_no_handshake_gets_an_alert_and_an_end() {
    let Listener { acceptor, .. } = listener();
    for input in [
        &b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"[..],
        &[22, 3, 1, 0xff, 0xff],
        &[22, 3, 1, 0, 4, 2, 0, 0, 0],
        &[23, 3, 3, 0, 1, 0],
    ] {
        let mut handshake = Handshake::new(&acceptor).unwrap();
        let mut out = Vec::new();
        let error = handshake.receive(input, &mut out).unwrap_err();
        assert_eq!(error.fault(), Fault::Peer, "{input:?}");
        assert_eq!(out[0], 21, "{input:?} -> {error}");
        assert!(handshake.receive(&[0], &mut out).is_err());
        assert!(matches!(
            handshake.finish(),
            Err(TlsError::HandshakeNotComplete)
        ));
    }
}

#[test]
fn endless_handshakes_end() {
    let Listener { acceptor, .. } = listener();
    // A ClientHello said to have 65,000 bytes, one byte a record.
    let mut handshake = Handshake::new(&acceptor).unwrap();
    let mut out = Vec::new();
    handshake
        .receive(&[22, 3, 1, 0, 4, 1, 0, 0xfd, 0xe8], &mut out)
        .unwrap();
    let fragments = (0..100).find_map(|at| {
        let taken = handshake.receive(&[22, 3, 1, 0, 1, 0], &mut out);
        taken.err().map(|error| (at, error))
    });
    assert!(matches!(
        fragments,
        Some((63, TlsError::HandshakeTooLong(_)))
    ));
    // The same in large records.
    let mut handshake = Handshake::new(&acceptor).unwrap();
    let mut record = vec![22, 3, 1, 0x40, 0, 1, 0, 0xff, 0xff];
    record.resize(5 + 0x4000, 0);
    let taken = (0..8).find_map(|_| {
        let taken = handshake.receive(&record, &mut out);
        taken.err()
    });
    assert!(taken.is_some());
}

#[test]
fn an_unfinished_handshake_gives_no_session() {
    let Listener { identity, acceptor } = listener_with(None, RECORDS_PER_KEY);
    let mut client = client(&Arc::new(client_config(&identity, TLS13)));
    let mut handshake = Handshake::new(&acceptor).unwrap();
    let mut out = Vec::new();
    let progress = handshake.receive(&sent_by(&mut client), &mut out).unwrap();
    assert_eq!(progress, Progress::NeedMore);
    assert!(matches!(
        handshake.finish(),
        Err(TlsError::HandshakeNotComplete)
    ));
}

/// The alert that the client got.
fn alert(refused: &Refused) -> AlertDescription {
    match refused.client {
        Some(rustls::Error::AlertReceived(alert)) => alert,
        ref other => panic!("no alert but {other:?}"),
    }
}
