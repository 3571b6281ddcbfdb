//! What a viewer got, compared with what the ledger says, in bytes and in time.

use super::{Follower, Judgement, Kind, Response, Viewer, key_of};
use crate::ledger::hex;

impl Viewer {
    pub(super) fn judge(&self, path: &str, response: &Response) {
        let key = key_of(path).unwrap_or_default();
        let Response {
            sha256,
            length,
            asked,
            last_byte,
            ..
        } = response;
        match self.ledger.judge(key, sha256, *length, *asked, *last_byte) {
            Judgement::Right { .. } => {}
            wrong => self.report(path, response, wrong),
        }
    }

    pub(super) fn report(&self, path: &str, response: &Response, judgement: Judgement) {
        let got = format!(
            "got {} bytes, {}",
            response.length,
            hex(&response.sha256[..8])
        );
        match judgement {
            Judgement::Right { .. } => {}
            Judgement::Stale { generation, wanted } => {
                let detail = format!("generation {generation} instead of {wanted}: {got}");
                self.find(Kind::Stale, path, detail);
            }
            Judgement::Wrong {
                wanted: Some((generation, length, sha256)),
            } => {
                let wanted = format!(
                    "generation {generation} has {length} bytes, {}",
                    hex(&sha256[..8])
                );
                self.find(Kind::Corrupt, path, format!("{got}; {wanted}"));
            }
            Judgement::Wrong { wanted: None } => {
                self.find(Kind::Corrupt, path, format!("{got}; no upload had them"));
            }
        }
    }

    pub(super) fn in_time(
        &self,
        follower: &mut Follower,
        path: &str,
        response: &Response,
        sequence: Option<u64>,
    ) {
        let took = response.last_byte - follower.asking(response.asked);
        let dropped = sequence.and_then(|sequence| {
            let key = key_of(follower.path())?;
            self.ledger.dropped_at(key, follower.epoch(), sequence)
        });
        let detail = if took > follower.target() {
            format!("last byte {took:.2?} after the request")
        } else if dropped.is_some_and(|dropped| response.first_byte > dropped) {
            "first byte after the playlist had dropped it".to_owned()
        } else {
            return;
        };
        if follower.late() {
            self.find(Kind::Late, path, detail);
        }
    }

    pub(super) fn find(&self, kind: Kind, path: &str, detail: String) {
        self.tally.find(self.plan.id, kind, path, detail);
    }
}
