//! When the producers sent the first and the last byte of each of their latest segments, for the
//! delay up to viewers in the same process.

use std::sync::Mutex;
use std::time::Instant;

/// Segments of a track that are remembered.
const REMEMBERED: u64 = 16;

/// A segment's times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sent {
    /// Its number.
    pub number: u64,
    /// Before the first byte was handed to the socket.
    pub first: Instant,
    /// Before the last byte was handed to the socket.
    pub last: Option<Instant>,
}

/// The times of all tracks.
#[derive(Debug)]
pub struct Board {
    tracks: Vec<Mutex<[Option<Sent>; REMEMBERED as usize]>>,
}

impl Board {
    /// For so many tracks.
    #[must_use]
    pub fn new(tracks: usize) -> Board {
        Board {
            tracks: (0..tracks).map(|_| Mutex::default()).collect(),
        }
    }

    /// A segment begins.
    pub fn began(&self, track: usize, number: u64, first: Instant) {
        let sent = Sent {
            number,
            first,
            last: None,
        };
        self.with(track, number, |place| *place = Some(sent));
    }

    /// A segment's last bytes are about to be sent.
    pub fn ends(&self, track: usize, number: u64, last: Instant) {
        self.with(track, number, |place| {
            if let Some(sent) = place {
                sent.last = Some(last);
            }
        });
    }

    /// A segment's times, unless they are forgotten.
    #[must_use]
    pub fn sent(&self, track: usize, number: u64) -> Option<Sent> {
        let mut found = None;
        self.with(track, number, |place| found = *place);
        found.filter(|sent| sent.number == number)
    }

    fn with(&self, track: usize, number: u64, act: impl FnOnce(&mut Option<Sent>)) {
        if let Some(track) = self.tracks.get(track) {
            let mut places = track
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner);
            act(&mut places[(number % REMEMBERED) as usize]);
        }
    }
}
