//! Shows that keys do not outlive their session: a session's memory, read as the kernel sees it,
//! holds its IVs while it lives and not any more when it is dropped. (The ciphers' own memory is
//! aws-lc's, which wipes what it frees.)
#![allow(clippy::unwrap_used)]

mod tls_support;

use std::fs::File;
use std::os::unix::fs::FileExt;

use rustls::ConnectionTrafficSecrets;
use tls_support::{SUITES, joined};
use zonecast_dataplane::tls::Session;

/// What lies where `value` does, padding and all.
fn memory_of<T>(value: &T) -> Vec<u8> {
    let mut bytes = vec![0; size_of::<T>()];
    let memory = File::open("/proc/self/mem").unwrap();
    let address = std::ptr::from_ref(value).addr() as u64;
    memory.read_exact_at(&mut bytes, address).unwrap();
    bytes
}

fn iv(secrets: &ConnectionTrafficSecrets) -> Vec<u8> {
    match secrets {
        ConnectionTrafficSecrets::Aes128Gcm { iv, .. }
        | ConnectionTrafficSecrets::Aes256Gcm { iv, .. }
        | ConnectionTrafficSecrets::Chacha20Poly1305 { iv, .. } => iv.as_ref().to_vec(),
        _ => panic!("another suite"),
    }
}

/// Whether half of an IV stands there, wherever it is from.
fn holds(memory: &[u8], iv: &[u8]) -> bool {
    let mut halves = iv.windows(iv.len() / 2);
    halves.any(|half| memory.windows(half.len()).any(|window| window == half))
}

#[test]
fn a_dropped_session_leaves_no_ivs() {
    for suite in SUITES {
        let joined = joined(suite);
        let secrets = joined.client.dangerous_extract_secrets().unwrap();
        let ivs = [iv(&secrets.tx.1), iv(&secrets.rx.1)];
        let mut place: Box<Option<Session>> = Box::new(Some(joined.session));
        for iv in &ivs {
            assert!(
                holds(&memory_of(&*place), iv),
                "{suite:?}: it is looked for"
            );
        }
        // Drops the session where it lies, and leaves the memory to be looked at.
        *place = None;
        for iv in &ivs {
            assert!(!holds(&memory_of(&*place), iv), "{suite:?}");
        }
    }
}

/// The same for keys that are replaced while the session lives.
#[test]
fn a_replaced_key_leaves_no_iv() {
    for suite in &SUITES[..3] {
        let joined = joined(*suite);
        let secrets = joined.client.dangerous_extract_secrets().unwrap();
        let mut session = Box::new(joined.session);
        let ours = iv(&secrets.rx.1);
        assert!(
            holds(&memory_of(&*session), &ours),
            "{suite:?}: it is looked for"
        );
        session.seal_key_update(&mut [0; 64]).unwrap();
        assert!(!holds(&memory_of(&*session), &ours), "{suite:?}");
    }
}
