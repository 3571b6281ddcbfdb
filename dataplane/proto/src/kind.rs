//! What an object is, by its name or its Content-Type: enough to answer with the right
//! type and to know what is pinned. No body is looked at beyond [`sniff_ftyp`].

use crate::BadRequest;

/// The kind of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// An HLS playlist, master or media.
    HlsPlaylist,
    /// A DASH MPD.
    DashManifest,
    /// A fragment of an ISO file (`.m4s`, `.cmfv`), or its init segment.
    IsoSegment,
    /// The same with audio only by its name (`.m4a`, `.cmfa`).
    IsoAudio,
    /// The same with text by its name (`.cmft`).
    IsoText,
    /// `.mp4`: an init segment, or a fragment.
    Mp4,
    /// MPEG-2 transport stream.
    MpegTs,
    /// Packed AAC.
    Aac,
    /// Packed MP3.
    Mp3,
    /// Packed AC-3.
    Ac3,
    /// Packed Enhanced AC-3.
    Eac3,
    /// WebVTT subtitles.
    WebVtt,
    /// WebM, or its init segment.
    WebM,
    /// A JPEG picture.
    Jpeg,
    /// A PNG picture.
    Png,
    /// A WebP picture.
    WebP,
    /// Anything else: bytes (keys of HLS among them).
    Other,
}

use Kind::{
    Aac, Ac3, DashManifest, Eac3, HlsPlaylist, IsoAudio, IsoSegment, IsoText, Jpeg, Mp3, Mp4,
    MpegTs, Other, Png, WebM, WebP, WebVtt,
};

/// Extensions, in lower case.
const EXTENSIONS: &[(&str, Kind)] = &[
    ("m4s", IsoSegment),
    ("ts", MpegTs),
    ("m3u8", HlsPlaylist),
    ("mpd", DashManifest),
    ("mp4", Mp4),
    ("aac", Aac),
    ("vtt", WebVtt),
    ("cmfv", IsoSegment),
    ("cmfa", IsoAudio),
    ("cmft", IsoText),
    ("m4v", IsoSegment),
    ("m4a", IsoAudio),
    ("m4f", IsoSegment),
    ("cmfm", IsoSegment),
    ("m3u", HlsPlaylist),
    ("m2ts", MpegTs),
    ("mp3", Mp3),
    ("ac3", Ac3),
    ("ec3", Eac3),
    ("eac3", Eac3),
    ("webvtt", WebVtt),
    ("webm", WebM),
    ("jpg", Jpeg),
    ("jpeg", Jpeg),
    ("png", Png),
    ("webp", WebP),
];

/// Content-Types that ingest takes. The first of a kind is the one that is answered.
const TYPES: &[(&str, Kind)] = &[
    ("application/vnd.apple.mpegurl", HlsPlaylist),
    ("application/x-mpegurl", HlsPlaylist),
    ("audio/mpegurl", HlsPlaylist),
    ("audio/x-mpegurl", HlsPlaylist),
    ("application/dash+xml", DashManifest),
    ("video/iso.segment", IsoSegment),
    ("audio/mp4", IsoAudio),
    ("audio/x-m4a", IsoAudio),
    ("application/mp4", IsoText),
    ("video/mp4", Mp4),
    ("video/mp2t", MpegTs),
    ("audio/aac", Aac),
    ("audio/aacp", Aac),
    ("audio/x-aac", Aac),
    ("audio/mpeg", Mp3),
    ("audio/ac3", Ac3),
    ("audio/eac3", Eac3),
    ("text/vtt", WebVtt),
    ("video/webm", WebM),
    ("audio/webm", WebM),
    ("image/jpeg", Jpeg),
    ("image/png", Png),
    ("image/webp", WebP),
    ("application/octet-stream", Other),
    ("binary/octet-stream", Other),
];

impl Kind {
    /// The kind of an uploaded object: by its Content-Type where there is one that says
    /// something, else by its name.
    ///
    /// # Errors
    /// [`BadRequest::ContentType`] (415) if there is a Content-Type that is not accepted.
    pub fn of(path: &str, content_type: Option<&str>) -> Result<Self, BadRequest> {
        match content_type.map(Self::from_content_type) {
            None | Some(Some(Other)) => Ok(Self::from_path(path)),
            Some(Some(kind)) => Ok(kind),
            Some(None) => Err(BadRequest::ContentType),
        }
    }

    /// The kind by the extension of the last segment.
    #[must_use]
    pub fn from_path(path: &str) -> Self {
        let name = path.rsplit_once('/').map_or(path, |(_, name)| name);
        let Some((_, extension)) = name.rsplit_once('.') else {
            return Other;
        };
        find(EXTENSIONS, extension).unwrap_or(Other)
    }

    /// The kind that a Content-Type names, its parameters aside; [`Kind::Other`] for
    /// "bytes", `None` where it is not accepted.
    #[must_use]
    pub fn from_content_type(value: &str) -> Option<Self> {
        let essence = value.split_once(';').map_or(value, |(essence, _)| essence);
        find(TYPES, essence.trim_matches([' ', '\t']))
    }

    /// The Content-Type to answer with.
    #[must_use]
    pub fn content_type(self) -> &'static str {
        let known = TYPES.iter().find(|(_, kind)| *kind == self);
        known.expect("each kind has a type (tested)").0
    }

    /// Whether a segment of this kind plays only with its track's init segment.
    #[must_use]
    pub fn needs_init(self) -> bool {
        matches!(self, IsoSegment | IsoAudio | IsoText | Mp4)
    }

    /// Whether the name alone says that it is a pinned object: playlists and manifests.
    /// Init segments are found by [`sniff_ftyp`].
    #[must_use]
    pub fn is_pinned_by_name(self) -> bool {
        matches!(self, HlsPlaylist | DashManifest)
    }
}

fn find(table: &[(&str, Kind)], key: &str) -> Option<Kind> {
    table
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(key))
        .map(|&(_, kind)| kind)
}

/// Whether a body begins with an `ftyp` box, as the init segment of an ISO file does
/// (ISO/IEC 14496-12 section 4.3). `None`: its first 8 bytes are needed, and 4 of them
/// can be enough to say no.
#[must_use]
pub fn sniff_ftyp(first: &[u8]) -> Option<bool> {
    let kind = first.get(4..first.len().min(8)).unwrap_or(&[]);
    if !b"ftyp".starts_with(kind) {
        return Some(false);
    }
    (kind.len() == 4).then_some(true)
}

#[cfg(test)]
mod tests {
    //! Names, types and first bytes that encoders send, and the kinds they give.
    use super::{BadRequest, EXTENSIONS, Kind, TYPES, sniff_ftyp};

    #[test]
    fn names() {
        for (path, kind) in [
            ("index.m3u8", Kind::HlsPlaylist),
            ("v/INDEX.M3U8", Kind::HlsPlaylist),
            ("manifest.mpd", Kind::DashManifest),
            ("init-stream0.m4s", Kind::IsoSegment),
            ("init.mp4", Kind::Mp4),
            ("a/index12.ts", Kind::MpegTs),
            ("seg.1.aac", Kind::Aac),
            ("a.ts/b", Kind::Other),
            ("ts", Kind::Other),
            ("x.", Kind::Other),
            ("enc.key", Kind::Other),
        ] {
            assert_eq!(Kind::from_path(path), kind, "{path}");
        }
    }

    #[test]
    fn content_types() {
        let of = |content_type| Kind::of("x.ts", content_type);
        assert_eq!(of(None), Ok(Kind::MpegTs));
        assert_eq!(of(Some("Application/Octet-Stream")), Ok(Kind::MpegTs));
        assert_eq!(of(Some("video/MP4 ; codecs=\"avc1\"")), Ok(Kind::Mp4));
        assert_eq!(of(Some("text/html")), Err(BadRequest::ContentType));
        assert_eq!(of(Some("")), Err(BadRequest::ContentType));
    }

    #[test]
    fn each_kind_has_a_type() {
        for (_, kind) in EXTENSIONS.iter().chain(TYPES) {
            let answered = Kind::from_content_type(kind.content_type());
            assert_eq!(answered, Some(*kind));
        }
        assert_eq!(Kind::Other.content_type(), "application/octet-stream");
    }

    #[test]
    fn first_box() {
        assert_eq!(sniff_ftyp(b"\0\0\0\x18ftypiso5"), Some(true));
        assert_eq!(sniff_ftyp(b"\0\0\0\x18styp"), Some(false));
        assert_eq!(sniff_ftyp(b"\0\0\0\x18f"), None);
        assert_eq!(sniff_ftyp(b"\0\0\0\x18s"), Some(false));
        assert_eq!(sniff_ftyp(b"\0\0"), None);
        assert_eq!(sniff_ftyp(b""), None);
        assert_eq!(sniff_ftyp(b"GIF89a.."), Some(false));
    }
}
