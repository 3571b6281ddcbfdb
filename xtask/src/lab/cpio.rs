//! An archive that the kernel unpacks as its first root: cpio in the format "newc".
//!
//! Everything belongs to root and has no date, so the same contents give the same archive.

use crate::Result;
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

const FOLDER: u32 = 0o040_755;
const PROGRAM: u32 = 0o100_755;
const LINK: u32 = 0o120_777;

/// The name that ends an archive.
const LAST: &str = "TRAILER!!!";

/// An archive that is being written.
pub(super) struct Archive<W: Write> {
    out: W,
    /// Entries so far.
    entries: u32,
    folders: BTreeSet<PathBuf>,
    names: BTreeSet<PathBuf>,
}

impl Archive<BufWriter<File>> {
    /// A new archive in `file`.
    pub(super) fn create(file: &Path) -> Result<Self> {
        let out = File::create(file).map_err(|e| format!("{}: {e}", file.display()))?;
        Ok(Archive::new(BufWriter::with_capacity(1 << 20, out)))
    }
}

impl<W: Write> Archive<W> {
    fn new(out: W) -> Archive<W> {
        Archive {
            out,
            entries: 0,
            folders: BTreeSet::new(),
            names: BTreeSet::new(),
        }
    }

    /// A folder, with those above it.
    pub(super) fn folder(&mut self, path: &str) -> Result<()> {
        let path = Path::new(path.trim_start_matches('/'));
        let above: Vec<_> = path.ancestors().collect();
        for folder in above.into_iter().rev() {
            if folder != Path::new("") && self.folders.insert(folder.to_owned()) {
                self.entry(&folder.to_string_lossy(), FOLDER, &[])?;
            }
        }
        Ok(())
    }

    /// A file that may be run. The first of a name stays.
    pub(super) fn file(&mut self, path: &str, bytes: &[u8]) -> Result<()> {
        self.named(path, PROGRAM, bytes)
    }

    /// A copy of a file of this machine's.
    pub(super) fn copy(&mut self, path: &str, from: &Path) -> Result<()> {
        let bytes = fs::read(from).map_err(|e| format!("{}: {e}", from.display()))?;
        self.file(path, &bytes)
    }

    /// A symbolic link.
    pub(super) fn link(&mut self, path: &str, target: &str) -> Result<()> {
        self.named(path, LINK, target.as_bytes())
    }

    /// Writes the end.
    pub(super) fn finish(mut self) -> Result<W> {
        self.entry(LAST, 0, &[])?;
        self.out.flush().map_err(|e| format!("initramfs: {e}"))?;
        Ok(self.out)
    }

    fn named(&mut self, path: &str, mode: u32, bytes: &[u8]) -> Result<()> {
        let path = path.trim_start_matches('/');
        if !self.names.insert(PathBuf::from(path)) {
            return Ok(());
        }
        if let Some((folder, _)) = path.rsplit_once('/') {
            self.folder(folder)?;
        }
        self.entry(path, mode, bytes)
    }

    fn entry(&mut self, path: &str, mode: u32, bytes: &[u8]) -> Result<()> {
        let size = u32::try_from(bytes.len())
            .map_err(|_| format!("{path} is too large for an archive"))?;
        self.entries += 1;
        let name = path.len() as u32 + 1;
        // inode, mode, uid, gid, links, date, size, device (2), special device (2), name, check
        let fields = [self.entries, mode, 0, 0, 1, 0, size, 0, 0, 0, 0, name, 0];
        let mut head = String::from("070701");
        for field in fields {
            head += &format!("{field:08x}");
        }
        head += path;
        head.push('\0');
        while head.len() % 4 != 0 {
            head.push('\0');
        }
        let pad = &[0; 3][..bytes.len().next_multiple_of(4) - bytes.len()];
        for part in [head.as_bytes(), bytes, pad] {
            let written = self.out.write_all(part);
            written.map_err(|e| format!("initramfs: {e}"))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Entries are aligned to four bytes, folders come before what lies in them, once, and the
    /// first file of a name stays.
    #[test]
    fn writes_newc() {
        let mut archive = Archive::new(Vec::new());
        archive.file("/a/b", b"12345").unwrap();
        archive.file("a/b", b"other").unwrap();
        archive.link("/a/c", "b").unwrap();
        let bytes = archive.finish().unwrap();
        assert_eq!(bytes.len() % 4, 0);
        let text = String::from_utf8(bytes).unwrap();
        let names: Vec<_> = text
            .match_indices("070701")
            .map(|(at, _)| text[at + 110..].split('\0').next().unwrap())
            .collect();
        assert_eq!(names, ["a", "a/b", "a/c", LAST]);
        assert!(text.contains("12345") && !text.contains("other"));
    }
}
