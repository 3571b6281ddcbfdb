//! A credential that a peer sent: usable, never printable.

use std::fmt;

/// A borrowed credential. `Debug` shows nothing of it, and there is no `Display`; compare
/// [`Secret::expose`]'s hash in constant time.
#[derive(Clone, Copy)]
pub struct Secret<'a>(&'a str);

impl<'a> Secret<'a> {
    pub(crate) fn new(value: &'a str) -> Self {
        Self(value)
    }

    /// The credential itself. Never log it.
    #[must_use]
    pub fn expose(self) -> &'a str {
        self.0
    }
}

impl fmt::Debug for Secret<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}
