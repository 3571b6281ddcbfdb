//! Encoders: each uploads objects one after another, in pieces, and breaks off at times.

use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use zonecast_dataplane::simulation::Door;
use zonecast_io::Time;

use super::actor::{Actor, Next, Stage};
use super::objects::{CREDENTIALS, body, pieces};
use super::random::Random;
use super::response::take_head;
use super::upload::{Ending, Upload, What, is_chunked, judge};
use super::wire::Wire;

/// Nothing may happen on a connection for so long.
const QUIET_MAX: Duration = Duration::from_secs(60);

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
    /// Of a hundred uploads, how many begin before the one before is answered.
    pub(crate) ahead_percent: usize,
    /// Pauses between pieces.
    pub(crate) pause_ms: usize,
    /// It tells the book something other than it sends: for a canary.
    pub(crate) lies: bool,
}

/// See the module's description.
pub(crate) struct Encoder {
    plan: EncoderPlan,
    random: Random,
    wire: Option<Wire>,
    /// The last of them may still be sent; all wait for their answers.
    uploads: VecDeque<Upload>,
    next_at: Time,
    /// When something last happened, in time awake.
    life: Time,
}

impl Encoder {
    pub(crate) fn new(plan: EncoderPlan, random: Random) -> Self {
        Self {
            plan,
            random,
            wire: None,
            uploads: VecDeque::new(),
            next_at: Time(0),
            life: Time(0),
        }
    }

    fn begin(&mut self, stage: &mut Stage<'_>) {
        self.plan.objects -= 1;
        let random = &mut self.random;
        let path = self.plan.names[random.below(self.plan.names.len())].clone();
        if random.percent(self.plan.deletes_percent) {
            let times = random.pick(&[1, 1, 1, 40]);
            (0..times).for_each(|_| self.delete(stage, &path));
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
            use Ending::{Finish, Garbage, Reset, Silence};
            ending = random.pick(&[Reset, Finish, Silence, Garbage]);
            let sealed = self.plan.door == Door::EncoderTls;
            if ending == Garbage && !sealed && !is_chunked(&pieces) {
                // It would be as good a body as any.
                ending = Finish;
            }
            pieces.truncate(1 + random.below(pieces.len() - 1));
        }
        stage.note(|| {
            format!(
                "{:?} {ending:?}: PUT {path}, {} bytes",
                self.plan.door,
                body.len()
            )
        });
        self.uploads.push_back(Upload {
            what: What::Upload(number),
            pieces: pieces.into_iter(),
            ending,
            done: false,
        });
    }

    fn delete(&mut self, stage: &mut Stage<'_>, path: &Rc<str>) {
        let deletes = &mut stage.book.past.deletes;
        deletes.push((path.clone(), stage.now, None));
        let number = deletes.len() - 1;
        let head = format!("DELETE {path} HTTP/1.1\r\n{CREDENTIALS}\r\n");
        stage.note(|| format!("DELETE {path}"));
        let wire = self.wire.as_mut().expect("connected");
        wire.write(head.as_bytes());
        self.uploads.push_back(Upload {
            what: What::Delete(number),
            pieces: Vec::new().into_iter(),
            ending: Ending::Whole,
            done: true,
        });
    }

    fn go_on(&mut self, stage: &mut Stage<'_>) {
        let (Some(upload), Some(wire)) = (self.uploads.back_mut(), &mut self.wire) else {
            return;
        };
        if upload.done || wire.is_busy() || stage.now < self.next_at {
            return;
        }
        self.life = stage.awake;
        if let Some(piece) = upload.pieces.next() {
            wire.write(&piece);
            if self.random.percent(3) && wire.update_keys() {
                stage.see("an encoder changes its key");
            }
            self.next_at = stage.now + self.random.up_to_ms(self.plan.pause_ms);
            if upload.pieces.len() > 0 || upload.ending != Ending::Whole {
                return;
            }
            if let What::Upload(number) = upload.what {
                stage.book.upload_mut(number).ended = Some(stage.now);
            }
        }
        upload.done = true;
        match upload.ending {
            Ending::Whole if self.random.percent(self.plan.leaves_percent) => wire.finish(),
            Ending::Whole => {}
            Ending::Silence => stage.see("an upload that falls silent"),
            Ending::Finish => wire.finish(),
            Ending::Reset => wire.peer.reset(),
            Ending::Garbage => {
                stage.see("an upload that ends in garbage");
                let mut garbage = self.random.bytes(200);
                garbage[..2].copy_from_slice(b"zz");
                wire.spoil(&garbage);
            }
        }
    }

    fn hear(&mut self, stage: &mut Stage<'_>) -> Result<(), String> {
        let Some(wire) = &mut self.wire else {
            return Ok(());
        };
        let mut keeps = true;
        while let Some(response) = take_head(&mut wire.incoming, false)? {
            self.life = stage.awake;
            let Some(upload) = self.uploads.pop_front() else {
                // Whatever is not understood is answered, too.
                if wire.is_spoiled() || response.status == 408 {
                    break;
                }
                return Err("an answer to nothing".into());
            };
            keeps &= response.keeps() && upload.done;
            judge(stage, &upload, &response)?;
        }
        if wire.ended().is_some() || !keeps {
            self.let_go(stage);
        }
        Ok(())
    }

    fn let_go(&mut self, stage: &mut Stage<'_>) {
        self.wire = None;
        self.uploads.clear();
        self.next_at = stage.now + self.random.up_to_ms(200);
    }

    /// Whether it begins with something new now.
    fn wants_more(&mut self) -> bool {
        match self.uploads.back() {
            None => true,
            Some(last) => {
                let whole = last.done && last.ending == Ending::Whole;
                whole && self.uploads.len() < 4 && self.random.percent(self.plan.ahead_percent)
            }
        }
    }
}

impl Actor for Encoder {
    fn act(&mut self, stage: &mut Stage<'_>) -> Result<Next, String> {
        if let Some(wire) = &mut self.wire {
            wire.turn()?;
            self.hear(stage)?;
        }
        if self.wire.is_some() && stage.awake - self.life > QUIET_MAX {
            return Err("an encoder was never told, and its connection does not end".into());
        }
        if self.wants_more() {
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
            if self.wire.is_some() && self.uploads.is_empty() && self.random.percent(30) {
                self.wire = None;
            }
            if self.wire.is_none() {
                self.wire = Some(stage.connect(self.plan.index, self.plan.door));
                self.life = stage.awake;
            }
            self.begin(stage);
        }
        self.go_on(stage);
        if let Some(wire) = &mut self.wire {
            wire.turn()?;
        }
        let idle = self.uploads.back().is_none_or(|upload| upload.done);
        Ok(if idle || self.next_at <= stage.now {
            Next::Whenever
        } else {
            Next::At(self.next_at)
        })
    }
}
