//! Answers: which bytes come next, sealed or plain.

use zonecast_dataplane::tls::Session;

use super::memory::Memory;

/// What all connections answer with.
pub(super) struct Answers {
    memory: Memory,
    heads: Vec<Vec<u8>>,
    /// Plaintext bytes of one send.
    send_bytes: usize,
    /// Bytes that a send buffer must have.
    buffer_bytes: usize,
}

/// How far one answer is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Answer {
    object: usize,
    head_sent: bool,
    at: usize,
}

/// The plaintext of a send: a head, which may be empty, and a piece of an object.
pub(super) type Pieces<'a> = [&'a [u8]; 2];

impl Answers {
    pub(super) fn new(memory: Memory, records: usize) -> Answers {
        let head = |number| {
            format!(
                "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\n\
                 Content-Length: {}\r\n\r\n",
                memory.get(number).len()
            )
            .into_bytes()
        };
        Answers {
            heads: (0..memory.count()).map(head).collect(),
            memory,
            send_bytes: records * Session::PLAINTEXT_MAX,
            buffer_bytes: records * (Session::PLAINTEXT_MAX + Session::OVERHEAD_MAX),
        }
    }

    pub(super) fn buffer_bytes(&self) -> usize {
        self.buffer_bytes
    }

    pub(super) fn begin(&self, object: usize) -> Answer {
        Answer {
            object: object % self.memory.count(),
            head_sent: false,
            at: 0,
        }
    }

    /// Seals the next send into `out`: how many bytes, and whether the answer ends with it.
    pub(super) fn seal(
        &self,
        answer: &mut Answer,
        session: &mut Session,
        out: &mut [u8],
    ) -> anyhow::Result<(usize, bool)> {
        let (mut filled, mut plain) = (0, 0);
        while plain < self.send_bytes {
            let room = Session::PLAINTEXT_MAX.min(self.send_bytes - plain);
            let pieces = self.next(answer, room);
            let bytes = pieces[0].len() + pieces[1].len();
            let sealed = match pieces {
                [[], body] => session.seal(&[body], &mut out[filled..]),
                pieces => session.seal(&pieces, &mut out[filled..]),
            };
            filled += sealed?;
            plain += bytes;
            self.take(answer, bytes);
            if self.ended(answer) {
                return Ok((filled, true));
            }
        }
        Ok((filled, false))
    }

    /// The next send in plain; the caller takes what the socket took.
    pub(super) fn plain(&self, answer: &Answer) -> Pieces<'_> {
        self.next(answer, self.send_bytes)
    }

    /// So many bytes of the answer are done with; the first send has all of the head.
    pub(super) fn take(&self, answer: &mut Answer, bytes: usize) {
        let head = match answer.head_sent {
            true => 0,
            false => self.heads[answer.object].len(),
        };
        answer.at += bytes.saturating_sub(head);
        answer.head_sent |= bytes >= head;
    }

    pub(super) fn ended(&self, answer: &Answer) -> bool {
        answer.head_sent && answer.at == self.memory.get(answer.object).len()
    }

    fn next(&self, answer: &Answer, room: usize) -> Pieces<'_> {
        let head: &[u8] = match answer.head_sent {
            true => &[],
            false => &self.heads[answer.object],
        };
        let rest = &self.memory.get(answer.object)[answer.at..];
        [head, &rest[..rest.len().min(room - head.len())]]
    }
}
