//! The last check of a viewer: what the tee saw listed, against what the viewer obtained.
//! It finds what following alone cannot: a playlist that stood still, or never came.

use std::time::Instant;

use super::{Followed, Follower, Kind, Viewer, key_of};

/// Reports every segment that was listed in good time and not obtained.
pub(super) fn audit(viewer: &Viewer, followers: &[Follower]) -> Vec<Followed> {
    let now = Instant::now();
    followers
        .iter()
        .map(|follower| {
            if !follower.ended() {
                unfinished(viewer, follower, now);
            }
            Followed {
                viewer: viewer.plan.id,
                playlist: follower.path().to_owned(),
                segments: follower.obtained(),
                ended: follower.ended(),
            }
        })
        .collect()
}

fn unfinished(viewer: &Viewer, follower: &Follower, now: Instant) {
    let Some(listing) = key_of(follower.path()).and_then(|key| viewer.ledger.listing(key)) else {
        return;
    };
    // What was listed only just now could not be there yet: the viewer needs a poll to
    // learn of it and a target duration to have it.
    let due = follower.target() * 2;
    let listed = listing
        .entries()
        .filter(|entry| now - entry.listed_at > due);
    let Some(_) = follower.first() else {
        if listed.count() > 0 {
            let detail = "the playlist never came".to_owned();
            viewer.find(Kind::Missing, follower.path(), detail);
        }
        return;
    };
    for entry in listed.filter(|entry| (entry.epoch, entry.sequence) >= follower.next()) {
        let detail = format!(
            "{} (segment {}) was listed and never came",
            entry.uri, entry.sequence
        );
        viewer.find(Kind::Missing, follower.path(), detail);
    }
}
