//! The audit: when all have gone and nothing goes wrong any more, somebody asks every loop for
//! everything that ever was. Each answer must come soon, be whole, and be true.

use std::collections::{BTreeSet, VecDeque};
use std::rc::Rc;
use std::time::Duration;

use zonecast_dataplane::simulation::Door;

use super::actor::{Actor, Next, Stage};
use super::request::Request;
use super::response::{Response, take_body, take_head};
use super::wire::Wire;

/// An answer must be complete by then: an object that may still come is waited for.
const SOON: Duration = Duration::from_secs(6);

/// See the module's description.
pub(crate) struct Auditor {
    index: usize,
    paths: Option<VecDeque<Rc<str>>>,
    wire: Option<Wire>,
    asked: Option<Request>,
    response: Option<Response>,
}

impl Auditor {
    pub(crate) fn new(index: usize) -> Self {
        Self {
            index,
            paths: None,
            wire: None,
            asked: None,
            response: None,
        }
    }

    /// Asks for the next path; false when there is none.
    fn ask(&mut self, stage: &mut Stage<'_>) -> Result<bool, String> {
        let paths = self.paths.get_or_insert_with(|| {
            let paths = stage.book.uploads.iter().map(|upload| upload.path.clone());
            BTreeSet::from_iter(paths).into_iter().collect()
        });
        let Some(path) = paths.pop_front() else {
            return Ok(false);
        };
        let request = Request {
            path,
            asked: stage.now,
            head_only: false,
            http10: false,
            range: None,
            tag: None,
        };
        let connect = || stage.connect(self.index, Door::Viewer);
        let wire = self.wire.get_or_insert_with(connect);
        wire.write(request.text(false).as_bytes());
        wire.turn()?;
        self.asked = Some(request);
        Ok(true)
    }
}

impl Actor for Auditor {
    fn act(&mut self, stage: &mut Stage<'_>) -> Result<Next, String> {
        loop {
            let Some(request) = &self.asked else {
                if self.ask(stage)? {
                    continue;
                }
                self.wire = None;
                return Ok(Next::Done);
            };
            let due = request.asked + SOON;
            let wire = self.wire.as_mut().expect("connected");
            wire.turn()?;
            if self.response.is_none() {
                self.response = take_head(&mut wire.incoming, false)?;
            }
            if let Some(response) = &mut self.response {
                take_body(response, &mut wire.incoming, None)?;
            }
            if !self
                .response
                .as_ref()
                .is_some_and(|response| response.complete)
            {
                if wire.ended().is_some() {
                    return Err(format!("cut off without a fault: {request:?}"));
                }
                let late = || format!("not answered soon: {request:?}");
                return if stage.now > due {
                    Err(late())
                } else {
                    Ok(Next::At(due + Duration::from_nanos(1)))
                };
            }
            let (Some(request), Some(response)) = (self.asked.take(), self.response.take()) else {
                continue;
            };
            stage.judge(&request, &response)?;
            if response.status == 503 {
                return Err(format!("503 when all is quiet: {request:?}"));
            }
            stage.see("audited");
            if !response.keeps() {
                self.wire = None;
            }
        }
    }
}

/// One for every loop.
pub(crate) fn auditors(loops: usize) -> impl Iterator<Item = Box<dyn Actor>> {
    (0..loops).map(|index| Box::new(Auditor::new(index)) as Box<dyn Actor>)
}
