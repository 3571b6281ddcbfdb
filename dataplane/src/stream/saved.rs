//! Init segments and master playlists on disk, so that a restart needs nothing from the
//! encoder, which sends them once.
//!
//! Written by a thread of its own, newest generation last, atomically by rename; read once
//! at the start. The number of files is bounded by the pinned objects of the streams.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, SyncSender, TrySendError};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use zonecast_proto::kind::Kind;

use super::Pinned;

/// A pinned object as an earlier run left it.
pub(crate) type SavedObject = (Arc<str>, Kind, Arc<[u8]>);

/// All that an earlier run left, by stream.
#[derive(Debug, Default)]
pub(crate) struct Saved(HashMap<String, Vec<SavedObject>>);

impl Saved {
    /// What was saved of `stream`.
    pub(crate) fn of(&self, stream: &str) -> Vec<SavedObject> {
        self.0.get(stream).cloned().unwrap_or_default()
    }

    /// From now on these are what is saved of `stream`: a stream that is made anew in this run
    /// must not go back to what an earlier one left.
    pub(super) fn replace(&mut self, stream: &str, objects: Vec<SavedObject>) {
        if objects.is_empty() {
            self.0.remove(stream);
        } else {
            self.0.insert(stream.to_owned(), objects);
        }
    }

    /// Reads the folder; what cannot be read is logged and left alone.
    pub(crate) fn load(dir: &Path, bytes_max: u64) -> Self {
        let mut saved = Self::default();
        for stream in entries(dir) {
            let Some(id) = file_name(&stream) else {
                continue;
            };
            let mut objects = Vec::new();
            for file in entries(&stream) {
                let Some(path) = file_name(&file).and_then(|n| path_of(&n)) else {
                    continue;
                };
                let small = fs::metadata(&file).is_ok_and(|m| m.is_file() && m.len() <= bytes_max);
                match fs::read(&file) {
                    Ok(body) if small => {
                        let kind = Kind::from_path(&path);
                        objects.push((path.into(), kind, body.into()));
                    }
                    _ => tracing::warn!(file = %file.display(), "saved object left alone"),
                }
            }
            saved.0.insert(id, objects);
        }
        saved
    }
}

fn entries(dir: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> = fs::read_dir(dir)
        .into_iter()
        .flatten()
        .flatten()
        .map(|e| e.path())
        .collect();
    paths.sort();
    paths
}

fn file_name(path: &Path) -> Option<String> {
    path.file_name()?.to_str().map(str::to_owned)
}

/// A path inside a stream as a file name: `/` and `%` are escaped, `.pinned` is added.
fn name_of(path: &str) -> String {
    format!("{}.pinned", path.replace('%', "%25").replace('/', "%2F"))
}

fn path_of(name: &str) -> Option<String> {
    Some(
        name.strip_suffix(".pinned")?
            .replace("%2F", "/")
            .replace("%25", "%"),
    )
}

/// By stream and path: what is to be written, or `None` for what is to be removed.
type Waiting = Arc<Mutex<BTreeMap<(Arc<str>, Arc<str>), Option<Arc<[u8]>>>>>;

/// The writing thread; ends when it is dropped, after what waits is written.
pub(crate) struct Saver {
    waiting: Waiting,
    bell: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Saver {
    /// Starts the thread; `dir` is made if it is missing.
    pub(crate) fn start(dir: PathBuf) -> std::io::Result<Self> {
        fs::create_dir_all(&dir)?;
        let waiting = Waiting::default();
        let (bell, rings) = mpsc::sync_channel::<()>(1);
        let work = waiting.clone();
        let thread = std::thread::Builder::new()
            .name("zc-saver".into())
            .spawn(move || {
                while rings.recv().is_ok() {
                    write_all(&dir, &work);
                }
                write_all(&dir, &work);
            })?;
        Ok(Self {
            waiting,
            bell: Some(bell),
            thread: Some(thread),
        })
    }

    /// One that writes when it is told to: the simulation's.
    #[cfg(feature = "simulation")]
    pub(crate) fn without_thread() -> Self {
        Self {
            waiting: Waiting::default(),
            bell: None,
            thread: None,
        }
    }

    /// Writes what waits into `dir`.
    #[cfg(feature = "simulation")]
    pub(crate) fn write(&self, dir: &Path) {
        write_all(dir, &self.waiting);
    }

    /// Forgets what waits, as if it were written.
    #[cfg(feature = "simulation")]
    pub(crate) fn lose(&self) {
        self.waiting
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
    }

    /// Has a pinned object written, if encoders send it only once.
    pub(crate) fn save(&self, stream: &Arc<str>, path: &Arc<str>, pinned: &Pinned) {
        if pinned.is_sent_once() {
            self.work(stream, path, Some(pinned.body.clone()));
        }
    }

    /// Has what was written under this name removed.
    pub(crate) fn forget(&self, stream: &Arc<str>, path: &Arc<str>) {
        self.work(stream, path, None);
    }

    fn work(&self, stream: &Arc<str>, path: &Arc<str>, body: Option<Arc<[u8]>>) {
        let key = (stream.clone(), path.clone());
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.insert(key, body);
        drop(waiting);
        if let Some(bell) = &self.bell {
            match bell.try_send(()) {
                Ok(()) | Err(TrySendError::Full(()) | TrySendError::Disconnected(())) => {}
            }
        }
    }
}

impl Drop for Saver {
    fn drop(&mut self) {
        self.bell = None;
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

fn write_all(dir: &Path, waiting: &Waiting) {
    let work = std::mem::take(&mut *waiting.lock().unwrap_or_else(PoisonError::into_inner));
    for ((stream, path), body) in work {
        let folder = dir.join(&*stream);
        let done = match body {
            Some(body) => write_one(&folder, &name_of(&path), &body),
            None => remove_one(&folder.join(name_of(&path))),
        };
        if let Err(error) = done {
            tracing::warn!(%stream, %path, %error, "a pinned object could not be saved");
        }
    }
}

fn remove_one(file: &Path) -> std::io::Result<()> {
    match fs::remove_file(file) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        done => done,
    }
}

fn write_one(dir: &Path, name: &str, body: &[u8]) -> std::io::Result<()> {
    fs::create_dir_all(dir)?;
    let partial = dir.join(".partial");
    let mut file = fs::File::create(&partial)?;
    file.write_all(body)?;
    file.sync_data()?;
    fs::rename(&partial, dir.join(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What one run saves the next one loads; media playlists are not kept, and what was
    /// deleted is gone.
    #[test]
    fn saves_and_loads() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let saver = Saver::start(dir.path().join("state")).expect("starts");
        let save = |path: &str, kind, body: &str| {
            let body = body.as_bytes().into();
            let pinned = Pinned {
                kind,
                generation: 1,
                body,
                max_age_ms: 0,
            };
            saver.save(&"news".into(), &path.into(), &pinned);
        };
        save("a/b%2F/init.mp4", Kind::Mp4, "old");
        save("a/b%2F/init.mp4", Kind::Mp4, "new");
        save("deleted.mp4", Kind::Mp4, "deleted");
        save(
            "master.m3u8",
            Kind::HlsPlaylist,
            "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nx",
        );
        save("live.m3u8", Kind::HlsPlaylist, "#EXTM3U\n#EXTINF:2\nx");
        saver.forget(&"news".into(), &"deleted.mp4".into());
        saver.forget(&"news".into(), &"never.mp4".into());
        drop(saver);
        let saved = Saved::load(&dir.path().join("state"), 1 << 20);
        let mut news = saved.of("news");
        news.sort_by(|a, b| a.0.cmp(&b.0));
        let paths: Vec<_> = news
            .iter()
            .map(|(path, kind, _)| (&**path, *kind))
            .collect();
        let wanted = [
            ("a/b%2F/init.mp4", Kind::Mp4),
            ("master.m3u8", Kind::HlsPlaylist),
        ];
        assert_eq!(paths, wanted);
        assert_eq!(&*news[0].2, b"new");
        assert!(saved.of("other").is_empty());
    }
}
