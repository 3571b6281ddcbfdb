//! How a stream's token is given: a file with the token, or the token's SHA-256.
//!
//! The token itself is forgotten as soon as it is hashed.

use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde::de::{Deserialize, Deserializer};
use sha2::{Digest, Sha256};
use zonecast_dataplane::TokenHash;

use super::report::Report;
use crate::units::Text;

/// What a hash looks like, for error messages.
const HASH_FORM: &str = "a SHA-256 in 64 hexadecimal digits, as `zonecast token` prints it";

/// Bytes of a token at most.
const TOKEN_MAX: usize = 256;

/// Shorter tokens can be guessed.
const TOKEN_SAFE_MIN: usize = 20;

/// A token's SHA-256 as written in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WrittenHash(pub TokenHash);

/// The hash by which a token is known.
#[must_use]
pub fn hash(token: &str) -> TokenHash {
    TokenHash(Sha256::digest(token.as_bytes()).into())
}

/// A hash as the file has it.
#[must_use]
pub fn hex(hash: &TokenHash) -> String {
    hash.0.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl std::str::FromStr for WrittenHash {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is not {HASH_FORM}");
        let digits: Option<Vec<u8>> = text
            .chars()
            .map(|c| c.to_digit(16).map(|digit| digit as u8))
            .collect();
        let digits = digits
            .filter(|digits| digits.len() == 64)
            .ok_or_else(wrong)?;
        let mut hash = [0; 32];
        for (byte, pair) in hash.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = pair[0] << 4 | pair[1];
        }
        Ok(Self(TokenHash(hash)))
    }
}

impl<'de> Deserialize<'de> for WrittenHash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(Text::new(HASH_FORM))
    }
}

/// The hash from `token_file` or `token_sha256` of the table `key`; `None` where neither is
/// given, or where what is given is wrong and noted so.
pub(super) fn resolve(
    key: &str,
    file: Option<&PathBuf>,
    hash: Option<WrittenHash>,
    report: &mut Report<'_>,
) -> Option<TokenHash> {
    match (file, hash) {
        (Some(_), Some(_)) => {
            let text = "token_file and token_sha256 are both given; one is allowed";
            report.error(&format!("{key}.token_sha256"), text);
            None
        }
        (Some(file), None) => from_file(&format!("{key}.token_file"), &report.path(file), report),
        (None, hash) => hash.map(|written| written.0),
    }
}

fn from_file(key: &str, path: &Path, report: &mut Report<'_>) -> Option<TokenHash> {
    let text = match read(path) {
        Ok((text, mode)) => {
            if mode & 0o077 != 0 {
                let text = format!(
                    "{} can be read by other users (mode {mode:o})",
                    path.display()
                );
                report.warn(key, text);
            }
            text
        }
        Err(error) => {
            report.error(key, format!("{} cannot be read: {error}", path.display()));
            return None;
        }
    };
    let token = text.trim();
    if let Some(wrong) = refuse(token) {
        report.error(key, format!("{}: {wrong}", path.display()));
        return None;
    }
    if token.len() < TOKEN_SAFE_MIN {
        report.warn(
            key,
            format!("a token of {} characters can be guessed", token.len()),
        );
    }
    Some(self::hash(token))
}

/// Reads at most a little more than a token, and the file's mode.
fn read(path: &Path) -> std::io::Result<(String, u32)> {
    let file = std::fs::File::open(path)?;
    let mode = file.metadata()?.permissions().mode() & 0o777;
    let mut text = String::new();
    file.take(4 * TOKEN_MAX as u64).read_to_string(&mut text)?;
    Ok((text, mode))
}

/// Why a text cannot be a token: it must fit in a header and in a path unchanged.
fn refuse(token: &str) -> Option<String> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-._~".contains(c);
    match token.len() {
        0 => Some("the token is empty".to_owned()),
        n if n > TOKEN_MAX => Some(format!("the token is longer than {TOKEN_MAX} characters")),
        _ if !token.chars().all(allowed) => {
            Some("the token may have only letters, digits and - . _ ~".to_owned())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A hash is read as it is printed, in either case, and nothing shorter or longer.
    #[test]
    fn hashes_are_read_as_printed() {
        let printed = hex(&hash("abc"));
        assert_eq!(
            printed,
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        assert_eq!(printed.parse(), Ok(WrittenHash(hash("abc"))));
        assert_eq!(printed.to_uppercase().parse(), Ok(WrittenHash(hash("abc"))));
        for wrong in [
            "",
            "00",
            &printed[1..],
            &format!("{printed}0"),
            &"g".repeat(64),
        ] {
            assert!(wrong.parse::<WrittenHash>().is_err(), "{wrong}");
        }
    }

    /// Tokens fit in a header and a path as they are.
    #[test]
    fn tokens_have_no_special_characters() {
        assert_eq!(refuse("aZ09-._~"), None);
        for wrong in ["", "a b", "a/b", "a:b", "a\nb", "ä", &"a".repeat(257)] {
            assert!(refuse(wrong).is_some(), "{wrong}");
        }
    }
}
