//! One response that is opened: its head is read, its body compared with the object that it
//! must be, as it comes.

use crate::content::{NUMBER_BYTES, Objects};

const HEAD_BYTES_MAX: usize = 8 * 1024;
const FIELDS_MAX: usize = 32;

/// How far a response is.
#[derive(Debug)]
pub(crate) struct Response {
    /// The head so far; then the body's first bytes, until they say which object it is.
    start: Vec<u8>,
    /// The object, once the head was right and the body has begun.
    object: Option<usize>,
    /// Body bytes compared.
    at: usize,
    head_done: bool,
}

impl Response {
    pub(crate) fn new() -> Response {
        Response {
            start: Vec::new(),
            object: None,
            at: 0,
            head_done: false,
        }
    }

    /// The whole object has come.
    pub(crate) fn done(&self, objects: &Objects) -> bool {
        self.object.is_some() && self.at == objects.size()
    }

    /// Compares what came. `asked` is the object that it must be; `None` accepts any.
    pub(crate) fn take(
        &mut self,
        came: &[u8],
        objects: &Objects,
        asked: Option<usize>,
    ) -> Result<(), String> {
        let rest;
        let mut came = came;
        if self.object.is_none() {
            self.start.extend_from_slice(came);
            if !self.head_done && !self.head(objects.size())? {
                return Ok(());
            }
            let Some(number) = self.start.first_chunk::<NUMBER_BYTES>() else {
                return Ok(());
            };
            let claimed = objects.claimed(*number);
            let number = claimed.ok_or("the body begins like no object")?;
            if asked.is_some_and(|asked| asked % objects.count() != number) {
                return Err(format!("object {number} came instead of {asked:?}"));
            }
            self.object = Some(number);
            rest = std::mem::take(&mut self.start);
            came = &rest;
        }
        let object = objects.get(self.object.unwrap_or_default());
        let due = object.get(self.at..self.at + came.len());
        let due = due.ok_or("more bytes than the object has")?;
        if due != came {
            let differs = due.iter().zip(came).position(|(due, came)| due != came);
            let at = self.at + differs.unwrap_or_default();
            return Err(format!("wrong byte at {at} of object {:?}", self.object));
        }
        self.at += came.len();
        Ok(())
    }

    /// Reads the head, if it is all there, and drops it from `start`.
    fn head(&mut self, size: usize) -> Result<bool, String> {
        let mut fields = [httparse::EMPTY_HEADER; FIELDS_MAX];
        let mut head = httparse::Response::new(&mut fields);
        let parsed = head.parse(&self.start);
        let bytes = match parsed.map_err(|error| format!("response head: {error}"))? {
            httparse::Status::Complete(bytes) => bytes,
            httparse::Status::Partial if self.start.len() > HEAD_BYTES_MAX => {
                return Err(format!("a head of more than {HEAD_BYTES_MAX} bytes"));
            }
            httparse::Status::Partial => return Ok(false),
        };
        if head.code != Some(200) {
            return Err(format!("status {:?} instead of 200", head.code));
        }
        let named = |name: &str| {
            let field = head
                .headers
                .iter()
                .find(|f| f.name.eq_ignore_ascii_case(name));
            field.and_then(|field| std::str::from_utf8(field.value).ok())
        };
        let length = named("content-length").and_then(|length| length.trim().parse().ok());
        if length != Some(size) {
            return Err(format!("Content-Length {length:?} instead of {size}"));
        }
        if named("connection").is_some_and(|value| value.eq_ignore_ascii_case("close")) {
            return Err("the server will not keep the connection".to_owned());
        }
        self.start.drain(..bytes);
        self.head_done = true;
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn wire(objects: &Objects, number: usize) -> Vec<u8> {
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n",
            objects.size()
        );
        [head.as_bytes(), objects.get(number)].concat()
    }

    /// A right response is done at its last byte, in whatever pieces it comes.
    #[test]
    fn a_right_one_is_done_at_its_last_byte() {
        let objects = Objects::make(1, 2, 300);
        let wire = wire(&objects, 1);
        for piece in [1, 7, 64, wire.len()] {
            let mut response = Response::new();
            for came in wire.chunks(piece) {
                assert!(!response.done(&objects));
                response.take(came, &objects, Some(3)).unwrap();
            }
            assert!(response.done(&objects));
        }
    }

    /// Every wrong byte, another object, a status and a length that are not due: all are found.
    #[test]
    fn a_wrong_one_is_found() {
        let objects = Objects::make(1, 2, 300);
        let right = wire(&objects, 1);
        let take = |wire: &[u8], asked| Response::new().take(wire, &objects, asked);
        assert!(take(&right, Some(1)).is_ok());
        assert!(take(&right, None).is_ok());
        assert!(take(&right, Some(0)).is_err());
        let head = right.len() - objects.size();
        for at in head..right.len() {
            let mut wrong = right.clone();
            wrong[at] ^= 0x40;
            assert!(take(&wrong, Some(1)).is_err(), "byte {at}");
        }
        let long = [right.as_slice(), b"x"].concat();
        assert!(take(&long, Some(1)).is_err());
        let text = String::from_utf8_lossy(&right[..head]).into_owned();
        for other in [
            text.replace("200", "404"),
            text.replace("300", "299"),
            text.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n"),
        ] {
            let wire = [other.as_bytes(), objects.get(1)].concat();
            assert!(take(&wire, Some(1)).is_err(), "{other}");
        }
    }
}
