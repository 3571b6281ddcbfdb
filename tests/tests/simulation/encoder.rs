//! Encoders: each uploads objects one after another, in pieces, and breaks off at times.

use std::rc::Rc;

use zonecast_dataplane::simulation::Door;
use zonecast_io::Time;

use super::actor::{Actor, Next, Stage};
use super::book::UploadNumber;
use super::objects::{CREDENTIALS, body, pieces};
use super::random::Random;
use super::response::take_head;
use super::wire::Wire;

/// What an encoder does.
#[derive(Clone, Debug)]
pub(crate) struct EncoderPlan {
    pub(crate) door: Door,
    pub(crate) index: usize,
    /// The names it uploads to, again and again.
    pub(crate) names: Rc<[Rc<str>]>,
    pub(crate) objects: usize,
    pub(crate) bytes_max: usize,
    /// Of a hundred uploads, how many are cut in the middle, or fall silent.
    pub(crate) cuts_percent: usize,
    /// Of a hundred, how many are names deleted instead.
    pub(crate) deletes_percent: usize,
    /// Of a hundred answers, how many are never read.
    pub(crate) leaves_percent: usize,
    /// Pauses between pieces.
    pub(crate) pause_ms: usize,
    /// It tells the book something other than it sends: for a canary.
    pub(crate) lies: bool,
}

/// How an upload ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    /// With its final byte.
    Whole,
    /// With a reset.
    Reset,
    /// With the end of the connection.
    Finish,
    /// By silence.
    Silence,
}

/// An upload under way.
struct Upload {
    /// `None` for a DELETE, and for what the book knows nothing of.
    number: Option<UploadNumber>,
    pieces: std::vec::IntoIter<Vec<u8>>,
    ending: Ending,
    done: bool,
}

/// See the module's description.
pub(crate) struct Encoder {
    plan: EncoderPlan,
    random: Random,
    wire: Option<Wire>,
    upload: Option<Upload>,
    next_at: Time,
}

impl Encoder {
    pub(crate) fn new(plan: EncoderPlan, random: Random) -> Self {
        Self {
            plan,
            random,
            wire: None,
            upload: None,
            next_at: Time(0),
        }
    }

    fn begin(&mut self, stage: &mut Stage<'_>) {
        self.plan.objects -= 1;
        let random = &mut self.random;
        let path = self.plan.names[random.below(self.plan.names.len())].clone();
        if random.percent(self.plan.deletes_percent) {
            let head = format!("DELETE {path} HTTP/1.1\r\n{CREDENTIALS}\r\n");
            self.upload = Some(Upload {
                number: None,
                pieces: vec![head.into_bytes()].into_iter(),
                ending: Ending::Whole,
                done: false,
            });
            return;
        }
        let body = body(random, &path, self.plan.bytes_max);
        let mut told = body.clone();
        if self.plan.lies {
            told[0] ^= 1;
        }
        let number = stage.book.begin(path.clone(), told, stage.now);
        let mut pieces = pieces(random, &path, &body);
        let mut ending = Ending::Whole;
        if random.percent(self.plan.cuts_percent) {
            ending = random.pick(&[Ending::Reset, Ending::Finish, Ending::Silence]);
            pieces.truncate(1 + random.below(pieces.len() - 1));
        }
        self.upload = Some(Upload {
            number: Some(number),
            pieces: pieces.into_iter(),
            ending,
            done: false,
        });
    }

    fn go_on(&mut self, stage: &mut Stage<'_>) {
        let (Some(upload), Some(wire)) = (&mut self.upload, &mut self.wire) else {
            return;
        };
        if upload.done || wire.is_busy() || stage.now < self.next_at {
            return;
        }
        if let Some(piece) = upload.pieces.next() {
            wire.write(&piece);
            if self.random.percent(3) {
                wire.update_keys();
            }
            self.next_at = stage.now + self.random.up_to_ms(self.plan.pause_ms);
            if upload.pieces.len() > 0 || upload.ending != Ending::Whole {
                return;
            }
            if let Some(number) = upload.number {
                stage.book.upload_mut(number).ended = Some(stage.now);
            }
        }
        upload.done = true;
        match upload.ending {
            Ending::Whole if self.random.percent(self.plan.leaves_percent) => wire.finish(),
            Ending::Whole | Ending::Silence => {}
            Ending::Finish => wire.finish(),
            Ending::Reset => wire.peer.reset(),
        }
    }

    fn hear(&mut self, stage: &mut Stage<'_>) -> Result<(), String> {
        let Some(wire) = &mut self.wire else {
            return Ok(());
        };
        let mut keeps = true;
        while let Some(response) = take_head(&mut wire.incoming, false)? {
            let upload = self.upload.take().ok_or("an answer to nothing")?;
            let status = response.status;
            let expected = match upload.number {
                _ if status == 403 => stage.reloaded,
                None => matches!(status, 204 | 503),
                Some(_) => matches!(status, 201 | 204 | 412 | 408 | 413 | 503),
            };
            if !expected {
                return Err(format!("an encoder was told {}", response.head));
            }
            if let Some(number) = upload.number {
                let is_early = !upload.done && matches!(status, 201 | 204 | 412);
                if is_early || (upload.ending != Ending::Whole && status < 400) {
                    return Err(format!("{status} to an upload that did not end"));
                }
                stage.book.upload_mut(number).answer = Some((stage.now, status));
            }
            keeps &= response.keeps() && upload.done;
        }
        if wire.ended().is_some() || !keeps {
            self.wire = None;
            self.upload = None;
            self.next_at = stage.now + self.random.up_to_ms(200);
        }
        Ok(())
    }
}

impl Actor for Encoder {
    fn act(&mut self, stage: &mut Stage<'_>) -> Result<Next, String> {
        if let Some(wire) = &mut self.wire {
            wire.turn()?;
            self.hear(stage)?;
        }
        if self.upload.is_none() {
            if stage.now < self.next_at {
                return Ok(Next::At(self.next_at));
            }
            if self.plan.objects == 0 || (stage.drained && self.wire.is_none()) {
                let Some(wire) = &mut self.wire else {
                    return Ok(Next::Done);
                };
                wire.finish();
                wire.turn()?;
                return Ok(Next::Whenever);
            }
            if self.wire.is_some() && self.random.percent(30) {
                self.wire = None;
            }
            if self.wire.is_none() {
                self.wire = Some(stage.connect(self.plan.index, self.plan.door));
            }
            self.begin(stage);
        }
        self.go_on(stage);
        if let Some(wire) = &mut self.wire {
            wire.turn()?;
        }
        let idle = self.upload.as_ref().is_none_or(|upload| upload.done);
        Ok(if idle || self.next_at <= stage.now {
            Next::Whenever
        } else {
            Next::At(self.next_at)
        })
    }
}
