//! The forms of a request target (RFC 9112 section 3.2) and of a host.

use super::Method;
use crate::BadRequest;

/// Longer than any DNS name or bracketed address with its port.
const AUTHORITY_BYTES_MAX: usize = 262;

/// A target in parts.
pub(super) struct Target<'a> {
    /// Of the absolute form only.
    pub(super) authority: Option<&'a str>,
    pub(super) path: &'a str,
    pub(super) query: Option<&'a str>,
}

/// Takes a target apart: origin form, absolute form, or `*` of OPTIONS.
pub(super) fn split(target: &str, method: Method) -> Result<Target<'_>, BadRequest> {
    if !target
        .bytes()
        .all(|byte| byte.is_ascii_graphic() && byte != b'#')
    {
        return Err(BadRequest::Target);
    }
    if target == "*" && method == Method::Options {
        return Ok(Target {
            authority: None,
            path: "*",
            query: None,
        });
    }
    let (authority, rest) = match target.starts_with('/') {
        true => (None, target),
        false => {
            let rest = after_scheme(target).ok_or(BadRequest::Target)?;
            let (authority, rest) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
            if !is_authority(authority) {
                return Err(BadRequest::Target);
            }
            (Some(authority), rest)
        }
    };
    let (path, query) = match rest.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (rest, None),
    };
    let path = match path {
        "" if query.is_none() && method == Method::Options => "*",
        "" => "/",
        path => path,
    };
    Ok(Target {
        authority,
        path,
        query,
    })
}

fn after_scheme(target: &str) -> Option<&str> {
    ["http://", "https://"].iter().find_map(|scheme| {
        let (start, rest) = target.split_at_checked(scheme.len())?;
        start.eq_ignore_ascii_case(scheme).then_some(rest)
    })
}

/// Whether `value` is a host with an optional port: a name, an IPv4 address, or an IPv6
/// address in brackets. No user information, no percent-encoding, not empty.
pub(super) fn is_authority(value: &str) -> bool {
    let name = host_name(value);
    let port = &value[name.len()..];
    let good_name = match name.strip_prefix('[') {
        Some(inner) => inner.strip_suffix(']').is_some_and(|address| {
            !address.is_empty()
                && address
                    .bytes()
                    .all(|byte| byte.is_ascii_hexdigit() || b":.".contains(&byte))
        }),
        None => {
            !name.is_empty()
                && name
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte))
        }
    };
    let good_port = match port.strip_prefix(':') {
        Some(digits) => digits.len() <= 5 && digits.bytes().all(|byte| byte.is_ascii_digit()),
        None => port.is_empty(),
    };
    value.len() <= AUTHORITY_BYTES_MAX && good_name && good_port
}

/// An authority without its port.
pub(super) fn host_name(authority: &str) -> &str {
    let end = if authority.starts_with('[') {
        authority.find(']').map(|at| at + 1)
    } else {
        authority.find(':')
    };
    &authority[..end.unwrap_or(authority.len())]
}

#[cfg(test)]
mod tests {
    //! Which targets and hosts are taken, and what they fall into.
    use super::{Method, host_name, is_authority, split};

    #[test]
    fn targets() {
        for (method, target, expected) in [
            (Method::Get, "/a?b?c", Some((None, "/a", Some("b?c")))),
            (Method::Get, "/", Some((None, "/", None))),
            (Method::Get, "//a", Some((None, "//a", None))),
            (
                Method::Get,
                "http://h:80/a",
                Some((Some("h:80"), "/a", None)),
            ),
            (Method::Get, "HTTPS://h", Some((Some("h"), "/", None))),
            (Method::Get, "http://h?q", Some((Some("h"), "/", Some("q")))),
            (Method::Options, "http://h", Some((Some("h"), "*", None))),
            (Method::Options, "*", Some((None, "*", None))),
            (Method::Get, "*", None),
            (Method::Get, "a", None),
            (Method::Get, "http://", None),
            (Method::Get, "http:///a", None),
            (Method::Get, "http://user@h/a", None),
            (Method::Get, "ftp://h/a", None),
            (Method::Other, "h:443", None),
            (Method::Get, "/a#b", None),
            (Method::Get, "/ü", None),
        ] {
            let parts = split(target, method)
                .ok()
                .map(|parts| (parts.authority, parts.path, parts.query));
            assert_eq!(parts, expected, "{method:?} {target}");
        }
    }

    #[test]
    fn hosts() {
        for good in [
            "a",
            "a.b:80",
            "127.0.0.1",
            "[::1]",
            "[::1]:8443",
            "a_b~c-d",
            "a:",
        ] {
            assert!(is_authority(good), "{good}");
        }
        for bad in [
            "", ":80", "a:b", "a,b", "a b", "a@b", "a/b", "[::1", "[]", "[::1]x", "a:123456",
            "a:80:80", "%61",
        ] {
            assert!(!is_authority(bad), "{bad}");
        }
        assert!(!is_authority(&"a".repeat(300)));
        assert_eq!(host_name("[::1]:8443"), "[::1]");
        assert_eq!(host_name("a.b:80"), "a.b");
        assert_eq!(host_name("a.b"), "a.b");
    }
}
