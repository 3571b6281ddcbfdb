//! Shows the ways to seal and open on an established connection: from one piece and several, in
//! place and into other memory, with and without room, to the end of both directions.
#![allow(clippy::unwrap_used)]

mod tls_support;

use tls_support::raw::{ALERT, DATA, pair};
use tls_support::{SUITES, give, joined, open_all, pattern};
use zonecast_dataplane::tls::{Opened, Session, TlsError};

#[test]
fn close_notify_ends_what_is_received() {
    for suite in SUITES {
        let (mut client, mut session) = pair(suite);
        let mut wire = client.record(ALERT, &[1, 0]);
        let consumed = wire.len();
        assert_eq!(
            session.open(&mut wire).unwrap(),
            Opened::CloseNotify { consumed }
        );
        let mut ignored = client.record(DATA, b"after the end");
        let consumed = ignored.len();
        assert_eq!(
            session.open(&mut ignored).unwrap(),
            Opened::CloseNotify { consumed }
        );
        let mut out = [0; 64];
        assert!(session.seal(&[b"still going"], &mut out).is_ok());
    }
}

#[test]
fn our_close_notify_reaches_the_client() {
    for suite in SUITES {
        let mut joined = joined(suite);
        let mut wire = joined.seal(b"last words");
        let mut out = [0; 64];
        let written = joined.session.seal_close_notify(&mut out).unwrap();
        wire.extend_from_slice(&out[..written]);
        assert_eq!(give(&mut joined.client, &wire).unwrap(), b"last words");
        let state = joined.client.process_new_packets().unwrap();
        assert!(state.peer_has_closed());
        let again = joined.session.seal_close_notify(&mut out);
        assert!(matches!(again, Err(TlsError::Ended)));
    }
}

#[test]
fn records_open_into_other_memory_when_it_is_large_enough() {
    for suite in SUITES {
        let (mut client, mut session) = pair(suite);
        let data = pattern(5_000);
        let mut wire = client.record(DATA, &data);
        let whole = wire.len();
        wire.extend_from_slice(b"next");
        let mut out = vec![0; 5_001];
        let small = session.open_into(&wire, &mut out[..4_999]).unwrap();
        let Opened::NoRoom { needed } = small else {
            panic!("{small:?}");
        };
        assert!((5_000..=5_001).contains(&needed));
        assert_eq!(
            session.open_into(&wire[..whole - 1], &mut out).unwrap(),
            Opened::Incomplete
        );
        let opened = session.open_into(&wire, &mut out).unwrap();
        let expected = Opened::Data {
            consumed: whole,
            plain: 0..5_000,
        };
        assert_eq!(opened, expected);
        assert_eq!(out[..5_000], data);
        // The other way of opening goes on where this one was.
        let mut second = client.record(DATA, b"second");
        assert!(matches!(session.open(&mut second), Ok(Opened::Data { .. })));
    }
}

#[test]
fn records_are_gathered_from_pieces() {
    for suite in SUITES {
        let mut joined = joined(suite);
        let body = pattern(9_000);
        for pieces in [
            &[&b"head"[..], &body][..],
            &[b"", &body, b""],
            &[&body[..4], b"x", &body],
        ] {
            let mut out = vec![0; Session::PLAINTEXT_MAX + Session::OVERHEAD_MAX];
            let written = joined.session.seal(pieces, &mut out).unwrap();
            assert_eq!(written, joined.session.sealed_len(pieces.concat().len()));
            let data = give(&mut joined.client, &out[..written]).unwrap();
            assert_eq!(data, pieces.concat(), "{suite:?}");
        }
    }
}

#[test]
fn what_does_not_fit_is_said_and_changes_nothing() {
    for suite in SUITES {
        let mut joined = joined(suite);
        let data = pattern(Session::PLAINTEXT_MAX + 1);
        let mut out = vec![0; data.len() + Session::OVERHEAD_MAX];
        let too_long = joined.session.seal(&[&data], &mut out);
        assert!(matches!(too_long, Err(TlsError::PlaintextTooLong(16_385))));
        let full = &data[..Session::PLAINTEXT_MAX];
        let needed = joined.session.sealed_len(full.len());
        assert!(needed <= full.len() + Session::OVERHEAD_MAX);
        let no_room = joined.session.seal(&[full], &mut out[..needed - 1]);
        assert!(matches!(no_room, Err(TlsError::NoRoom { needed: said }) if said == needed));
        assert_eq!(joined.session.seal(&[b"", b""], &mut out).unwrap(), 0);
        assert_eq!(
            joined.session.seal(&[full], &mut out[..needed]).unwrap(),
            needed
        );
        assert_eq!(give(&mut joined.client, &out[..needed]).unwrap(), full);
    }
}

/// Sessions are kept by the thousand: what one takes is written down here.
#[test]
fn a_session_is_small() {
    assert!(size_of::<Session>() <= 192, "{}", size_of::<Session>());
}

/// Records in any cut: every prefix is incomplete, and changes nothing.
#[test]
fn truncated_records_are_incomplete() {
    for suite in SUITES {
        let (mut client, mut session) = pair(suite);
        let wire = client.record(DATA, b"request");
        for cut in 0..wire.len() {
            let (data, rest) = open_all(&mut session, wire[..cut].to_vec()).unwrap();
            assert_eq!((data.len(), rest.as_slice()), (0, &wire[..cut]));
        }
        assert_eq!(open_all(&mut session, wire).unwrap().0, b"request");
    }
}
