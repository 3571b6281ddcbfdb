//! What a viewer does with a response that has come to its end.

use std::time::{Duration, Instant};

use zonecast_perf::manifest;
use zonecast_perf::playlist::{self, Playlist};

use super::{Doing, Shared, Viewer};
use crate::live::answer::Ended;
use crate::live::spec::{LiveSpec, Verify};
use crate::live::tally::{Fault, Tally};

/// Paths whose hashes are remembered.
const HASHES_MAX: usize = 10_000;

/// What a playlist lists, or of a manifest one representation.
fn listed(text: &[u8], which: usize) -> Result<Playlist, String> {
    if !manifest::is_manifest(text) {
        return playlist::parse(text).map_err(|error| error.to_string());
    }
    let mut media = manifest::parse(text).map_err(|error| error.to_string())?;
    let which = which % media.len();
    Ok(Playlist::Media(media.swap_remove(which)))
}

impl Viewer {
    /// A whole response is there.
    pub(super) fn ended(&mut self, spec: &LiveSpec, ended: Ended, shared: &mut Shared) {
        let now = Instant::now();
        self.answer = None;
        match self.asked.1 {
            None => self.have_playlist(&ended, now, shared),
            Some(duration) => self.have_segment(spec, &ended, duration, now, shared),
        }
        if self.doing != Doing::Gone {
            self.go(spec, now, shared);
        }
    }

    fn have_playlist(&mut self, ended: &Ended, now: Instant, shared: &mut Shared) {
        shared.tally.amounts.playlists += 1;
        Tally::note(
            &mut shared.tally.playlist,
            now.duration_since(self.asked_at),
        );
        let listed = match listed(&ended.text, self.who.track) {
            _ if ended.status != 200 => Err(format!("status {}", ended.status)),
            Err(error) => Err(error),
            Ok(Playlist::Media(listing)) => self.player.listed(listing, self.asked_at),
            Ok(Playlist::Master(variants)) => {
                let variant = &variants[self.who.track % variants.len()];
                match playlist::resolve(&self.playlist, variant) {
                    Some(path) if path != self.playlist => {
                        self.playlist = path;
                        return;
                    }
                    _ => Err(format!("{variant} cannot be resolved")),
                }
            }
        };
        match listed {
            Ok(0) => {}
            Ok(past) => {
                for _ in 0..past {
                    self.fault(shared, Fault::Expired, || {
                        "the playlist has moved past a segment that was due".to_owned()
                    });
                }
            }
            Err(what) => {
                self.player.not_listed(now);
                self.fault(shared, Fault::Wrong, || what);
            }
        }
    }

    fn have_segment(
        &mut self,
        spec: &LiveSpec,
        ended: &Ended,
        duration: Duration,
        now: Instant,
        shared: &mut Shared,
    ) {
        match (ended.status, spec.ahead) {
            (200, _) => {}
            (404, Some(retry)) => return self.player.not_yet(now + retry),
            (404 | 410, _) => {
                self.fault(shared, Fault::Expired, || {
                    format!("status {}", ended.status)
                });
                return self.player.skip();
            }
            (status, _) => {
                self.fault(shared, Fault::Wrong, || format!("status {status}"));
                return self.player.skip();
            }
        }
        self.check_late(now, shared);
        if let (Verify::Agreement(_), true) = (spec.verify, ended.compared) {
            self.agree(ended, shared);
        }
        self.note_live_last(spec, now, shared);
        let tally = &mut shared.tally;
        tally.amounts.segments += 1;
        tally.amounts.verified += u64::from(ended.compared);
        tally.amounts.body_bytes += ended.body_bytes;
        Tally::note(&mut tally.last_byte, now.duration_since(self.asked_at));
        if self.had == 0 {
            let took = now.saturating_duration_since(self.who.arrival);
            Tally::note(&mut tally.join, took);
        }
        self.had += 1;
        let stall = self.player.came(duration, now);
        if stall > Duration::ZERO {
            Tally::note(&mut tally.stall, stall);
        }
        if self
            .who
            .segments
            .is_some_and(|segments| self.had >= segments)
        {
            tally.amounts.left += 1;
            self.leave();
        }
    }

    /// Holds a segment that nobody knows against what others got.
    fn agree(&mut self, ended: &Ended, shared: &mut Shared) {
        if shared.hashes.len() > HASHES_MAX {
            shared.hashes.clear();
        }
        let own = (ended.body_bytes, ended.hash);
        let path = self.asked.0.clone();
        let first = *shared.hashes.entry(path).or_insert(own);
        if first != own {
            self.fault(shared, Fault::Wrong, || {
                "other bytes than another viewer got".to_owned()
            });
        }
    }

    pub(super) fn note_live_first(&self, spec: &LiveSpec, now: Instant, shared: &mut Shared) {
        let Some(board) = &spec.board else { return };
        if let Some(sent) = board.sent(self.who.track, self.player.waits_for())
            && sent.last.is_none()
        {
            let since = sent.first.max(self.asked_at);
            Tally::note(
                &mut shared.tally.live_first,
                now.saturating_duration_since(since),
            );
        }
    }

    fn note_live_last(&self, spec: &LiveSpec, now: Instant, shared: &mut Shared) {
        let Some(board) = &spec.board else { return };
        // One that joins gets older segments, too; they say nothing about the way.
        let joined = self.had as usize > spec.behind;
        let sent = board.sent(self.who.track, self.player.waits_for());
        if let (true, Some(last)) = (joined, sent.and_then(|sent| sent.last)) {
            Tally::note(
                &mut shared.tally.live_last,
                now.saturating_duration_since(last),
            );
        }
    }
}
