//! A rendition on the command line: `PATH[@BITS][:WEIGHT]`.

use std::str::FromStr;

use zonecast_load::live::Track;

const RATE: f64 = 2e6;

/// One playlist of each stream.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Rendition {
    path: String,
    rate: f64,
    weight: u32,
}

impl Rendition {
    /// The track of a stream.
    pub(crate) fn track(&self, stream: usize) -> Track {
        Track {
            playlist: self.path.replace("{}", &stream.to_string()),
            rate: self.rate,
            weight: self.weight,
        }
    }
}

impl FromStr for Rendition {
    type Err = String;

    fn from_str(text: &str) -> Result<Rendition, String> {
        let (rest, weight) = match text.rsplit_once(':') {
            Some((rest, weight)) => (rest, weight.parse().map_err(|_| "no weight")?),
            None => (text, 1),
        };
        let (path, rate) = match rest.rsplit_once('@') {
            Some((path, rate)) => (path, bits(rate).ok_or("no bits a second")?),
            None => (rest, RATE),
        };
        if !path.starts_with('/') {
            return Err("a path begins with /".to_owned());
        }
        Ok(Rendition {
            path: path.to_owned(),
            rate,
            weight,
        })
    }
}

/// `2M`, `500k` or `2000000`.
fn bits(text: &str) -> Option<f64> {
    let (number, factor) = match text.char_indices().last()? {
        (at, 'M') => (&text[..at], 1e6),
        (at, 'k') => (&text[..at], 1e3),
        _ => (text, 1.0),
    };
    let bits = number.parse::<f64>().ok()? * factor;
    (1e3..=1e9).contains(&bits).then_some(bits)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// With and without a rate and a weight; the stream's number stands for {}.
    #[test]
    fn reads_renditions() {
        let low: Rendition = "/live/b{}/low/i.m3u8@500k:3".parse().unwrap();
        let track = low.track(7);
        assert_eq!(track.playlist, "/live/b7/low/i.m3u8");
        assert_eq!((track.rate, track.weight), (500e3, 3));
        let plain: Rendition = "/a.m3u8".parse().unwrap();
        assert_eq!(plain.track(1).rate, 2e6);
        for rubbish in ["a.m3u8", "/a@x", "/a@1:x", "/a@0"] {
            assert!(rubbish.parse::<Rendition>().is_err(), "{rubbish}");
        }
    }
}
