//! Redirect: a viewer who asks for a playlist in one zone, of a stream that lives in another, is sent
//! to a host that leads there. What the playlist lists he then asks for there too.

use zonecast_numa::ZoneId;
use zonecast_proto::kind::Kind;
use zonecast_proto::request::Request;

use crate::config::Redirects;
use crate::stream::Stream;

/// A longer one is not sent: it might not fit into a head ([`HEAD_BYTES_MAX`]).
///
/// [`HEAD_BYTES_MAX`]: zonecast_proto::response::HEAD_BYTES_MAX
const LOCATION_BYTES_MAX: usize = 512;

/// Where a request should have gone; `None` where it is at home, or where no host leads home.
pub(super) fn location(
    redirects: &Redirects,
    zone: ZoneId,
    tls: bool,
    request: &Request<'_>,
    stream: &Stream,
    path: &str,
) -> Option<Box<str>> {
    if stream.zone == zone || !Kind::from_path(path).is_pinned_by_name() {
        return None;
    }
    let host = host_of(redirects, stream)?;
    // Who asks that very host has followed it already: the name leads elsewhere.
    if request.host.is_some_and(|asked| is_same(asked, &host)) {
        return None;
    }
    let scheme = if tls { "https" } else { "http" };
    // An absolute target would put its own host before the path.
    let (path, query) = (request.path, request.query);
    let query = query.map_or(String::new(), |query| format!("?{query}"));
    let location = format!("{scheme}://{host}{path}{query}");
    (location.len() <= LOCATION_BYTES_MAX).then(|| location.into())
}

/// The stream's host, where its id can stand in a name; else its home zone's.
fn host_of(redirects: &Redirects, stream: &Stream) -> Option<String> {
    let of_stream = redirects.stream.as_ref().filter(|_| is_label(&stream.id));
    let of_zone = || redirects.zones.get(usize::from(stream.zone.0))?.clone();
    of_stream
        .map(|(before, after)| format!("{before}{}{after}", stream.id))
        .or_else(of_zone)
}

/// One label of a host name.
fn is_label(id: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    id.len() <= 63 && id.bytes().all(plain) && !id.starts_with('-') && !id.ends_with('-')
}

/// The same host; of a port only one of the two need speak.
fn is_same(asked: &str, host: &str) -> bool {
    let name = |text: &str| match text.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name.to_owned(),
        _ => text.to_owned(),
    };
    asked.eq_ignore_ascii_case(host) || name(asked).eq_ignore_ascii_case(&name(host))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Names with and without ports, and of IPv6.
    #[test]
    fn hosts_are_compared() {
        assert!(is_same("Z1.live.example:8443", "z1.live.example"));
        assert!(is_same("z1.live.example", "z1.live.example:8443"));
        assert!(is_same("[::1]:80", "[::1]"));
        assert!(!is_same("z0.live.example", "z1.live.example"));
    }

    /// What a certificate's wildcard covers is one label.
    #[test]
    fn labels() {
        assert!(is_label("news-1") && is_label("N"));
        for id in ["a.b", "a_b", "-a", "a-"] {
            assert!(!is_label(id), "{id}");
        }
        assert!(!is_label(&"x".repeat(64)));
    }
}
