//! Vandals: they send what no client sends, or only half of it, and may never end. Nobody owes
//! them an answer, but their connections must come to an end.

use std::time::Duration;

use zonecast_dataplane::simulation::Door;
use zonecast_io::Time;

use super::actor::{Actor, Next, Stage};
use super::random::Random;
use super::wire::Wire;

/// A connection that does nothing useful must have ended by then.
const ENDS_WITHIN: Duration = Duration::from_secs(120);

/// It reads again, if it had stopped that, so that it sees the end.
const READS_AFTER: Duration = Duration::from_secs(90);

const DOORS: [Door; 4] = [
    Door::Viewer,
    Door::Encoder,
    Door::ViewerTls,
    Door::EncoderTls,
];

/// See the module's description.
pub(crate) struct Vandal {
    random: Random,
    connections: usize,
    wire: Option<Wire>,
    since: Time,
    next_at: Time,
}

impl Vandal {
    pub(crate) fn new(connections: usize, random: Random) -> Self {
        Self {
            random,
            connections,
            wire: None,
            since: Time(0),
            next_at: Time(0),
        }
    }

    /// Some bytes, in one of the ways that are wrong.
    fn mischief(&mut self) -> Vec<u8> {
        let random = &mut self.random;
        let len = random.between(1, 3000);
        match random.below(9) {
            0 => random.bytes(len),
            1 => b"GET /live/a/s2.ts HTTP/1.1\r\nHost: x\r\nX-Half: ".to_vec(),
            2 => b"GET /live/../a HTTP/1.1\r\nHost: x\r\n\r\n".to_vec(),
            3 => format!("GET /{} HTTP/1.1\r\nHost: x\r\n", "a".repeat(len * 4)).into_bytes(),
            4 => b"PUT /live/a/s2.ts HTTP/1.1\r\nHost: x\r\nContent-Length: 99999\r\n\r\n".to_vec(),
            5 => {
                let head =
                    b"PUT /live/a/x.ts HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer secret\r\n\
                    Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n";
                head.to_vec()
            }
            6 => {
                // A record header that promises more than comes.
                let mut record = vec![22, 3, 1, 0x3F, 0xFF, 1];
                record.extend(random.bytes(len));
                record
            }
            7 => {
                let mut record = vec![23, 3, 3, (len >> 8) as u8, len as u8];
                record.extend(random.bytes(len));
                record
            }
            _ => b"GET /live/a/live.m3u8 HTTP/1.1\r\nHost: x\r\n\r\n".repeat(200),
        }
    }
}

impl Actor for Vandal {
    fn act(&mut self, stage: &mut Stage<'_>) -> Result<Next, String> {
        let now = stage.now;
        let Some(wire) = &mut self.wire else {
            if self.connections == 0 || stage.drained {
                return Ok(Next::Done);
            }
            if now >= self.next_at {
                self.connections -= 1;
                let doors = if stage.tls.is_some() { 4 } else { 2 };
                let door = DOORS[self.random.below(doors)];
                let index = self.random.below(8);
                let peer = stage.simulation.connect(index, door);
                self.wire = Some(Wire::new(peer, None));
                self.since = stage.awake;
            }
            return Ok(Next::At(self.next_at));
        };
        wire.turn()?;
        wire.incoming.clear();
        if wire.ended().is_some() {
            self.wire = None;
            self.next_at = now + self.random.up_to_ms(500);
            return Ok(Next::At(self.next_at));
        }
        let age = stage.awake - self.since;
        if age > READS_AFTER {
            wire.peer.resume();
        }
        if age > ENDS_WITHIN {
            return Err("a vandal's connection does not end".into());
        }
        if now < self.next_at || wire.is_busy() {
            return Ok(Next::Whenever);
        }
        self.next_at = now + self.random.up_to_ms(20_000);
        match self.random.below(10) {
            0 => wire.peer.reset(),
            1 => wire.finish(),
            2 => wire.peer.pause(),
            _ => {
                let bytes = self.mischief();
                self.wire.as_mut().expect("connected").write(&bytes);
            }
        }
        Ok(Next::At(self.next_at))
    }
}
