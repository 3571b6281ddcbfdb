//! What the ring shows, against what the model says.

use zonecast_ring::{Lapped, Progress};

use super::{Life, Plain};

impl Plain {
    /// Everything that can be seen of the ring is as the model says.
    pub(crate) fn compare(&self) {
        for chunk in &self.chunks {
            let progress = Progress {
                committed: chunk.committed as u32,
                complete: chunk.life == Life::Complete,
            };
            for reader in &self.readers {
                let seen = reader.lease(chunk.name).map(|lease| {
                    assert_eq!(lease.bytes(), &chunk.bytes[..chunk.committed]);
                    lease.progress()
                });
                assert_eq!(seen, reader.progress(chunk.name));
                match chunk.life {
                    Life::Open | Life::Complete => assert_eq!(seen, Ok(progress)),
                    Life::Revoked => assert_eq!(seen, Err(Lapped::Overwritten)),
                    Life::Abandoned => assert_eq!(seen, Err(Lapped::Aborted)),
                    Life::Aborted => assert!(seen.is_err()),
                }
            }
            let whole = chunk.life == Life::Complete;
            assert_eq!(self.ring.verify(chunk.name), whole);
        }
        for lease in &self.leases {
            let mut chunks = self.chunks.iter();
            let chunk = chunks.find(|chunk| chunk.name == lease.chunk());
            let chunk = chunk.expect("a chunk that was");
            assert_eq!(lease.bytes(), &chunk.bytes[..chunk.committed]);
            let lives = matches!(chunk.life, Life::Open | Life::Complete);
            assert_eq!(lease.revoked(), !lives);
        }
        let count = |life| {
            self.chunks
                .iter()
                .filter(|chunk| chunk.life == life)
                .count()
        };
        let open = count(Life::Open) + count(Life::Abandoned);
        let stats = self.ring.stats();
        assert_eq!(stats.chunks_open as usize, open);
        assert_eq!(stats.chunks_live as usize, open + count(Life::Complete));
        assert!(stats.bytes_live + stats.bytes_held <= stats.bytes_total);
    }

    /// When all is given back, the ring takes its largest chunk.
    pub(crate) fn end(mut self) {
        self.leases.clear();
        self.writers.clear();
        let max = self.ring.payload_max();
        let mut revoked = Vec::new();
        assert!(self.ring.allocate(max, &mut revoked).is_ok());
        assert_eq!(self.ring.stats().chunks_live, 1);
    }
}
