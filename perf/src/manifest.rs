//! A small reader of DASH manifests: each representation as the media playlist that would list the
//! same segments, so that whoever follows one can follow the other.
//!
//! Segments must be listed and numbered (`SegmentTemplate` with a `SegmentTimeline` and `$Number$`),
//! as ffmpeg does it; those that a player has to work out from the time of day, or that have no
//! number, are refused.

use std::time::Duration;

use roxmltree::{Document, Node};
use thiserror::Error;

use crate::playlist::{Media, SEGMENTS_MAX, Segment};

/// Digits that a number in a name is filled up to, at most.
const WIDTH_MAX: usize = 32;
/// A segment's duration at most, as in playlists.
const SECONDS_MAX: f64 = 3600.0;

/// Why bytes are not a manifest that can be followed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ManifestError {
    /// It is no XML, or no MPD.
    #[error("not a DASH manifest")]
    NotAManifest,
    /// There is no representation in it.
    #[error("a manifest without a representation")]
    Empty,
    /// A representation's segments are not listed.
    #[error("representation {0}: no SegmentTemplate with a SegmentTimeline")]
    NotListed(String),
    /// Its segments have no numbers.
    #[error("representation {0}: segments are not named by $Number$")]
    NotNumbered(String),
    /// An attribute is missing, or its value cannot be read.
    #[error("no or a bad value in {0}")]
    BadValue(&'static str),
    /// More than [`SEGMENTS_MAX`] segments.
    #[error("more than {SEGMENTS_MAX} segments")]
    TooManySegments,
}

/// Whether bytes are a manifest rather than a playlist: XML.
#[must_use]
pub fn is_manifest(bytes: &[u8]) -> bool {
    bytes.trim_ascii_start().starts_with(b"<")
}

/// The representations of the last period, in their order.
///
/// # Errors
/// Not a manifest, or one that cannot be followed.
pub fn parse(bytes: &[u8]) -> Result<Vec<Media>, ManifestError> {
    let text = std::str::from_utf8(bytes).map_err(|_| ManifestError::NotAManifest)?;
    let document = Document::parse(text).map_err(|_| ManifestError::NotAManifest)?;
    let root = document.root_element();
    if root.tag_name().name() != "MPD" {
        return Err(ManifestError::NotAManifest);
    }
    let ended = root.attribute("type") != Some("dynamic");
    let period = children(root, "Period").last();
    let sets = period
        .into_iter()
        .flat_map(|p| children(p, "AdaptationSet"));
    let representations = sets.flat_map(|set| children(set, "Representation"));
    let found = representations
        .map(|node| Representation::of(node).media(ended))
        .collect::<Result<Vec<_>, _>>()?;
    match found.is_empty() {
        true => Err(ManifestError::Empty),
        false => Ok(found),
    }
}

/// Children of this name, in whichever namespace.
fn children<'a, 'i: 'a>(
    node: Node<'a, 'i>,
    name: &'static str,
) -> impl DoubleEndedIterator<Item = Node<'a, 'i>> {
    let is_meant = move |child: &Node<'_, '_>| child.tag_name().name() == name;
    node.children().filter(is_meant)
}

/// A representation and what says how its segments are named, its own first: what it does not say,
/// its set says, or their period.
struct Representation<'a> {
    id: &'a str,
    bandwidth: &'a str,
    templates: Vec<Node<'a, 'a>>,
}

impl<'a> Representation<'a> {
    fn of(node: Node<'a, 'a>) -> Representation<'a> {
        let templates = node
            .ancestors()
            .flat_map(|node| children(node, "SegmentTemplate"));
        Representation {
            id: node.attribute("id").unwrap_or_default(),
            bandwidth: node.attribute("bandwidth").unwrap_or_default(),
            templates: templates.collect(),
        }
    }

    fn attribute(&self, name: &str) -> Option<&'a str> {
        self.templates.iter().find_map(|node| node.attribute(name))
    }

    fn number(&self, name: &'static str, default: u64) -> Result<u64, ManifestError> {
        match self.attribute(name) {
            Some(text) => text.parse().map_err(|_| ManifestError::BadValue(name)),
            None => Ok(default),
        }
    }

    fn media(&self, ended: bool) -> Result<Media, ManifestError> {
        let timeline = self
            .templates
            .iter()
            .find_map(|template| children(*template, "SegmentTimeline").next());
        let (Some(timeline), Some(name)) = (timeline, self.attribute("media")) else {
            return Err(ManifestError::NotListed(self.id.to_owned()));
        };
        if !name.contains("$Number") {
            return Err(ManifestError::NotNumbered(self.id.to_owned()));
        }
        let timescale = self.number("timescale", 1)?;
        let first = self.number("startNumber", 1)?;
        let map = self.attribute("initialization");
        let map = map.map(|map| self.expanded(map, 0)).transpose()?;
        let mut segments = Vec::new();
        for entry in children(timeline, "S") {
            let ticks = read(entry, "d", None)?;
            let duration = duration(ticks, timescale)?;
            // Without an end (`-1`) it says that segments are to be worked out.
            for _ in 0..=read(entry, "r", Some(0))? {
                if segments.len() >= SEGMENTS_MAX {
                    return Err(ManifestError::TooManySegments);
                }
                let sequence = first
                    .checked_add(segments.len() as u64)
                    .ok_or(ManifestError::BadValue("startNumber"))?;
                segments.push(Segment {
                    uri: self.expanded(name, sequence)?,
                    sequence,
                    duration,
                    map: map.clone(),
                });
            }
        }
        let longest = segments.iter().map(|segment| segment.duration).max();
        Ok(Media {
            target: longest.unwrap_or_default(),
            sequence: first,
            ended,
            segments,
        })
    }

    /// A template with its identifiers replaced (ISO/IEC 23009-1, 5.3.9.4.4).
    fn expanded(&self, template: &str, number: u64) -> Result<String, ManifestError> {
        let bad = ManifestError::BadValue("a template of names");
        let mut parts = template.split('$');
        let mut name = parts.next().unwrap_or_default().to_owned();
        while let Some(identifier) = parts.next() {
            let (identifier, format) = match identifier.split_once('%') {
                Some((identifier, format)) => (identifier, Some(format)),
                None => (identifier, None),
            };
            match identifier {
                "" => name.push('$'),
                "RepresentationID" => name += self.id,
                "Bandwidth" => name += self.bandwidth,
                "Number" => {
                    let width = format.map_or(Some(0), width).ok_or(bad.clone())?;
                    name += &format!("{number:0width$}");
                }
                _ => return Err(bad),
            }
            name += parts.next().ok_or(bad.clone())?;
        }
        Ok(name)
    }
}

/// Of `05d` five.
fn width(format: &str) -> Option<usize> {
    let width = format.strip_prefix('0')?.strip_suffix('d')?.parse().ok()?;
    (width <= WIDTH_MAX).then_some(width)
}

fn read(
    entry: Node<'_, '_>,
    name: &'static str,
    default: Option<u64>,
) -> Result<u64, ManifestError> {
    let text = entry.attribute(name);
    let value = text.map_or(default, |text| text.parse().ok());
    value.ok_or(ManifestError::BadValue(name))
}

fn duration(ticks: u64, timescale: u64) -> Result<Duration, ManifestError> {
    let seconds = ticks as f64 / timescale as f64;
    match seconds > 0.0 && seconds <= SECONDS_MAX {
        true => Ok(Duration::from_secs_f64(seconds)),
        false => Err(ManifestError::BadValue("d")),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// As ffmpeg writes it, but for what is not read here.
    const FFMPEG: &str = r#"<?xml version="1.0" encoding="utf-8"?>
<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="dynamic" minimumUpdatePeriod="PT2S">
	<Period id="0" start="PT0.0S">
		<AdaptationSet id="0" contentType="video">
			<Representation id="0" mimeType="video/mp4" bandwidth="800000">
				<SegmentTemplate timescale="12800" initialization="init-stream$RepresentationID$.m4s" media="chunk-stream$RepresentationID$-$Number%05d$.m4s" startNumber="7">
					<SegmentTimeline>
						<S t="153600" d="25600" r="1" />
						<S d="19200" />
					</SegmentTimeline>
				</SegmentTemplate>
			</Representation>
		</AdaptationSet>
		<AdaptationSet id="1" contentType="audio">
			<SegmentTemplate timescale="1" media="$Bandwidth$/$$$Number$.m4s">
				<SegmentTimeline><S d="2" r="2"/></SegmentTimeline>
			</SegmentTemplate>
			<Representation id="a" bandwidth="64000"/>
		</AdaptationSet>
	</Period>
</MPD>"#;

    /// Numbers, durations, names and init segments of ffmpeg's manifest; and what a set says for its
    /// representations.
    #[test]
    fn reads_ffmpegs_manifest() {
        assert!(is_manifest(FFMPEG.as_bytes()) && !is_manifest(b"#EXTM3U\n"));
        let [video, audio]: [Media; 2] = parse(FFMPEG.as_bytes()).unwrap().try_into().unwrap();
        assert!(!video.ended);
        assert_eq!((video.sequence, video.next_sequence()), (7, 10));
        assert_eq!(video.target, Duration::from_secs(2));
        let last = video.segment(9).unwrap();
        assert_eq!(last.uri, "chunk-stream0-00009.m4s");
        assert_eq!(last.duration, Duration::from_millis(1500));
        assert_eq!(last.map.as_deref(), Some("init-stream0.m4s"));
        assert_eq!(audio.sequence, 1);
        assert_eq!(audio.segments[2].uri, "64000/$3.m4s");
        assert_eq!(audio.segments[2].map, None);
    }

    /// A static manifest is one that has ended.
    #[test]
    fn static_means_ended() {
        let text = FFMPEG.replace("dynamic", "static");
        assert!(parse(text.as_bytes()).unwrap()[0].ended);
    }

    /// What cannot be followed says why.
    #[test]
    fn refuses_what_it_cannot_follow() {
        let with = |from: &str, to: &str| parse(FFMPEG.replace(from, to).as_bytes()).unwrap_err();
        assert_eq!(parse(b"<html/>").unwrap_err(), ManifestError::NotAManifest);
        assert_eq!(parse(b"<MPD").unwrap_err(), ManifestError::NotAManifest);
        assert_eq!(parse(b"<MPD/>").unwrap_err(), ManifestError::Empty);
        let not_listed = ManifestError::NotListed("0".to_owned());
        assert_eq!(with("SegmentTimeline", "Else"), not_listed);
        let not_numbered = ManifestError::NotNumbered("0".to_owned());
        assert_eq!(with("$Number%05d$", "$Time$"), not_numbered);
        assert_eq!(with(r#"r="1""#, r#"r="-1""#), ManifestError::BadValue("r"));
        assert_eq!(
            with(r#"r="1""#, r#"r="9999999999""#),
            ManifestError::TooManySegments
        );
        for (from, to) in [
            ("%05d", "%099d"),
            ("%05d$", "%05d"),
            ("12800", "0"),
            ("25600", "0"),
        ] {
            assert!(matches!(with(from, to), ManifestError::BadValue(_)), "{to}");
        }
    }
}
