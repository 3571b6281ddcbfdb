//! What the session makes of what has come: honest records in their order, or an end.

use zonecast_dataplane::tls::{Opened, Session, TlsError};

use super::{End, Run};

/// Dataless records in a row that a session stands at most.
const DATALESS_MAX: usize = 32;

impl Run {
    pub(super) fn drain(&mut self, into: bool) {
        self.drain_up_to(into, usize::MAX);
    }

    /// Opens all that has come; at most so many bytes, which end with a record.
    pub(super) fn drain_up_to(&mut self, into: bool, mut left: usize) {
        while left > 0 {
            let before = self.input.clone();
            let opened = if into {
                self.open_into()
            } else {
                self.session.open(&mut self.input)
            };
            if let Some(end) = self.ended {
                self.after_the_end(end, &opened);
                self.input.clear();
                return;
            }
            let consumed = match opened {
                Ok(opened) => self.opened(opened),
                Err(TlsError::Ended) => panic!("it ended without a reason"),
                Err(error) => {
                    let alert = error.alert().is_some();
                    assert!(alert || matches!(error, TlsError::PeerAlert(_)), "{error}");
                    self.ended = Some(End::Failed);
                    continue;
                }
            };
            if consumed == 0 {
                assert!(self.input == before, "half a record was touched");
                return;
            }
            self.input.drain(..consumed);
            left = left.saturating_sub(consumed);
        }
    }

    /// How many bytes a record took; 0: it is not all there.
    fn opened(&mut self, opened: Opened) -> usize {
        if opened == Opened::Incomplete {
            return 0;
        }
        assert!(!self.poisoned, "{opened:?} behind what nobody sealed");
        match opened {
            Opened::Data { consumed, plain } => {
                let expected = self.expected.pop_front();
                assert!(expected.as_deref() == Some(&self.input[plain]));
                self.dataless = 0;
                consumed
            }
            Opened::CloseNotify { consumed } => {
                self.ended = Some(End::Closed);
                consumed
            }
            Opened::KeyUpdate { consumed, .. } | Opened::Skipped { consumed } => {
                self.dataless += 1;
                assert!(self.dataless <= DATALESS_MAX, "a flood");
                consumed
            }
            Opened::Incomplete | Opened::NoRoom { .. } => unreachable!("handled before"),
        }
    }

    fn after_the_end(&mut self, end: End, opened: &Result<Opened, TlsError>) {
        match (end, opened) {
            (End::Failed, Err(TlsError::Ended)) => {}
            (End::Closed, Ok(Opened::CloseNotify { consumed })) => {
                assert_eq!(*consumed, self.input.len());
            }
            other => panic!("{other:?}"),
        }
    }

    /// Opens the first record into other memory, at first too small; the data comes to lie
    /// where it would have been opened in place, so that what follows is the same.
    fn open_into(&mut self) -> Result<Opened, TlsError> {
        let mut out = vec![0; 16];
        let mut opened = self.session.open_into(&self.input, &mut out)?;
        if let Opened::NoRoom { needed } = opened {
            assert!(needed > out.len() && needed <= Session::PLAINTEXT_MAX + 2048);
            out.resize(needed, 0);
            opened = self.session.open_into(&self.input, &mut out)?;
        }
        if let Opened::Data { plain, .. } = &opened {
            assert_eq!(plain.start, 0);
            self.input[plain.clone()].copy_from_slice(&out[plain.clone()]);
        }
        Ok(opened)
    }
}
