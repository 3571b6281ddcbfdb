//! What encoders have said and been told, and whether what a viewer got can be true.
//!
//! The book knows no order of events inside the pipeline, only moments at its edge. So it
//! refuses what cannot have been: bytes of no generation, a complete response of an upload that
//! never ended, a generation that was certainly replaced before the request began.

use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;
use std::time::Duration;

use zonecast_io::Time;

use super::missing::Past;
use super::request::Request;
use super::response::Response;

/// One upload of one name: a generation, if it was taken.
pub(crate) struct Upload {
    pub(crate) path: Rc<str>,
    pub(crate) bytes: Vec<u8>,
    /// When its head was handed to the connection.
    pub(crate) begun: Time,
    /// When its final byte was.
    pub(crate) ended: Option<Time>,
    /// What the encoder was told, and when.
    pub(crate) answer: Option<(Time, u16)>,
}

/// A number of an upload in the book.
pub(crate) type UploadNumber = usize;

/// See the module's description.
#[derive(Default)]
pub(crate) struct Book {
    pub(crate) uploads: Vec<Upload>,
    /// What may have ended an object.
    pub(crate) past: Past,
    /// By the tag of a path: the bytes it stood for.
    tags: HashMap<(Rc<str>, String), UploadNumber>,
    /// What viewers were answered, by status.
    pub(crate) answers: BTreeMap<u16, u64>,
    /// Bodies that viewers got whole, and not whole.
    pub(crate) bodies: u64,
    pub(crate) cuts: u64,
    /// Bytes that viewers opened of TLS records.
    pub(crate) opened: u64,
    /// What was worth seeing, and how often.
    pub(crate) seen: BTreeMap<&'static str, u64>,
    /// Answers to encoders, by status.
    pub(crate) told: BTreeMap<u16, u64>,
    /// Names that had been taken, and were not there any more.
    pub(crate) lost: u64,
    /// The longest time from when a body was asked for, and all there, to its last byte.
    pub(crate) late: Duration,
}

impl Upload {
    /// It was told to be taken.
    pub(crate) fn taken(&self) -> Option<Time> {
        self.answer
            .filter(|(_, status)| matches!(status, 201 | 204 | 412))
            .map(|(at, _)| at)
    }
}

impl Book {
    pub(crate) fn begin(&mut self, path: Rc<str>, bytes: Vec<u8>, now: Time) -> UploadNumber {
        self.uploads.push(Upload {
            path,
            bytes,
            begun: now,
            ended: None,
            answer: None,
        });
        self.uploads.len() - 1
    }

    pub(crate) fn upload_mut(&mut self, number: UploadNumber) -> &mut Upload {
        &mut self.uploads[number]
    }

    /// A name that was, or is being, uploaded.
    pub(crate) fn some_path(&self, choice: usize) -> Option<Rc<str>> {
        let recent = self.uploads.iter().rev().take(12);
        let recent: Vec<_> = recent.map(|upload| &upload.path).collect();
        (!recent.is_empty()).then(|| recent[choice % recent.len()].clone())
    }

    /// Uploads that were taken.
    pub(crate) fn taken(&self) -> usize {
        self.uploads.iter().filter_map(Upload::taken).count()
    }

    /// Whether an answer to `request`, all that will come of it, can be true.
    ///
    /// # Errors
    /// Why not.
    pub(crate) fn judge(
        &mut self,
        request: &Request,
        response: &Response,
        now: Time,
        stepped_over: impl FnOnce() -> bool,
    ) -> Result<(), String> {
        *self.answers.entry(response.status).or_default() += 1;
        if !request.head_only && matches!(response.status, 200 | 206) {
            let whole = u64::from(response.complete);
            self.bodies += whole;
            self.cuts += 1 - whole;
        }
        if matches!(response.status, 404 | 410) && self.was_there(request) {
            self.lost += 1;
            let missing = self.judge_missing(request, now);
            if missing.is_err() && !stepped_over() {
                return missing;
            }
        }
        let what = || format!("{request:?} was answered {}", response.head);
        match response.status {
            200 | 206 => self.judge_body(request, response, now).map_err(|why| {
                let (len, complete) = (response.body.len(), response.complete);
                format!("{why}: {}{len} bytes, complete: {complete}", what())
            }),
            304 if request.tag.is_some() => Ok(()),
            404 | 408 | 410 | 416 | 503 if response.body.is_empty() => Ok(()),
            _ => Err(what()),
        }
    }

    fn judge_body(
        &mut self,
        request: &Request,
        response: &Response,
        now: Time,
    ) -> Result<(), String> {
        let from = match response.field("Content-Range") {
            Some(range) => range_start(range).ok_or_else(|| format!("range {range:?}"))?,
            None => 0,
        };
        let whole = response.status == 200;
        let mut best = "no such bytes were ever uploaded";
        let mut found = None;
        for (number, upload) in self.uploads.iter().enumerate() {
            if upload.path != request.path || upload.begun > now {
                continue;
            }
            let bytes = upload.bytes.get(from..).unwrap_or_default();
            if request.head_only {
                let length = response.field("Content-Length");
                let of_this = upload.bytes.len().to_string();
                if length.is_some_and(|length| length != of_this) && whole {
                    continue;
                }
            } else if !bytes.starts_with(&response.body) {
                continue;
            }
            let ends = response.body.len() == bytes.len() && upload.ended.is_some()
                || response.until_close() && self.past.killed_since(request.asked);
            if response.complete && whole && !request.head_only && !ends {
                best = "it looks complete and is not";
                continue;
            }
            if self.is_stale(upload, request.asked) {
                best = "it was replaced before it was asked for";
                continue;
            }
            found = Some(number);
        }
        let number = found.ok_or_else(|| format!("{best} ({})", self.history(&request.path)))?;
        match response.field("ETag") {
            Some(tag) if response.complete && whole && !request.head_only => {
                let there = self.uploads[number].ended.unwrap_or(now).max(request.asked);
                self.late = self.late.max(now - there);
                let key = (request.path.clone(), tag.to_owned());
                let first = *self.tags.entry(key).or_insert(number);
                if self.uploads[first].bytes != self.uploads[number].bytes {
                    return Err(format!("tag {tag} stands for two bodies"));
                }
                Ok(())
            }
            Some(_) => Ok(()),
            None => Err("no tag".into()),
        }
    }

    /// What became of a name, in milliseconds.
    pub(super) fn history(&self, path: &str) -> String {
        let ms = |time: Time| time.0 / 1_000_000;
        let of_path = self.uploads.iter().filter(|upload| &*upload.path == path);
        let lines: Vec<String> = of_path
            .map(|upload| {
                let (begun, ended) = (ms(upload.begun), upload.ended.map(ms));
                let answer = upload.answer.map(|(at, status)| (ms(at), status));
                let len = upload.bytes.len();
                format!("{len} bytes {begun}..{ended:?} {answer:?}")
            })
            .collect();
        lines.join("; ")
    }

    /// Another upload of the name began when this one was taken, and was taken before `asked`, and
    /// no kill has made that undone.
    fn is_stale(&self, upload: &Upload, asked: Time) -> bool {
        let Some(taken) = upload.taken() else {
            return false;
        };
        self.uploads.iter().any(|other| {
            let replaced = other.path == upload.path && other.begun > taken;
            replaced && self.past.outlived(other) && other.taken().is_some_and(|at| at < asked)
        })
    }
}

fn range_start(field: &str) -> Option<usize> {
    field
        .strip_prefix("bytes ")?
        .split('-')
        .next()?
        .parse()
        .ok()
}
