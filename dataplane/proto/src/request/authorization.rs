//! Credentials of a request: `Bearer T`, or `Basic` with the token as its password.

use std::borrow::Cow;
use std::fmt;

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use crate::Secret;

/// Encoders pad, or do not.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The `Authorization` field by its scheme. `Debug` shows the scheme only.
#[derive(Clone, Copy)]
pub enum Authorization<'a> {
    /// `Bearer T` (RFC 6750).
    Bearer(Secret<'a>),
    /// `Basic …`, still in base64 (RFC 7617): [`Authorization::user_and_password`].
    Basic(Secret<'a>),
    /// Another scheme, or none: credentials that no token can be in.
    Other,
}

impl<'a> Authorization<'a> {
    pub(super) fn parse(value: &'a str) -> Self {
        let Some((scheme, rest)) = value.split_once(' ') else {
            return Self::Other;
        };
        let credentials = rest.trim_matches(' ');
        if credentials.is_empty() || !credentials.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Self::Other;
        }
        if scheme.eq_ignore_ascii_case("bearer") {
            Self::Bearer(Secret::new(credentials))
        } else if scheme.eq_ignore_ascii_case("basic") {
            Self::Basic(Secret::new(credentials))
        } else {
            Self::Other
        }
    }

    /// The token: that of `Bearer`, or the password of `Basic` with any user. `None`
    /// where there is no such thing. Allocates for `Basic`, which encoders use, not
    /// viewers.
    #[must_use]
    pub fn token(&self) -> Option<Cow<'a, str>> {
        match self {
            Self::Bearer(token) => Some(Cow::Borrowed(token.expose())),
            Self::Basic(_) => self
                .user_and_password()
                .map(|(_, password)| Cow::Owned(password)),
            Self::Other => None,
        }
    }

    /// User and password of `Basic`; `None` for another scheme, bad base64, no colon, or
    /// bytes that are not UTF-8.
    #[must_use]
    pub fn user_and_password(&self) -> Option<(String, String)> {
        let Self::Basic(encoded) = self else {
            return None;
        };
        let decoded = String::from_utf8(BASE64.decode(encoded.expose()).ok()?).ok()?;
        let (user, password) = decoded.split_once(':')?;
        Some((user.to_owned(), password.to_owned()))
    }
}

impl fmt::Debug for Authorization<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bearer(_) => "Bearer(…)",
            Self::Basic(_) => "Basic(…)",
            Self::Other => "Other",
        })
    }
}

#[cfg(test)]
mod tests {
    //! Tokens come out of both schemes, and out of no printing.
    use super::Authorization;

    #[test]
    fn tokens() {
        for (value, token) in [
            ("Bearer T0k-en", Some("T0k-en")),
            ("bearer  T", Some("T")),
            ("Basic dXNlcjpwYXNz", Some("pass")),
            ("Basic dTpwOnE=", Some("p:q")),
            ("Basic dTpwOnE", Some("p:q")),
            ("Basic Og==", Some("")),
            ("Basic dXNlcg==", None),
            ("Basic !", None),
            ("Basic /////w==", None),
            ("Bearer", None),
            ("Bearer ", None),
            ("Bearer a b", None),
            ("Digest x", None),
        ] {
            assert_eq!(
                Authorization::parse(value).token().as_deref(),
                token,
                "{value}"
            );
        }
    }

    #[test]
    fn printing_shows_nothing() {
        for value in ["Bearer hush", "Basic hush", "Digest hush"] {
            assert!(
                !format!("{:?}", Authorization::parse(value)).contains("hush"),
                "{value}"
            );
        }
    }
}
