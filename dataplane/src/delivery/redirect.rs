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
    let of_zone = || redirects.zones.get(usize::from(stream.zone.0))?.clone();
    redirects.stream_host(&stream.id).or_else(of_zone)
}

/// The same host; a port counts where both say one.
fn is_same(asked: &str, host: &str) -> bool {
    let split = |text: &'_ str| match text.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => {
            (name.to_ascii_lowercase(), Some(port.to_owned()))
        }
        _ => (text.to_ascii_lowercase(), None),
    };
    let ((asked, asked_port), (host, port)) = (split(asked), split(host));
    asked == host && (asked_port == port || asked_port.is_none() || port.is_none())
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
        assert!(!is_same("live.example:8081", "live.example:8082"));
    }

    /// A stream has a host where its id is one label.
    #[test]
    fn labels() {
        let redirects = Redirects {
            zones: Vec::new(),
            stream: Some(("live-".to_owned(), ".example".to_owned())),
        };
        let host = |id: &str| redirects.stream_host(id);
        assert_eq!(host("News-1"), Some("live-News-1.example".to_owned()));
        for id in ["a.b", "a_b", "-a", "a-", &"x".repeat(64)] {
            assert_eq!(host(id), None, "{id}");
        }
    }
}
