//! Shows what the record layer refuses on an established connection, with which alert, and that
//! nothing is opened after that; and how it counts what brings no data.
#![allow(clippy::unwrap_used)]

mod tls_support;

use rustls::AlertDescription;
use tls_support::raw::{ALERT, DATA, HANDSHAKE, pair};
use tls_support::{SUITES, TLS12, TLS13, give, joined, pattern, sent_by};
use zonecast_dataplane::tls::{Fault, Opened, Session, TlsError};

#[test]
fn a_changed_byte_is_a_bad_mac_and_the_client_is_told() {
    for suite in SUITES {
        let mut joined = joined(suite);
        std::io::Write::write_all(&mut joined.client.writer(), b"request").unwrap();
        let mut wire = sent_by(&mut joined.client);
        let last = wire.len() - 1;
        wire[last] ^= 1;
        let error = joined.session.open(&mut wire).unwrap_err();
        assert!(matches!(error, TlsError::BadRecordMac));
        let alert = error.alert().unwrap();
        assert_eq!(u8::from(alert), 20);
        let mut out = [0; 64];
        let written = joined.session.seal_alert(alert, &mut out).unwrap();
        let told = give(&mut joined.client, &out[..written]).unwrap_err();
        assert_eq!(
            told,
            rustls::Error::AlertReceived(AlertDescription::BadRecordMac)
        );
        assert!(matches!(
            joined.session.seal(&[b"x"], &mut out),
            Err(TlsError::Ended)
        ));
    }
}

#[test]
fn every_byte_of_a_record_is_authenticated() {
    for suite in SUITES {
        for at in 5..40 {
            let (mut client, mut session) = pair(suite);
            let mut wire = client.record(DATA, &pattern(100));
            wire[at] ^= 0x80;
            let mut out = [0; 200];
            let error = session.open_into(&wire, &mut out).unwrap_err();
            assert!(
                matches!(error, TlsError::BadRecordMac),
                "{suite:?} byte {at}"
            );
        }
    }
}

#[test]
fn replayed_and_reordered_records_do_not_open() {
    for suite in SUITES {
        let (mut client, mut session) = pair(suite);
        let first = client.record(DATA, b"first");
        session.open(&mut first.clone()).unwrap();
        refused(&mut session, first, AlertDescription::BadRecordMac);
        let (mut client, mut session) = pair(suite);
        client.record(DATA, b"first");
        let second = client.record(DATA, b"second");
        refused(&mut session, second, AlertDescription::BadRecordMac);
    }
}

#[test]
fn headers_that_cannot_be_right_are_refused_before_the_body_comes() {
    for (suite, length) in [(TLS13, 16_384 + 257), (TLS12, 16_384 + 2_049)] {
        let length = u16::to_be_bytes(length);
        let oversized = vec![DATA, 3, 3, length[0], length[1]];
        let mut session = joined(suite).session;
        refused(&mut session, oversized, AlertDescription::RecordOverflow);
        let mut session = joined(suite).session;
        let version = AlertDescription::ProtocolVersion;
        refused(&mut session, vec![DATA, 3, 1, 0, 50], version);
        for content_type in [0, 20, 24, 255] {
            let mut session = joined(suite).session;
            let unexpected = AlertDescription::UnexpectedMessage;
            refused(&mut session, vec![content_type, 3, 3, 0, 50], unexpected);
        }
        let mut session = joined(suite).session;
        refused(
            &mut session,
            vec![DATA, 3, 3, 0, 15],
            AlertDescription::BadRecordMac,
        );
    }
    // TLS 1.3 says all it has to say inside of data records.
    for content_type in [ALERT, HANDSHAKE] {
        let mut session = joined(TLS13).session;
        let unexpected = AlertDescription::UnexpectedMessage;
        refused(&mut session, vec![content_type, 3, 3, 0, 50], unexpected);
    }
}

#[test]
fn plaintext_beyond_the_limit_is_an_overflow() {
    for suite in [TLS13, TLS12] {
        let (mut client, mut session) = pair(suite);
        let mut fits = client.record(DATA, &pattern(16_384));
        assert!(matches!(session.open(&mut fits), Ok(Opened::Data { .. })));
        let over = client.record(DATA, &pattern(16_385));
        refused(&mut session, over, AlertDescription::RecordOverflow);
    }
    let (mut client, mut session) = pair(TLS13);
    let padded = client.padded_record(DATA, b"x", 16_384);
    refused(&mut session, padded, AlertDescription::RecordOverflow);
}

#[test]
fn alerts_of_the_peer_end_the_connection_without_an_answer() {
    for (suite, alert) in [(TLS13, [2, 40]), (TLS12, [2, 40]), (TLS13, [1, 40])] {
        let (mut client, mut session) = pair(suite);
        let error = session.open(&mut client.record(ALERT, &alert)).unwrap_err();
        assert!(matches!(
            error,
            TlsError::PeerAlert(AlertDescription::HandshakeFailure)
        ));
        assert_eq!(error.alert(), None);
    }
    for malformed in [&[1][..], &[2, 40, 2, 40], &[]] {
        for suite in [TLS13, TLS12] {
            let (mut client, mut session) = pair(suite);
            let wire = client.record(ALERT, malformed);
            refused(&mut session, wire, AlertDescription::DecodeError);
        }
    }
}

#[test]
fn renegotiation_is_refused() {
    for suite in [TLS12, SUITES[5]] {
        let (mut client, mut session) = pair(suite);
        let hello = client.record(HANDSHAKE, &[1, 0, 0, 40, 3, 3, 0, 0]);
        let error = refused(&mut session, hello, AlertDescription::NoRenegotiation);
        assert!(matches!(error, TlsError::Renegotiation));
    }
    let (mut client, mut session) = pair(TLS13);
    let hello = client.record(HANDSHAKE, &[1, 0, 0, 40, 3, 3, 0, 0]);
    refused(&mut session, hello, AlertDescription::UnexpectedMessage);
    let (mut client, mut session) = pair(TLS12);
    let update = client.record(HANDSHAKE, &[24, 0, 0, 1, 0]);
    refused(&mut session, update, AlertDescription::UnexpectedMessage);
}

#[test]
fn records_that_bring_nothing_are_bounded() {
    for suite in SUITES {
        let (mut client, mut session) = pair(suite);
        for _ in 0..32 {
            let mut empty = client.record(DATA, b"");
            let consumed = empty.len();
            assert_eq!(
                session.open(&mut empty).unwrap(),
                Opened::Skipped { consumed }
            );
        }
        let one_more = client.record(DATA, b"");
        let error = refused(&mut session, one_more, AlertDescription::UnexpectedMessage);
        assert!(matches!(error, TlsError::Flood));
    }
    // Warnings too; a TLS 1.2 client may send some.
    let (mut client, mut session) = pair(TLS12);
    let opened = (0..40).find_map(|_| session.open(&mut client.record(ALERT, &[1, 90])).err());
    assert!(matches!(opened, Some(TlsError::Flood)));
}

#[test]
fn data_pays_for_records_without() {
    let (mut client, mut session) = pair(TLS13);
    for _ in 0..1000 {
        session.open(&mut client.record(DATA, b"")).unwrap();
        for _ in 0..8 {
            session.open(&mut client.record(DATA, b"data")).unwrap();
        }
    }
}

#[test]
fn padding_is_taken_off_and_a_type_must_be_there() {
    let (mut client, mut session) = pair(TLS13);
    let mut wire = client.padded_record(DATA, b"data\0", 300);
    let Opened::Data { plain, .. } = session.open(&mut wire).unwrap() else {
        panic!("no data");
    };
    assert_eq!(&wire[plain], b"data\0");
    let untyped = client.inner_record(DATA, vec![0; 20]);
    refused(&mut session, untyped, AlertDescription::UnexpectedMessage);
    let (mut client, mut session) = pair(TLS13);
    let strange = client.record(99, b"what");
    refused(&mut session, strange, AlertDescription::UnexpectedMessage);
}

/// Opening `wire` fails with `alert`, which the session can seal, and is the end.
fn refused(session: &mut Session, mut wire: Vec<u8>, alert: AlertDescription) -> TlsError {
    let error = session.open(&mut wire).unwrap_err();
    assert_eq!(error.alert(), Some(alert), "{error}");
    assert_eq!(error.fault(), Fault::Peer);
    assert!(matches!(session.open(&mut wire), Err(TlsError::Ended)));
    let mut out = [0; 64];
    assert!(session.seal_alert(alert, &mut out).unwrap() > 0);
    error
}
