//! A follower fed with hand-made playlists: what it asks for, and what it reports missed.
#![allow(clippy::unwrap_used)]

use super::*;

fn media(sequence: u64, count: u64, ended: bool) -> Media {
    let segments = (sequence..sequence + count)
        .map(|sequence| Segment {
            uri: format!("i{sequence}.m4s"),
            sequence,
            duration: Duration::from_secs(2),
            map: Some("init.mp4".to_owned()),
        })
        .collect();
    Media {
        target: Duration::from_secs(2),
        sequence,
        ended,
        segments,
    }
}

fn path(due: Option<Due>) -> String {
    match due {
        Some(Due::Init(path) | Due::Segment(path, _)) => path,
        Some(Due::Playlist) => "playlist".to_owned(),
        None => "nothing".to_owned(),
    }
}

/// It starts at the newest segment with its init, follows in order, and ends with the list.
#[test]
fn follows_from_the_live_edge_to_the_end() {
    let now = Instant::now();
    let mut follower = Follower::new("/live/s/live.m3u8".to_owned(), now);
    assert_eq!(path(follower.due(now)), "playlist");
    assert!(
        follower
            .playlist_done(now, 1, 0, media(3, 4, false))
            .is_empty()
    );
    assert_eq!(path(follower.due(now)), "/live/s/init.mp4");
    follower.init_done(follower.map());
    assert_eq!(path(follower.due(now)), "/live/s/i6.m4s");
    follower.segment_done(true);
    assert_eq!(path(follower.due(now)), "nothing");
    let later = follower.due_at().unwrap();
    assert_eq!(later, now + Duration::from_secs(1));
    assert_eq!(path(follower.due(later)), "playlist");
    assert!(
        follower
            .playlist_done(later, 2, 0, media(4, 4, true))
            .is_empty()
    );
    assert_eq!(path(follower.due(later)), "/live/s/i7.m4s");
    assert!(!follower.ended());
    follower.segment_done(true);
    assert!(follower.ended());
    assert_eq!(follower.due_at(), None);
    assert_eq!(follower.obtained(), 2);
}

/// A segment is retried until the playlist drops it, then reported with all that were
/// skipped, once.
#[test]
fn reports_what_the_playlist_dropped() {
    let now = Instant::now();
    let mut follower = Follower::new("/live/s/live.m3u8".to_owned(), now);
    follower.playlist_done(now, 1, 0, media(0, 1, false));
    follower.init_done(follower.map());
    follower.retry(now);
    assert_eq!(path(follower.due(now)), "nothing");
    assert_eq!(path(follower.due(now + RETRY)), "/live/s/i0.m4s");
    let missed = follower.playlist_done(now, 9, 0, media(3, 3, false));
    assert_eq!(missed, vec![(0, 0), (0, 1), (0, 2)]);
    assert!(
        follower
            .playlist_done(now, 9, 0, media(3, 3, false))
            .is_empty()
    );
    assert_eq!(follower.next(), (0, 3));
}

/// A restarted encoder counts anew: what was left of the old run is missed, and the new
/// run is followed from its first segment, init included.
#[test]
fn a_new_run_starts_over() {
    let now = Instant::now();
    let mut follower = Follower::new("/live/s/live.m3u8".to_owned(), now);
    follower.playlist_done(now, 1, 0, media(5, 2, false));
    follower.init_done(follower.map());
    assert_eq!(
        follower.playlist_done(now, 2, 1, media(0, 1, false)),
        vec![(0, 6)]
    );
    assert_eq!(path(follower.due(now)), "/live/s/init.mp4");
    follower.init_done(follower.map());
    assert_eq!(path(follower.due(now)), "/live/s/i0.m4s");
}
