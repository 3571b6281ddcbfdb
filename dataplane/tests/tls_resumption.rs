//! Shows that a ticket resumes at any listener that shares the keys, in both versions, until its
//! key has been rotated out; that a forged ticket means a full handshake; and that a listener
//! without tickets sends nothing beyond the handshake.
#![allow(clippy::unwrap_used)]

mod tls_support;

use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use rustls::client::Resumption;
use rustls::server::ProducesTickets;
use tls_support::{
    Identity, Joined, SUITES, TLS12, TLS13, client, client_config, identity, join, listener_with,
    open_all, store, try_join,
};
use zonecast_dataplane::tls::{
    Acceptor, AcceptorConfig, Certificates, RECORDS_PER_KEY, TicketKeys, Versions,
};

const LIFETIME: Duration = Duration::from_secs(7200);

fn acceptor(identity: &Identity, keys: &Arc<TicketKeys>) -> Acceptor {
    Acceptor::new(AcceptorConfig {
        certificates: Certificates::new(store(&[identity])),
        tickets: Some(keys.clone()),
        versions: Versions::Tls13And12,
        records_per_key: RECORDS_PER_KEY,
    })
    .unwrap()
}

/// Joins and carries data both ways, so that the client has taken its tickets and both sequences
/// are proven.
fn visit(acceptor: &Acceptor, config: &Arc<ClientConfig>) -> Joined {
    let mut joined = join(acceptor, client(config));
    assert_eq!(joined.server_gets(b"request"), b"request");
    assert_eq!(joined.client_gets(b"response"), b"response");
    joined
}

#[test]
fn a_ticket_resumes_at_every_listener_with_the_keys() {
    for suite in SUITES {
        let identity = identity(&["localhost"]);
        let keys = TicketKeys::new(LIFETIME).unwrap();
        let (here, there) = (acceptor(&identity, &keys), acceptor(&identity, &keys));
        let config = Arc::new(client_config(&identity, suite));
        assert!(!visit(&here, &config).session.agreed().resumed);
        assert!(visit(&there, &config).session.agreed().resumed, "{suite:?}");
        assert!(visit(&here, &config).session.agreed().resumed, "{suite:?}");
    }
}

#[test]
fn a_ticket_outlives_one_rotation_and_not_two() {
    for suite in [TLS13, TLS12] {
        let identity = identity(&["localhost"]);
        let keys = TicketKeys::new(LIFETIME).unwrap();
        let acceptor = acceptor(&identity, &keys);
        for (rotations, resumed) in [(0, true), (1, true), (2, false), (3, false)] {
            let config = Arc::new(client_config(&identity, suite));
            visit(&acceptor, &config);
            for _ in 0..rotations {
                keys.rotate().unwrap();
            }
            let agreed = visit(&acceptor, &config).session.agreed();
            assert_eq!(agreed.resumed, resumed, "{suite:?} after {rotations}");
        }
    }
}

#[test]
fn keys_that_are_not_shared_do_not_resume() {
    for suite in [TLS13, TLS12] {
        let identity = identity(&["localhost"]);
        let here = acceptor(&identity, &TicketKeys::new(LIFETIME).unwrap());
        let there = acceptor(&identity, &TicketKeys::new(LIFETIME).unwrap());
        let config = Arc::new(client_config(&identity, suite));
        visit(&here, &config);
        assert!(!visit(&there, &config).session.agreed().resumed);
    }
}

/// In TLS 1.2 it is resumption that lets a request come with the client's Finished.
#[test]
fn a_request_with_a_resumed_finished_is_handed_over() {
    for suite in SUITES {
        let identity = identity(&["localhost"]);
        let acceptor = acceptor(&identity, &TicketKeys::new(LIFETIME).unwrap());
        let config = Arc::new(client_config(&identity, suite));
        visit(&acceptor, &config);
        let mut joined = try_join(&acceptor, client(&config), b"GET /").unwrap();
        assert!(joined.session.agreed().resumed);
        let early = std::mem::take(&mut joined.early);
        let (data, rest) = open_all(&mut joined.session, early).unwrap();
        assert_eq!(
            (data.as_slice(), rest.len()),
            (&b"GET /"[..], 0),
            "{suite:?}"
        );
        assert_eq!(joined.server_gets(b"more"), b"more");
        assert_eq!(joined.client_gets(b"answer"), b"answer");
    }
}

#[test]
fn forged_tickets_do_not_open() {
    let keys = TicketKeys::new(LIFETIME).unwrap();
    assert!(keys.enabled());
    assert_eq!(ProducesTickets::lifetime(&*keys), 7200);
    let ticket = keys.encrypt(b"state").unwrap();
    assert_eq!(keys.decrypt(&ticket).unwrap(), b"state");
    assert_ne!(ticket, keys.encrypt(b"state").unwrap(), "nonces differ");
    for at in 0..ticket.len() {
        let mut forged = ticket.clone();
        forged[at] ^= 1;
        assert_eq!(keys.decrypt(&forged), None, "byte {at}");
        assert_eq!(keys.decrypt(&ticket[..at]), None, "cut at {at}");
    }
    assert_eq!(
        keys.encrypt(b"").and_then(|ticket| keys.decrypt(&ticket)),
        Some(Vec::new())
    );
}

#[test]
fn without_tickets_nothing_follows_the_handshake() {
    for suite in [TLS13, TLS12] {
        let listener = listener_with(None, RECORDS_PER_KEY);
        let config = Arc::new(client_config(&listener.identity, suite));
        let joined = visit(&listener.acceptor, &config);
        assert!(!visit(&listener.acceptor, &config).session.agreed().resumed);
        let with_tickets = listener_with(Some(TicketKeys::new(LIFETIME).unwrap()), RECORDS_PER_KEY);
        let config = Arc::new(client_config(&with_tickets.identity, suite));
        let more = join(&with_tickets.acceptor, client(&config));
        assert!(records(&joined.wire) < records(&more.wire), "{suite:?}");
        assert_eq!(joined.client.tls13_tickets_received(), 0);
    }
}

/// A client that will not resume gets no harm from tickets.
#[test]
fn clients_without_a_store_make_full_handshakes() {
    let identity = identity(&["localhost"]);
    let acceptor = acceptor(&identity, &TicketKeys::new(LIFETIME).unwrap());
    for suite in [TLS13, TLS12] {
        let mut config = client_config(&identity, suite);
        config.resumption = Resumption::disabled();
        let config = Arc::new(config);
        for _ in 0..2 {
            assert!(!visit(&acceptor, &config).session.agreed().resumed);
        }
    }
}

/// How many records there are in a stretch of the wire.
fn records(mut wire: &[u8]) -> usize {
    let mut count = 0;
    while let Some(header) = wire.first_chunk::<5>() {
        wire = &wire[5 + usize::from(u16::from_be_bytes([header[3], header[4]]))..];
        count += 1;
    }
    count
}
