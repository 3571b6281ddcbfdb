//! TLS records after a handshake: an input is a row of things that a client does, of which
//! some are dishonest. Whatever it does, the session opens the honest records in their order and
//! nothing else.

mod opening;

use std::collections::VecDeque;

use zonecast_dataplane::tls::{Session, TlsError};

use crate::half::{ALERT, DATA, HANDSHAKE, Half};
use crate::wire::{Connected, connected};

/// The first byte picks suite and listener; each further one is an act, with what it needs
/// behind it.
pub(crate) fn run(data: &[u8]) {
    let mut acts = Acts(data);
    let Connected {
        session,
        sends,
        receives,
    } = connected(acts.byte());
    let mut run = Run {
        session,
        sends,
        receives,
        input: Vec::new(),
        expected: VecDeque::new(),
        last: Vec::new(),
        poisoned: false,
        ended: None,
        dataless: 0,
        sealing: true,
    };
    while !acts.0.is_empty() {
        run.act(&mut acts);
    }
}

/// What is left of the input.
struct Acts<'a>(&'a [u8]);

impl<'a> Acts<'a> {
    fn byte(&mut self) -> u8 {
        self.take(1).first().copied().unwrap_or(0)
    }

    fn short(&mut self) -> usize {
        usize::from(u16::from_be_bytes([self.byte(), self.byte()]))
    }

    fn take(&mut self, n: usize) -> &'a [u8] {
        let (front, rest) = self.0.split_at(n.min(self.0.len()));
        self.0 = rest;
        front
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum End {
    /// The client said goodbye.
    Closed,
    Failed,
}

struct Run {
    session: Session,
    sends: Half,
    receives: Half,
    /// What the session has not consumed.
    input: Vec<u8>,
    /// Data of honest records that are under way.
    expected: VecDeque<Vec<u8>>,
    /// The last honest record.
    last: Vec<u8>,
    /// Something dishonest is under way or has come: nothing opens from there on.
    poisoned: bool,
    ended: Option<End>,
    dataless: usize,
    /// Our key has records left.
    sealing: bool,
}

impl Run {
    fn act(&mut self, acts: &mut Acts<'_>) {
        let act = acts.byte();
        let into = act & 0x80 != 0;
        match act & 0x0f {
            0 | 1 => {
                let len = 1 + usize::from(acts.byte());
                self.honest(len, 0);
                self.drain(into);
            }
            2 => {
                let len = 1 + acts.short() % Session::PLAINTEXT_MAX;
                self.honest(len, 0);
                self.drain(into);
            }
            3 => {
                let zeros = usize::from(acts.byte());
                self.honest(1, zeros);
                self.drain(into);
            }
            4 => {
                let wire = self.sends.seal(DATA, b"", 0);
                self.input.extend(wire);
                self.drain(into);
            }
            5 => {
                let wire = self.sends.seal(ALERT, acts.take(2), 0);
                self.input.extend(wire);
                self.drain(into);
            }
            6 => self.key_update(acts.byte() & 1, into),
            7 => self.changed(acts, into),
            8 => self.in_pieces(acts, into),
            9 => self.swapped(into),
            10 => {
                self.drain(into);
                self.poisoned |= !self.last.is_empty();
                self.input.extend_from_slice(&self.last);
                self.drain(into);
            }
            11 => {
                self.drain(into);
                let wire = self
                    .sends
                    .seal(DATA, &vec![1; Session::PLAINTEXT_MAX + 1], 0);
                self.poisoned = true;
                self.input.extend(wire);
                self.drain(into);
            }
            12 => {
                let raw = usize::from(acts.byte()) % 64;
                let raw = acts.take(raw);
                self.drain(into);
                self.poisoned |= !raw.is_empty();
                self.input.extend_from_slice(raw);
                self.drain(into);
            }
            13 => self.odd(acts, into),
            14 => self.honest(1, 0),
            _ => self.seal(acts),
        }
    }

    /// A record with data; it is not given to the session yet.
    fn honest(&mut self, len: usize, zeros: usize) {
        let plain: Vec<u8> = (0..len).map(|at| (at * 7 + len) as u8).collect();
        self.last = self.sends.seal(DATA, &plain, zeros);
        self.input.extend_from_slice(&self.last);
        self.expected.push_back(plain);
    }

    fn key_update(&mut self, request: u8, into: bool) {
        self.drain(into);
        let wire = self.sends.seal(HANDSHAKE, &[24, 0, 0, 1, request], 0);
        if self.sends.is_tls13() {
            self.sends.update();
        } else {
            self.poisoned = true;
        }
        self.input.extend(wire);
        self.drain(into);
    }

    /// One bit of a record is not as it was.
    fn changed(&mut self, acts: &mut Acts<'_>, into: bool) {
        let (at, bit) = (acts.short(), acts.byte() % 8);
        self.honest(1 + at % 100, 0);
        let (len, record) = (self.input.len(), self.last.len());
        self.input[len - record + at % record] ^= 1 << bit;
        self.expected.pop_back();
        self.drain_up_to(into, len - record);
        self.poisoned = true;
        self.drain(into);
    }

    /// A record in two pieces: the first one alone is nothing.
    fn in_pieces(&mut self, acts: &mut Acts<'_>, into: bool) {
        self.drain(into);
        self.honest(20, 0);
        let cut = self.input.len() - 1 - usize::from(acts.byte()) % 19;
        let rest = self.input.split_off(cut);
        let before = self.expected.len();
        self.drain(into);
        assert_eq!(self.expected.len(), before, "half a record was opened");
        if self.ended.is_none() {
            self.input.extend(rest);
        }
        self.drain(into);
    }

    fn swapped(&mut self, into: bool) {
        self.drain(into);
        let second = self.input.len();
        self.honest(3, 0);
        self.input.truncate(second);
        self.honest(4, 0);
        self.expected.clear();
        self.poisoned = true;
        self.drain(into);
    }

    /// Any content of any type, honestly sealed.
    fn odd(&mut self, acts: &mut Acts<'_>, into: bool) {
        let content_type = acts.byte();
        let len = usize::from(acts.byte()) % 8;
        let content = acts.take(len);
        let wire = self.sends.seal(content_type, content, 0);
        let (meant, content) = match self.sends.is_tls13() {
            true => behind_padding(content_type, content),
            false => (content_type, content),
        };
        if meant == DATA && !content.is_empty() {
            self.expected.push_back(content.to_vec());
        }
        if self.sends.is_tls13() && meant == HANDSHAKE && is_key_update(content) {
            self.sends.update();
        }
        self.input.extend(wire);
        self.drain(into);
    }

    /// What the session seals, the client opens; with too little room nothing happens.
    fn seal(&mut self, acts: &mut Acts<'_>) {
        let plain = vec![0x5a; acts.short() % (Session::PLAINTEXT_MAX + 1)];
        let (front, rest) = plain.split_at(usize::from(acts.byte()).min(plain.len()));
        let needed = self.session.sealed_len(plain.len());
        assert!(needed <= plain.len() + Session::OVERHEAD_MAX);
        let mut out = vec![0; needed];
        if !plain.is_empty() && self.sealing {
            match self.session.seal(&[front, rest], &mut out[..needed - 1]) {
                Err(TlsError::NoRoom { needed: said }) => assert_eq!(said, needed),
                Err(TlsError::KeyExhausted) => {}
                other => panic!("{other:?}"),
            }
        }
        match self.session.seal(&[front, rest], &mut out) {
            Ok(0) => assert!(plain.is_empty()),
            Ok(written) => {
                assert_eq!(written, needed);
                assert!(self.sealing, "a worn key went on");
                self.client_opens(&out, &plain);
            }
            Err(TlsError::KeyExhausted) => {
                assert!(self.session.close_due() && !self.receives.is_tls13());
                self.sealing = false;
            }
            Err(error) => panic!("{error}"),
        }
    }

    fn client_opens(&mut self, mut wire: &[u8], plain: &[u8]) {
        loop {
            let (consumed, content_type, content) = self.receives.open(wire);
            wire = &wire[consumed..];
            if content_type == HANDSHAKE {
                assert_eq!(content, [24, 0, 0, 1, 0], "a KeyUpdate that asks for none");
                self.receives.update();
                continue;
            }
            assert_eq!(content_type, DATA);
            assert!(content == plain);
            assert!(wire.is_empty());
            return;
        }
    }
}

/// In TLS 1.3 a type of 0 is padding, and the type is the last byte that is not.
fn behind_padding(content_type: u8, content: &[u8]) -> (u8, &[u8]) {
    if content_type != 0 {
        return (content_type, content);
    }
    let last = content.iter().rposition(|byte| *byte != 0);
    last.map_or((0, &[]), |at| (content[at], &content[..at]))
}

fn is_key_update(content: &[u8]) -> bool {
    matches!(content, [24, 0, 0, 1, 0 | 1])
}
