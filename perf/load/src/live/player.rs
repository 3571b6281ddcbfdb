//! A player without I/O: what to fetch next, by when it must be there, and what went wrong.
//!
//! It begins some segments behind the end of its first playlist, plays one after the other, and
//! each must be there when the one before has played. A playlist is asked for again a target
//! duration after it was asked for, or half of one where nothing was new (RFC 8216 section
//! 6.3.4).

use std::time::{Duration, Instant};

use zonecast_perf::playlist::Media as Listing;

/// A playlist is not asked for more often.
const RELOAD_MIN: Duration = Duration::from_millis(100);
/// After a playlist that could not be had.
const RETRY: Duration = Duration::from_millis(500);

/// What to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Next {
    Playlist,
    Segment {
        number: u64,
        uri: String,
        duration: Duration,
    },
    /// Nothing before this time.
    Wait(Instant),
    /// The stream is over.
    Over,
}

/// See the module's description.
#[derive(Debug)]
pub(crate) struct Player {
    behind: u64,
    cushion: Duration,
    /// Asks for what follows the last listed one.
    ahead: bool,
    listing: Option<Listing>,
    next: u64,
    reload: Instant,
    /// The next segment is not asked for before.
    retry: Instant,
    /// When the next segment must be there; the first one, before it plays.
    due: Instant,
    /// When the wait for it counts as late, or as late again.
    late: Instant,
    playing: bool,
    duration: Duration,
}

impl Player {
    pub(crate) fn new(
        now: Instant,
        behind: usize,
        cushion: Duration,
        start_within: Duration,
        ahead: bool,
    ) -> Player {
        Player {
            behind: behind as u64,
            cushion,
            ahead,
            listing: None,
            next: 0,
            reload: now,
            retry: now,
            due: now + start_within,
            late: now + start_within,
            playing: false,
            duration: start_within,
        }
    }

    pub(crate) fn next(&self, now: Instant) -> Next {
        let Some(listing) = &self.listing else {
            return self.playlist_or_wait(now);
        };
        if let Some(segment) = listing.segment(self.next) {
            return match now >= self.retry {
                true => Next::Segment {
                    number: self.next,
                    uri: segment.uri.clone(),
                    duration: segment.duration,
                },
                false => Next::Wait(self.retry),
            };
        }
        if listing.ended {
            return Next::Over;
        }
        if let (true, Some(last)) = (self.ahead, listing.segments.last()) {
            let uri = successor(&last.uri, self.next.saturating_sub(last.sequence));
            return match (now >= self.retry, uri) {
                (true, Some(uri)) => Next::Segment {
                    number: self.next,
                    uri,
                    duration: last.duration,
                },
                (true, None) => self.playlist_or_wait(now),
                (false, _) => Next::Wait(self.retry),
            };
        }
        self.playlist_or_wait(now)
    }

    fn playlist_or_wait(&self, now: Instant) -> Next {
        match now >= self.reload {
            true => Next::Playlist,
            false => Next::Wait(self.reload),
        }
    }

    /// A playlist came that was asked for at `asked`: how many segments it has moved past.
    pub(crate) fn listed(&mut self, new: Listing, asked: Instant) -> Result<u64, String> {
        let target = new.target.max(RELOAD_MIN);
        let Some(old) = &self.listing else {
            let first = new.next_sequence().saturating_sub(self.behind.max(1));
            self.next = first.max(new.sequence);
            self.reload = asked
                + if new.segments.is_empty() {
                    RETRY
                } else {
                    target
                };
            if !new.segments.is_empty() {
                self.listing = Some(new);
            }
            return Ok(0);
        };
        let (had, has) = (old.next_sequence(), new.next_sequence());
        if has < had || new.sequence < old.sequence {
            self.reload = asked + target / 2;
            return Err(format!("a playlist up to {has} after one up to {had}"));
        }
        self.reload = asked + if has > had { target } else { target / 2 };
        let past = new.sequence.saturating_sub(self.next);
        for _ in 0..past {
            self.skip();
        }
        self.listing = Some(new);
        Ok(past)
    }

    /// A playlist could not be had.
    pub(crate) fn not_listed(&mut self, now: Instant) {
        self.reload = now + RETRY;
    }

    /// The next segment is there: how long after it should have played.
    pub(crate) fn came(&mut self, duration: Duration, now: Instant) -> Duration {
        let stall = match self.playing {
            true => now.saturating_duration_since(self.due),
            false => Duration::ZERO,
        };
        self.due = match self.playing {
            true => self.due.max(now) + duration,
            false => now + self.cushion + duration,
        };
        self.playing = true;
        self.late = self.due;
        self.duration = duration.max(RELOAD_MIN);
        self.next += 1;
        stall
    }

    /// The next segment will not come; what is played in its place lasts as long.
    pub(crate) fn skip(&mut self) {
        self.next += 1;
        self.due += self.duration;
        self.late = self.late.max(self.due);
    }

    /// The next segment is not there yet.
    pub(crate) fn not_yet(&mut self, retry: Instant) {
        self.retry = retry;
    }

    /// Whether the wait for the next segment has become late since this was last asked.
    pub(crate) fn is_late(&mut self, now: Instant) -> bool {
        let late = now >= self.late;
        if late {
            self.late = now + self.duration;
        }
        late
    }

    /// When [`Player::is_late`] may say yes.
    pub(crate) fn late_at(&self) -> Instant {
        self.late
    }

    /// The number of the segment that is waited for.
    pub(crate) fn waits_for(&self) -> u64 {
        self.next
    }
}

/// The name that follows by its last number before its ending, `by` later: `s000009.m4s` for
/// `s000008.m4s` and 1.
fn successor(uri: &str, by: u64) -> Option<String> {
    let stem = uri.rfind('.').map_or(uri, |at| &uri[..at]);
    let end = stem.rfind(|c: char| c.is_ascii_digit())? + 1;
    let digits = uri[..end].bytes().rev().take_while(u8::is_ascii_digit);
    let start = end - digits.count();
    let number = uri[start..end].parse::<u64>().ok()?.checked_add(by)?;
    let width = end - start;
    Some(format!("{}{number:0width$}{}", &uri[..start], &uri[end..]))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const SEGMENT: Duration = Duration::from_secs(2);

    fn listing(first: u64, next: u64) -> Listing {
        let segments = (first..next).map(|n| format!("#EXTINF:2.0,\ns{n}.ts\n"));
        let text = format!(
            "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:{first}\n{}",
            segments.collect::<String>()
        );
        match zonecast_perf::playlist::parse(text.as_bytes()).unwrap() {
            zonecast_perf::playlist::Playlist::Media(media) => media,
            zonecast_perf::playlist::Playlist::Master(_) => panic!("{text}"),
        }
    }

    fn player(now: Instant, ahead: bool) -> Player {
        Player::new(now, 3, Duration::ZERO, Duration::from_secs(10), ahead)
    }

    fn number(next: Next) -> u64 {
        match next {
            Next::Segment { number, .. } => number,
            other => panic!("{other:?}"),
        }
    }

    /// In order from three behind the end; a playlist again after a target duration, and after
    /// half of one where nothing was new.
    #[test]
    fn follows() {
        let start = Instant::now();
        let mut player = player(start, false);
        assert_eq!(player.next(start), Next::Playlist);
        assert_eq!(player.listed(listing(4, 10), start), Ok(0));
        for due in 7..10 {
            assert_eq!(number(player.next(start)), due);
            assert_eq!(player.came(SEGMENT, start), Duration::ZERO);
        }
        assert_eq!(player.next(start), Next::Wait(start + SEGMENT));
        let later = start + SEGMENT;
        assert_eq!(player.next(later), Next::Playlist);
        assert_eq!(player.listed(listing(4, 10), later), Ok(0));
        assert_eq!(player.next(later), Next::Wait(later + SEGMENT / 2));
        assert_eq!(player.listed(listing(5, 11), later + SEGMENT / 2), Ok(0));
        assert_eq!(number(player.next(later + SEGMENT / 2)), 10);
    }

    /// A segment that is not there when the one before has played is late, once for each
    /// duration of the wait; what it was late by shifts what follows.
    #[test]
    fn late_is_late() {
        let start = Instant::now();
        let mut player = player(start, false);
        player.listed(listing(0, 3), start).unwrap();
        player.came(SEGMENT, start);
        let due = start + SEGMENT;
        assert!(!player.is_late(due - Duration::from_millis(1)));
        assert!(player.is_late(due));
        assert!(!player.is_late(due + Duration::from_millis(1)));
        assert!(player.is_late(due + SEGMENT));
        let came = due + SEGMENT + Duration::from_millis(500);
        assert_eq!(
            player.came(SEGMENT, came),
            SEGMENT + Duration::from_millis(500)
        );
        assert!(!player.is_late(came + SEGMENT - Duration::from_millis(1)));
        assert!(player.is_late(came + SEGMENT));
    }

    /// Whoever has no segment at all is late after a while.
    #[test]
    fn no_start_is_late() {
        let start = Instant::now();
        let mut player = player(start, false);
        assert!(!player.is_late(start + Duration::from_secs(9)));
        assert!(player.is_late(start + Duration::from_secs(10)));
    }

    /// A playlist that has moved past what was due says by how much; one that goes back is wrong.
    #[test]
    fn playlists_move_on_only() {
        let start = Instant::now();
        let mut player = player(start, false);
        player.listed(listing(0, 3), start).unwrap();
        player.came(SEGMENT, start);
        assert_eq!(player.listed(listing(4, 8), start), Ok(3));
        assert_eq!(number(player.next(start)), 4);
        assert!(player.listed(listing(3, 7), start).is_err());
        assert_eq!(number(player.next(start)), 4);
    }

    /// Ahead of the playlist names are counted on, and asked for again after a while.
    #[test]
    fn asks_ahead() {
        let start = Instant::now();
        let mut player = player(start, true);
        player.listed(listing(0, 3), start).unwrap();
        for _ in 0..3 {
            player.came(SEGMENT, start);
        }
        let next = player.next(start);
        let due = Next::Segment {
            number: 3,
            uri: "s3.ts".to_owned(),
            duration: SEGMENT,
        };
        assert_eq!(next, due);
        let retry = start + Duration::from_millis(50);
        player.not_yet(retry);
        assert_eq!(player.next(start), Next::Wait(retry));
        assert_eq!(player.next(retry), due);
        assert_eq!(successor("a/s000099.ts", 1).unwrap(), "a/s000100.ts");
        assert_eq!(successor("a-09.m4s", 1).unwrap(), "a-10.m4s");
        assert_eq!(successor("a.m4s", 1), None);
    }
}
