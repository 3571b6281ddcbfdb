//! The objects, in one mapping of the largest pages that the machine gives.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use memmap2::{Advice, MmapMut, MmapOptions};

const HUGE_PAGE_BITS: u8 = 21;

/// All objects, one after the other.
pub(super) struct Memory {
    map: MmapMut,
    objects: Vec<std::ops::Range<usize>>,
    pages: &'static str,
}

impl Memory {
    /// Reads all files of a folder, and of the folders in it.
    ///
    /// # Errors
    /// There is none, or no memory for them.
    pub(super) fn read(folder: &Path) -> Result<Memory> {
        let paths = files(folder)?;
        let mut bytes = Vec::new();
        let mut objects = Vec::new();
        for path in &paths {
            let start = bytes.len();
            let object = std::fs::read(path).with_context(|| path.display().to_string())?;
            bytes.extend_from_slice(&object);
            objects.push(start..bytes.len());
        }
        if bytes.is_empty() {
            bail!("{} holds no objects", folder.display());
        }
        let (mut map, pages) = map(bytes.len())?;
        map[..bytes.len()].copy_from_slice(&bytes);
        Ok(Memory {
            map,
            objects,
            pages,
        })
    }

    /// What it lies in.
    pub(super) fn pages(&self) -> &'static str {
        self.pages
    }

    pub(super) fn count(&self) -> usize {
        self.objects.len()
    }

    /// An object; the numbers go round.
    pub(super) fn get(&self, number: usize) -> &[u8] {
        &self.map[self.objects[number % self.objects.len()].clone()]
    }
}

/// The files of a folder and of the folders in it, in the order of their names.
fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(folder).with_context(|| folder.display().to_string())?;
    let mut paths: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    let mut files = Vec::new();
    for path in paths {
        match path.is_dir() {
            true => files.extend(self::files(&path)?),
            false => files.push(path),
        }
    }
    Ok(files)
}

/// Anonymous memory: huge pages that were set aside, else transparent ones, else any.
fn map(bytes: usize) -> Result<(MmapMut, &'static str)> {
    let huge = bytes.next_multiple_of(1 << HUGE_PAGE_BITS);
    let set_aside = MmapOptions::new()
        .len(huge)
        .huge(Some(HUGE_PAGE_BITS))
        .populate()
        .map_anon();
    if let Ok(map) = set_aside {
        return Ok((map, "2 MiB"));
    }
    let map = MmapOptions::new().len(huge).map_anon();
    let map = map.context("no memory for the objects")?;
    let pages = match map.advise(Advice::HugePage) {
        Ok(()) => "transparent huge",
        Err(_) => "plain",
    };
    Ok((map, pages))
}
