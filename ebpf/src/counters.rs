//! What was counted, read by any process that may open the pinned files: no privilege, no daemon.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use libbpf_rs::libbpf_sys::BPF_F_RDONLY;
use libbpf_rs::{MapCore, MapFlags, MapHandle};

use crate::Error;
use crate::folder::versioned;
use crate::plain::of_bytes;
use crate::skeleton::types;

/// What was counted of one zone, over all CPUs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ZoneSums {
    /// Decisions, by [`ZoneSums::RULES`].
    pub steered: [u64; 6],
    /// Connections that were left to the kernel, by [`ZoneSums::MISSES`].
    pub missed: [u64; 3],
    /// Connections that were accepted.
    pub established: u64,
    /// Of these, gone.
    pub closed: u64,
    /// Bytes that viewers have acknowledged, of closed connections (the end of each counts as one).
    pub bytes_acked: u64,
    /// Packets sent again.
    pub retransmits: u64,
    /// Smoothed round trips at the ends of connections, in microseconds, and how many.
    pub rtt_us_sum: u64,
    /// See above.
    pub rtt_samples: u64,
}

impl ZoneSums {
    /// The rules' names, first match first: as `enum steer_rule`.
    pub const RULES: [&str; 6] = ["listener", "stream", "zone", "affinity", "interface", "any"];
    /// Why a connection was not steered: as `enum steer_miss`.
    pub const MISSES: [&str; 3] = ["no_loop", "no_socket", "refused"];

    fn add(&mut self, cpu: &types::zone_counters) {
        for (sum, count) in self.steered.iter_mut().zip(cpu.steered) {
            *sum += count;
        }
        for (sum, count) in self.missed.iter_mut().zip(cpu.missed) {
            *sum += count;
        }
        self.established += cpu.established;
        self.closed += cpu.closed;
        self.bytes_acked += cpu.bytes_acked;
        self.retransmits += cpu.retransmits;
        self.rtt_us_sum += cpu.rtt_us_sum;
        self.rtt_samples += cpu.rtt_samples;
    }
}

/// One connection as it is now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Live {
    /// Its zone.
    pub zone: u16,
    /// The loop that accepted it.
    pub loop_id: u16,
    /// Whether both sides still send.
    pub established: bool,
    /// Bytes that the viewer has acknowledged.
    pub bytes_acked: u64,
    /// Packets sent again.
    pub retransmits: u32,
    /// The smoothed round trip, in microseconds.
    pub rtt_us: u32,
}

/// What a loop of the daemon says of itself; the last words of one that has crashed stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoopState {
    /// Its zone.
    pub zone: u16,
    /// Viewers now.
    pub viewers: u32,
    /// Viewers that it has accepted in all.
    pub accepted: u64,
}

/// `TCP_ESTABLISHED`.
const ESTABLISHED: u32 = 1;

/// A reader of what is pinned in a folder.
pub struct Counters {
    counters: MapHandle,
    live: std::path::PathBuf,
    loops: std::path::PathBuf,
}

impl Counters {
    /// Opens the counters for reading.
    ///
    /// # Errors
    /// [`Error::Map`]: nothing is pinned there, or it may not be read.
    pub fn open(folder: &Path) -> Result<Self, Error> {
        let folder = versioned(folder);
        let path = folder.join("zone_counters");
        let counters = MapHandle::from_pinned_path_with_file_flags(path, BPF_F_RDONLY)
            .map_err(Error::map("zone_counters"))?;
        Ok(Self {
            counters,
            live: folder.join("live"),
            loops: folder.join("loop_words"),
        })
    }

    /// The sums by zone; the last are of connections that were given to none.
    ///
    /// # Errors
    /// [`Error::Map`].
    pub fn zones(&self) -> Result<Vec<ZoneSums>, Error> {
        let zones = 0..self.counters.max_entries();
        let sum_of = |zone: u32| {
            let cpus = self
                .counters
                .lookup_percpu(&zone.to_ne_bytes(), MapFlags::ANY)
                .map_err(Error::map("zone_counters"))?;
            let mut sums = ZoneSums::default();
            let cpus = cpus.unwrap_or_default();
            cpus.iter()
                .filter_map(|cpu| of_bytes(cpu))
                .for_each(|cpu| sums.add(&cpu));
            Ok(sums)
        };
        zones.map(sum_of).collect()
    }

    /// What the loops say, by loop; `None` to who may not know.
    ///
    /// # Errors
    /// [`Error::Map`].
    pub fn loops(&self) -> Result<Option<Vec<LoopState>>, Error> {
        let map = match MapHandle::from_pinned_path_with_file_flags(&self.loops, BPF_F_RDONLY) {
            Ok(map) => map,
            Err(error) if error.kind() == libbpf_rs::ErrorKind::PermissionDenied => {
                return Ok(None);
            }
            Err(error) => return Err(Error::map("loop_words")(error)),
        };
        let state = |id: u32| {
            let word = map
                .lookup(&id.to_ne_bytes(), MapFlags::ANY)
                .map_err(Error::map("loop_words"))?;
            let word: types::loop_word = word.as_deref().and_then(of_bytes).unwrap_or_default();
            Ok(LoopState {
                zone: word.zone as u16,
                viewers: word.connections,
                accepted: word.accepted,
            })
        };
        (0..map.max_entries())
            .map(state)
            .collect::<Result<_, _>>()
            .map(Some)
    }

    /// Every connection now; `None` where they cannot be listed.
    ///
    /// # Errors
    /// What reading says.
    pub fn live(&self) -> Result<Option<Vec<Live>>, Error> {
        let mut list = Vec::new();
        let read = File::open(&self.live).and_then(|mut file| file.read_to_end(&mut list));
        match read {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            other => other.map_err(Error::folder(&self.live))?,
        };
        let records = list.chunks_exact(size_of::<types::live>());
        let live = |record: types::live| Live {
            zone: record.tag.zone,
            loop_id: record.tag.r#loop,
            established: record.state == ESTABLISHED,
            bytes_acked: record.bytes_acked,
            retransmits: record.retransmits,
            rtt_us: record.rtt_us,
        };
        Ok(Some(records.filter_map(of_bytes).map(live).collect()))
    }
}
