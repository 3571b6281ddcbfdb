//! Shows that keys change when they must: at the client's word, at our own limit, and that TLS 1.2,
//! which cannot, asks for an end; and that no nonce is ever used twice under a key.
#![allow(clippy::unwrap_used)]

mod tls_support;

use std::collections::HashSet;
use std::sync::Arc;

use tls_support::raw::{DATA, HANDSHAKE, RawClient};
use tls_support::{
    Joined, SUITES, TLS12, TLS13, client, client_config, give, join, joined, listener_with,
    open_all, pattern, sent_by,
};
use zonecast_dataplane::tls::{AlertDescription, Opened, Session, TlsError};

/// A connection whose keys are worn after a few records.
fn short_lived(suite: rustls::SupportedCipherSuite, records_per_key: u64) -> Joined {
    let listener = listener_with(None, records_per_key);
    let config = Arc::new(client_config(&listener.identity, suite));
    join(&listener.acceptor, client(&config))
}

/// The client changes its key and asks for ours to change: the answer goes in front of the next
/// data, under the old key, and everything goes on.
#[test]
fn a_client_may_change_keys() {
    for suite in &SUITES[..3] {
        let mut joined = joined(*suite);
        for round in 0..5_u8 {
            joined.client.refresh_traffic_keys().unwrap();
            let plain = joined.session.sealed_len(1);
            let mut update = sent_by(&mut joined.client);
            let consumed = update.len();
            let opened = joined.session.open(&mut update).unwrap();
            let expected = Opened::KeyUpdate {
                consumed,
                answer: true,
            };
            assert_eq!(opened, expected, "{suite:?}");
            assert_eq!(
                joined.session.sealed_len(1),
                plain + 27,
                "the answer is due"
            );
            assert_eq!(joined.client_gets(&[round]), [round]);
            assert_eq!(joined.session.sealed_len(1), plain, "and was sent");
            assert_eq!(joined.server_gets(&[round]), [round]);
            // Data pays for the next one.
            for _ in 0..8 {
                joined.server_gets(b"data");
            }
        }
    }
}

#[test]
fn a_due_answer_needs_room_and_waits_for_it() {
    let mut joined = joined(TLS13);
    joined.client.refresh_traffic_keys().unwrap();
    joined
        .session
        .open(&mut sent_by(&mut joined.client))
        .unwrap();
    let mut out = [0; 100];
    let needed = joined.session.sealed_len(4);
    let no_room = joined.session.seal(&[b"data"], &mut out[..needed - 1]);
    assert!(matches!(no_room, Err(TlsError::NoRoom { needed: said }) if said == needed));
    assert_eq!(joined.session.seal(&[b"data"], &mut out).unwrap(), needed);
    assert_eq!(give(&mut joined.client, &out[..needed]).unwrap(), b"data");
}

#[test]
fn many_requests_for_a_change_get_one_answer_and_then_an_end() {
    let (mut client, mut session) = RawClient::of(joined(TLS13));
    let mut update = client.record(HANDSHAKE, &[24, 0, 0, 1, 2]);
    let error = session.open(&mut update).unwrap_err();
    assert_eq!(error.alert(), Some(AlertDescription::DecodeError));
    for strange in [
        &[24, 0, 0, 1][..],
        &[24, 0, 0, 1, 0, 24, 0, 0, 1, 0],
        &[24],
        &[],
    ] {
        let (mut client, mut session) = RawClient::of(joined(TLS13));
        let error = session
            .open(&mut client.record(HANDSHAKE, strange))
            .unwrap_err();
        assert_eq!(error.alert(), Some(AlertDescription::UnexpectedMessage));
    }
    let mut joined = joined(TLS13);
    let plain = joined.session.sealed_len(1);
    for _ in 0..32 {
        joined.client.refresh_traffic_keys().unwrap();
        joined
            .session
            .open(&mut sent_by(&mut joined.client))
            .unwrap();
    }
    assert_eq!(joined.session.sealed_len(1), plain + 27);
    joined.client.refresh_traffic_keys().unwrap();
    let error = joined
        .session
        .open(&mut sent_by(&mut joined.client))
        .unwrap_err();
    assert!(matches!(error, TlsError::Flood));
}

/// A record under the key before a KeyUpdate does not open after it.
#[test]
fn the_old_key_is_gone() {
    let (mut client, mut session) = RawClient::of(joined(TLS13));
    session
        .open(&mut client.record(HANDSHAKE, &[24, 0, 0, 1, 0]))
        .unwrap();
    let error = session
        .open(&mut client.record(DATA, b"old key"))
        .unwrap_err();
    assert!(matches!(error, TlsError::BadRecordMac));
}

#[test]
fn a_worn_key_is_replaced_by_itself() {
    for suite in &SUITES[..3] {
        let mut joined = short_lived(*suite, 4);
        let update = |joined: &Joined| joined.session.sealed_len(1) - 23;
        let mut updates = 0;
        for round in 0..23_u8 {
            assert_eq!(
                update(&joined),
                if round > 0 && round % 4 == 0 { 27 } else { 0 }
            );
            updates += update(&joined) / 27;
            assert_eq!(joined.client_gets(&[round]), [round], "{suite:?}");
        }
        assert_eq!(updates, 5);
        assert!(!joined.session.close_due());
        let mut out = [0; 64];
        let written = joined.session.seal_key_update(&mut out).unwrap();
        assert_eq!(give(&mut joined.client, &out[..written]).unwrap(), b"");
        assert_eq!(joined.client_gets(b"next"), b"next");
    }
}

#[test]
fn a_worn_key_of_tls12_asks_for_an_end_and_then_insists() {
    for suite in &SUITES[3..] {
        // The Finished was the first of 8 records; 2 more may follow.
        let mut joined = short_lived(*suite, 8);
        for round in 1..10_u8 {
            assert_eq!(joined.session.close_due(), round >= 8, "{round}");
            assert_eq!(joined.client_gets(&[round]), [round]);
        }
        let mut out = [0; 100];
        let more = joined.session.seal(&[b"more"], &mut out);
        assert!(matches!(more, Err(TlsError::KeyExhausted)));
        let update = joined.session.seal_key_update(&mut out);
        assert!(matches!(update, Err(TlsError::NotInThisVersion(_))));
        let written = joined.session.seal_close_notify(&mut out).unwrap();
        give(&mut joined.client, &out[..written]).unwrap();
        assert!(
            joined
                .client
                .process_new_packets()
                .unwrap()
                .peer_has_closed()
        );
    }
}

/// Reads the wire: rustls's Finished, our data, an alert: each has a nonce of its own, in full
/// handshakes and in resumed ones.
#[test]
fn explicit_nonces_of_tls12_are_all_distinct() {
    for suite in [TLS12, SUITES[4]] {
        let listener = tls_support::listener();
        let config = Arc::new(client_config(&listener.identity, suite));
        for resumed in [false, true] {
            let mut joined = join(&listener.acceptor, client(&config));
            assert_eq!(joined.session.agreed().resumed, resumed);
            let mut wire = sealed_after_ccs(&joined.wire);
            for _ in 0..100 {
                wire.extend(joined.seal(&pattern(20_000)));
            }
            let mut out = [0; 64];
            let written = joined.session.seal_close_notify(&mut out).unwrap();
            wire.extend_from_slice(&out[..written]);
            let nonces = explicit_nonces(&wire);
            assert_eq!(nonces.len(), 1 + 200 + 1, "Finished, data, alert");
            let distinct: HashSet<_> = nonces.iter().collect();
            assert_eq!(distinct.len(), nonces.len(), "{suite:?}");
            // The client has had the Finished.
            let data = give(&mut joined.client, &wire[5 + length(&wire)..]).unwrap();
            assert_eq!(data.len(), 100 * 20_000);
        }
    }
}

/// Sequences of both sides are right behind tickets too: TLS 1.3 has no nonces on the wire, so
/// that the client opens every record is the proof.
#[test]
fn a_long_connection_stays_in_step() {
    for suite in SUITES {
        let mut joined = joined(suite);
        let data = pattern(50_000);
        for _ in 0..50 {
            assert_eq!(joined.client_gets(&data), data);
            assert_eq!(joined.server_gets(&data), data);
        }
        let (rest, _) = open_all(&mut joined.session, Vec::new()).unwrap();
        assert!(rest.is_empty());
        assert!(joined.session.sealed_len(100) <= 100 + Session::OVERHEAD_MAX);
    }
}

/// What of a TLS 1.2 server's handshake is sealed: all after its ChangeCipherSpec.
fn sealed_after_ccs(wire: &[u8]) -> Vec<u8> {
    let mut at = 0;
    while wire[at] != 20 {
        at += 5 + length(&wire[at..]);
    }
    wire[at + 5 + length(&wire[at..])..].to_vec()
}

fn explicit_nonces(mut wire: &[u8]) -> Vec<[u8; 8]> {
    let mut nonces = Vec::new();
    while !wire.is_empty() {
        nonces.push(wire[5..13].try_into().unwrap());
        wire = &wire[5 + length(wire)..];
    }
    nonces
}

fn length(record: &[u8]) -> usize {
    usize::from(u16::from_be_bytes([record[3], record[4]]))
}
