//! What every byte of a live segment is, known to whoever knows the seed: producers send it and
//! viewers compare it without telling each other.
//!
//! A segment begins with a header of four words (a mark, its track, its number, its bytes); what
//! follows is noise that starts at another place for each segment, so that bytes of another
//! segment, or of the same one elsewhere, are never right. No segment is ever held as a whole.

use std::time::Duration;

/// Bytes of the header of a segment.
const HEADER_BYTES: usize = 32;
const MARK: u64 = u64::from_le_bytes(*b"zoneload");
/// After so many bytes the noise is the same again.
const PERIOD: usize = 1 << 20;

/// A track: one playlist and its segments.
#[derive(Debug, Clone, PartialEq)]
pub struct Track {
    /// The playlist's path, e.g. `/live/b0/index.m3u8`; segments lie beside it.
    pub playlist: String,
    /// Bits a second.
    pub rate: f64,
    /// How often it is chosen, compared with the others.
    pub weight: u32,
}

impl Track {
    /// The folder of its segments, with a slash at its end.
    #[must_use]
    pub fn folder(&self) -> &str {
        let end = self.playlist.rfind('/').map_or(0, |at| at + 1);
        &self.playlist[..end]
    }
}

/// The segments of some tracks.
#[derive(Debug, Clone)]
pub struct Media {
    seed: u64,
    noise: Vec<u8>,
    /// The tracks, by their numbers.
    pub tracks: Vec<Track>,
    /// How long a segment plays.
    pub duration: Duration,
}

impl Media {
    /// The media of these tracks, made from a seed.
    #[must_use]
    pub fn make(seed: u64, tracks: Vec<Track>, duration: Duration) -> Media {
        let mut state = seed;
        let mut noise = Vec::with_capacity(PERIOD);
        while noise.len() < PERIOD {
            noise.extend_from_slice(&crate::content::next(&mut state).to_le_bytes());
        }
        Media {
            seed,
            noise,
            tracks,
            duration,
        }
    }

    /// Bytes of a segment of a track.
    #[must_use]
    pub fn size(&self, track: usize) -> usize {
        let rate = self.tracks.get(track).map_or(0.0, |track| track.rate);
        ((rate / 8.0 * self.duration.as_secs_f64()) as usize).max(HEADER_BYTES)
    }

    /// The name of a segment, beside its track's playlist.
    #[must_use]
    pub fn name(number: u64) -> String {
        format!("s{number:06}.ts")
    }

    /// The path of a segment.
    #[must_use]
    pub fn path(&self, track: usize, number: u64) -> String {
        let folder = self.tracks.get(track).map_or("/", Track::folder);
        format!("{folder}{}", Media::name(number))
    }

    /// The playlist that lists segments `first` to `last`.
    #[must_use]
    pub fn playlist(&self, first: u64, last: u64) -> String {
        let seconds = self.duration.as_secs_f64();
        let mut text = format!(
            "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:{}\n#EXT-X-MEDIA-SEQUENCE:{first}\n",
            seconds.ceil()
        );
        for number in first..=last {
            text.push_str(&format!("#EXTINF:{seconds:.3},\n{}\n", Media::name(number)));
        }
        text
    }

    /// The header of a segment.
    #[must_use]
    pub fn header(&self, track: usize, number: u64) -> [u8; HEADER_BYTES] {
        let mut header = [0; HEADER_BYTES];
        let words = [MARK, track as u64, number, self.size(track) as u64];
        for (place, word) in header.chunks_exact_mut(8).zip(words) {
            place.copy_from_slice(&word.to_le_bytes());
        }
        header
    }

    /// Appends bytes `from..to` of a segment to `out`.
    pub fn append(&self, track: usize, number: u64, from: usize, to: usize, out: &mut Vec<u8>) {
        let header = self.header(track, number);
        if from < HEADER_BYTES {
            out.extend_from_slice(&header[from..to.min(HEADER_BYTES)]);
        }
        let mut at = from.max(HEADER_BYTES);
        while at < to {
            let piece = self.noise(track, number, at, to - at);
            out.extend_from_slice(piece);
            at += piece.len();
        }
    }

    /// Compares bytes that came as those from `at` on.
    ///
    /// # Errors
    /// The place of the first byte that differs, or that the segment does not have.
    pub fn compare(&self, track: usize, number: u64, at: usize, came: &[u8]) -> Result<(), String> {
        let size = self.size(track);
        if at + came.len() > size {
            return Err(format!("more bytes than segment {number} has ({size})"));
        }
        let header = self.header(track, number);
        let (mut at, mut came) = (at, came);
        while !came.is_empty() {
            let due = match header.get(at..) {
                Some(rest) if !rest.is_empty() => &rest[..rest.len().min(came.len())],
                _ => self.noise(track, number, at, came.len()),
            };
            let (now, rest) = came.split_at(due.len());
            if due != now {
                let differs = due.iter().zip(now).position(|(due, now)| due != now);
                let place = at + differs.unwrap_or_default();
                return Err(match place < HEADER_BYTES {
                    true => format!("another segment than {number} of track {track}"),
                    false => format!("wrong byte at {place} of segment {number} of track {track}"),
                });
            }
            at += due.len();
            came = rest;
        }
        Ok(())
    }

    /// At most `max` bytes of noise, from byte `at` of a segment on.
    fn noise(&self, track: usize, number: u64, at: usize, max: usize) -> &[u8] {
        let mut state = self.seed ^ ((track as u64) << 40) ^ number.wrapping_mul(0x9E37_79B9);
        let start = crate::content::next(&mut state) as usize % PERIOD;
        let from = (start + at) % PERIOD;
        &self.noise[from..PERIOD.min(from + max)]
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn media() -> Media {
        let track = |n| Track {
            playlist: format!("/live/b{n}/index.m3u8"),
            rate: 6e6,
            weight: 1,
        };
        Media::make(3, vec![track(0), track(1)], Duration::from_secs(2))
    }

    /// What is sent in pieces compares in other pieces; every changed byte, other segment and
    /// byte too many is found.
    #[test]
    fn segments_are_known() {
        let media = media();
        assert_eq!(media.size(0), 1_500_000);
        let mut sent = Vec::new();
        for from in (0..media.size(1)).step_by(70_001) {
            media.append(1, 9, from, media.size(1).min(from + 70_001), &mut sent);
        }
        assert_eq!(sent.len(), media.size(1));
        let mut at = 0;
        for piece in sent.chunks(17) {
            media.compare(1, 9, at, piece).unwrap();
            at += piece.len();
        }
        assert!(media.compare(1, 8, 0, &sent).is_err());
        assert!(media.compare(0, 9, 0, &sent).is_err());
        assert!(media.compare(1, 8, 32, &sent[32..64]).is_err());
        for at in [0, 31, 32, 1_048_576, 1_499_999] {
            sent[at] ^= 1;
            assert!(media.compare(1, 9, 0, &sent).is_err(), "byte {at}");
            sent[at] ^= 1;
        }
        sent.push(0);
        assert!(media.compare(1, 9, 0, &sent).is_err());
    }

    /// The playlist is one, and lists the last segments.
    #[test]
    fn the_playlist_lists_the_last() {
        let text = media().playlist(5, 7);
        let parsed = zonecast_perf::playlist::parse(text.as_bytes()).unwrap();
        let zonecast_perf::playlist::Playlist::Media(listed) = parsed else {
            panic!("{text}")
        };
        assert_eq!((listed.sequence, listed.segments.len()), (5, 3));
        assert_eq!(listed.segments[2].uri, Media::name(7));
        assert_eq!(media().path(1, 7), "/live/b1/s000007.ts");
    }
}
