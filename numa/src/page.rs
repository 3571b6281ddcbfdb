//! The kinds of page that memory can be made of: the rungs of the ladder.

use std::fmt;
use std::str::FromStr;

use crate::error::NumaError;

/// Bytes of the smallest page: the granule of everything in this crate.
pub(crate) const PAGE_BYTES: u64 = 4 << 10;
/// Bytes of a large page on x86-64 and (with 4 KiB granules) on arm64.
pub(crate) const HUGE_2M_BYTES: u64 = 2 << 20;
/// Bytes of the largest page, and of the largest region: io_uring's limit for one
/// registered buffer.
pub(crate) const HUGE_1G_BYTES: u64 = 1 << 30;

/// What a region's pages are. The greater, the better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PageKind {
    /// Pages of 4 KiB.
    Plain,
    /// Shared memory that the kernel mostly backs with 2 MiB pages by its own choice.
    Transparent,
    /// hugetlb pages of 2 MiB.
    Huge2M,
    /// hugetlb pages of 1 GiB.
    Huge1G,
}

impl PageKind {
    /// The top of the ladder.
    pub const BEST: PageKind = PageKind::Huge1G;

    /// Bytes of one page; for transparent huge pages those of the large page.
    #[must_use]
    pub fn bytes(self) -> u64 {
        match self {
            PageKind::Huge1G => HUGE_1G_BYTES,
            PageKind::Huge2M | PageKind::Transparent => HUGE_2M_BYTES,
            PageKind::Plain => PAGE_BYTES,
        }
    }

    /// Whether pages come out of the kernel's pool of hugetlb pages.
    #[must_use]
    pub fn is_hugetlb(self) -> bool {
        matches!(self, PageKind::Huge1G | PageKind::Huge2M)
    }

    /// The next rung down.
    #[must_use]
    pub fn below(self) -> Option<PageKind> {
        match self {
            PageKind::Huge1G => Some(PageKind::Huge2M),
            PageKind::Huge2M => Some(PageKind::Transparent),
            PageKind::Transparent => Some(PageKind::Plain),
            PageKind::Plain => None,
        }
    }

    /// The name in metrics' labels and in the configuration.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            PageKind::Huge1G => "1GiB",
            PageKind::Huge2M => "2MiB",
            PageKind::Transparent => "transparent",
            PageKind::Plain => "plain",
        }
    }
}

impl fmt::Display for PageKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            PageKind::Huge1G => "1 GiB pages",
            PageKind::Huge2M => "2 MiB pages",
            PageKind::Transparent => "transparent huge pages",
            PageKind::Plain => "plain pages",
        })
    }
}

impl FromStr for PageKind {
    type Err = NumaError;

    /// Reads [`PageKind::label`]; `auto` is [`PageKind::BEST`].
    fn from_str(text: &str) -> Result<Self, NumaError> {
        match text {
            "auto" => Ok(PageKind::BEST),
            "1GiB" => Ok(PageKind::Huge1G),
            "2MiB" => Ok(PageKind::Huge2M),
            "transparent" => Ok(PageKind::Transparent),
            "plain" => Ok(PageKind::Plain),
            _ => Err(NumaError::BadPages {
                text: text.to_owned(),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The ladder goes down one rung at a time and ends at plain pages, and each
    /// rung's label is read back as that rung.
    #[test]
    fn the_ladder_descends() {
        let mut kind = PageKind::BEST;
        let mut rungs = 1;
        while let Some(below) = kind.below() {
            assert!(below < kind);
            assert_eq!(kind.label().parse::<PageKind>().ok(), Some(kind));
            kind = below;
            rungs += 1;
        }
        assert_eq!((kind, rungs), (PageKind::Plain, 4));
        assert!("4MiB".parse::<PageKind>().is_err());
    }
}
