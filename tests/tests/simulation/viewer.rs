//! Viewers: each asks for some objects on one connection after another, reads in its own way,
//! and has the book judge all that it gets.

use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use zonecast_dataplane::simulation::Door;
use zonecast_io::Time;

use super::actor::{Actor, Next, Stage};
use super::manner::Manner;
use super::random::Random;
use super::request::{Request, range};
use super::response::{Response, take_body, take_head};
use super::wire::{Ended, Wire};

/// Nothing may come for so long while an answer is owed.
const QUIET_MAX: Duration = Duration::from_secs(60);

/// What a viewer does.
#[derive(Clone, Debug)]
pub(crate) struct ViewerPlan {
    pub(crate) door: Door,
    pub(crate) index: usize,
    /// Names that it asks for besides those that it hears of.
    pub(crate) names: Rc<[Rc<str>]>,
    pub(crate) connections: usize,
    pub(crate) requests: usize,
    /// Requests under way at once.
    pub(crate) pipelined: usize,
    /// Of a hundred connections, how many are used in another way than the usual.
    pub(crate) manners_percent: usize,
    /// Methods and tags other than the usual.
    pub(crate) is_odd: bool,
    /// Of a hundred requests, how many are of a range.
    pub(crate) range_percent: usize,
    /// Of a hundred requests, how many are of HTTP/1.0.
    pub(crate) http10_percent: usize,
}

/// See the module's description.
pub(crate) struct Viewer {
    plan: ViewerPlan,
    random: Random,
    wire: Option<Wire>,
    waiting: VecDeque<Request>,
    response: Option<Response>,
    to_send: usize,
    manner: Manner,
    /// When the connection last showed life, and its bytes then.
    life: (Time, u64),
    next_at: Time,
    last_tag: Option<(Rc<str>, String)>,
}

impl Viewer {
    pub(crate) fn new(plan: ViewerPlan, random: Random) -> Self {
        Self {
            plan,
            random,
            wire: None,
            waiting: VecDeque::new(),
            response: None,
            to_send: 0,
            manner: Manner::Usual,
            life: (Time(0), 0),
            next_at: Time(0),
            last_tag: None,
        }
    }

    fn connect(&mut self, stage: &mut Stage<'_>) {
        let mut wire = stage.connect(self.plan.index, self.plan.door);
        let now = stage.now;
        self.plan.connections -= 1;
        self.to_send = self.random.between(1, self.plan.requests);
        if self.random.percent(self.plan.manners_percent) {
            self.manner = Manner::some(&mut self.random, now);
            self.manner.begin(stage, &mut wire);
        }
        self.life = (stage.awake, 0);
        self.wire = Some(wire);
    }

    fn ask(&mut self, stage: &mut Stage<'_>) {
        let choice = self.random.below(1000);
        let known = stage.book.some_path(choice);
        let names = &self.plan.names;
        let path = match known {
            Some(path) if self.random.percent(70) => path,
            _ => names[choice % names.len()].clone(),
        };
        let odd = |random: &mut Random, percent| self.plan.is_odd && random.percent(percent);
        let random = &mut self.random;
        let tag = self.last_tag.clone().filter(|(of, _)| *of == path);
        let mut request = Request {
            path,
            asked: stage.now,
            head_only: odd(random, 10),
            http10: random.percent(self.plan.http10_percent),
            range: random
                .percent(self.plan.range_percent)
                .then(|| range(random)),
            tag: tag.filter(|_| odd(random, 50)).map(|(_, tag)| tag),
        };
        if request.tag.is_some() {
            request.range = None;
        }
        let text = request.text(matches!(self.plan.door, Door::Encoder | Door::EncoderTls));
        let updates = self.random.percent(10);
        let wire = self.wire.as_mut().expect("connected");
        wire.write(text.as_bytes());
        stage.note(|| format!("{:?}: {request:?}", self.plan.door));
        if updates && wire.update_keys() {
            stage.see("a viewer changes its key");
        }
        self.waiting.push_back(request);
        self.to_send -= 1;
    }

    /// Takes what has come: any number of responses.
    fn take(&mut self, stage: &mut Stage<'_>, ended: Option<Ended>) -> Result<(), String> {
        let wire = self.wire.as_mut().expect("connected");
        while let Some(request) = self.waiting.front() {
            if self.response.is_none() {
                self.response = take_head(&mut wire.incoming, request.head_only)?;
            }
            let Some(response) = &mut self.response else {
                break;
            };
            take_body(response, &mut wire.incoming, ended)?;
            if !response.complete && ended.is_none() {
                break;
            }
            let response = self.response.take().expect("it was just there");
            let request = self.waiting.pop_front().expect("it was just there");
            let excused = response.status == 403 && stage.reloaded;
            if excused || (response.status == 400 && wire.is_spoiled()) {
                continue;
            }
            stage.judge(&request, &response)?;
            let tag = response.field("ETag").map(str::to_owned);
            self.last_tag = tag.map(|tag| (request.path.clone(), tag));
            if request.http10 || !response.keeps() {
                self.to_send = 0;
            }
        }
        let rest = wire.incoming.len();
        // The end of a connection that was to be closed takes the pipelined requests with it; a
        // head that is cut is of no use, and a timeout may answer what was never asked.
        let timed_out = wire.incoming.starts_with(b"HTTP/1.1 408 ");
        if self.waiting.is_empty() && rest > 0 && !timed_out && !wire.is_spoiled() {
            return Err(format!("{rest} bytes that nobody asked for"));
        }
        Ok(())
    }

    fn let_go(&mut self, now: Time) {
        self.wire = None;
        self.waiting.clear();
        self.response = None;
        self.to_send = 0;
        self.manner = Manner::Usual;
        self.next_at = now + self.random.up_to_ms(300);
    }

    /// An owed answer must come, or the connection end.
    fn check_patience(&mut self, now: Time) -> Result<(), String> {
        let wire = self.wire.as_ref().expect("connected");
        let owed = !self.waiting.is_empty() && !self.manner.is_patient();
        if wire.received != self.life.1 || !owed {
            self.life = (now, wire.received);
        }
        if now - self.life.0 > QUIET_MAX {
            let (waits, got) = (&self.waiting[0], wire.received);
            return Err(format!("never answered: {waits:?} after {got} bytes"));
        }
        Ok(())
    }
}

impl Actor for Viewer {
    fn act(&mut self, stage: &mut Stage<'_>) -> Result<Next, String> {
        let now = stage.now;
        if self.wire.is_none() {
            if self.plan.connections == 0 || stage.drained {
                return Ok(Next::Done);
            }
            if now < self.next_at {
                return Ok(Next::At(self.next_at));
            }
            self.connect(stage);
        }
        let wire = self.wire.as_mut().expect("connected");
        let owed = !self.waiting.is_empty();
        if self.manner.go_on(stage, wire, owed, &mut self.random) {
            self.let_go(now);
            return Ok(Next::At(self.next_at));
        }
        if wire.is_silent() {
            self.to_send = 0;
        }
        wire.turn()?;
        if self.plan.door == Door::ViewerTls {
            stage.book.opened += wire.take_opened();
        }
        let ended = wire.ended();
        self.take(stage, ended)?;
        if ended.is_some() {
            self.let_go(now);
            return Ok(Next::At(self.next_at));
        }
        let most = self.manner.pipelined().unwrap_or(self.plan.pipelined);
        while self.to_send > 0 && self.waiting.len() < most {
            self.ask(stage);
        }
        let wire = self.wire.as_mut().expect("connected");
        if self.to_send == 0 && (self.waiting.is_empty() || self.manner.is_half()) {
            wire.finish();
        }
        wire.turn()?;
        if self.plan.door == Door::ViewerTls {
            stage.book.opened += wire.take_opened();
        }
        self.check_patience(stage.awake)?;
        Ok(self.manner.next())
    }
}
