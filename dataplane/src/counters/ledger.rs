//! The byte ledger: what viewers were sent, by where it lay, which loop sent it, where it left, and
//! who sealed it.

use zonecast_numa::ZoneId;

use super::{BytePath, Count};
use crate::egress::EgressZone;

/// Bytes by the triple that siloing is judged by, and by path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BytesRow {
    /// Zone of the ring they were read from; `None` for what lies in no ring.
    pub ring_zone: Option<u16>,
    /// Zone of the loop that sent them.
    pub loop_zone: u16,
    /// Zone of the device they left by.
    pub egress_zone: EgressZone,
    /// The path they took.
    pub path: BytePath,
    /// How many.
    pub bytes: u64,
}

/// One loop's.
#[derive(Debug)]
pub(super) struct Ledger {
    zone: ZoneId,
    zones: usize,
    /// Where this loop's bytes should leave.
    wanted: EgressZone,
    /// By ring zone (the last: no ring), then by egress zone.
    rows: Box<[[Count; BytePath::ALL.len()]]>,
}

impl Ledger {
    pub(super) fn new(zone: ZoneId, zones: usize, wanted: EgressZone) -> Self {
        let rows = (zones + 1) * (zones + EgressZone::OTHERS);
        Self {
            zone,
            zones,
            wanted,
            rows: (0..rows).map(|_| Default::default()).collect(),
        }
    }

    pub(super) fn add(&self, ring: Option<ZoneId>, egress: EgressZone, path: BytePath, n: u64) {
        let ring = ring.map_or(self.zones, |zone| usize::from(zone.0));
        let row = ring * (self.zones + EgressZone::OTHERS) + egress.index(self.zones);
        self.rows[row][path as usize].add(n);
    }

    /// What was counted; zeroes only of what leaves where it should.
    pub(super) fn rows(&self) -> impl Iterator<Item = BytesRow> + '_ {
        let rings = (0..self.zones).map(|zone| Some(zone as u16)).chain([None]);
        let pairs = rings.flat_map(|ring| EgressZone::all(self.zones).map(move |out| (ring, out)));
        pairs
            .zip(&self.rows)
            .flat_map(move |((ring_zone, out), paths)| {
                let row = move |(path, count): (BytePath, &Count)| BytesRow {
                    ring_zone,
                    loop_zone: self.zone.0,
                    egress_zone: out,
                    path,
                    bytes: count.get(),
                };
                let rows = BytePath::ALL.into_iter().zip(paths).map(row);
                rows.filter(move |row| row.bytes > 0 || out == self.wanted)
            })
    }
}

/// Adds the rows of a loop to those of others.
pub(super) fn sum(total: &mut Vec<BytesRow>, rows: impl Iterator<Item = BytesRow>) {
    for row in rows {
        let key = |r: &BytesRow| (r.ring_zone, r.loop_zone, r.egress_zone, r.path);
        match total.iter_mut().find(|r| key(r) == key(&row)) {
            Some(same) => same.bytes += row.bytes,
            None => total.push(row),
        }
    }
}
