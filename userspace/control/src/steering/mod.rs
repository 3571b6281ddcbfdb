//! Steering: viewers' connections go to the zone that holds their stream, by programs in the kernel.
//!
//! ```text
//! load ──▶ the data plane starts, its loops say how busy they are ──▶ start ──▶ follow, again and
//! programs, empty maps                                    sockets, addresses,    again: which stream
//!                                                         attached               lives where
//! ```
//!
//! What is attached and learned stays in the kernel when the daemon goes; the next one takes it over.
//! Where the kernel does not let us, the kernel's own spreading over the loops' sockets is what is
//! left, and [`SteeringPath`] says why.

mod cgroup;
mod homes;
mod interfaces;
mod prefix;

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crossbeam_queue::ArrayQueue;
use zonecast_dataplane::{Dataplane, ListenAddress, SteeringBoard};
use zonecast_ebpf::{Error, Folder, LoopWords, Rule, Shape, Steering as Programs};
use zonecast_numa::zones::Zone;

use homes::Addresses;
pub use prefix::{PrefixError, StreamPrefix};

/// Lessons of loops that wait to be taken over, at most.
const LESSONS_MAX: usize = 4096;

/// What steering is told.
#[derive(Clone, Debug)]
pub struct SteeringConfig {
    /// Where programs and maps are pinned, in a bpffs.
    pub folder: PathBuf,
    /// Every stream has an address in here; `None`: none has.
    pub streams: Option<StreamPrefix>,
    /// What names zones.
    pub zones: Vec<ZoneNames>,
    /// How long what a client has watched counts.
    pub affinity: Duration,
}

/// What names a zone.
#[derive(Clone, Debug)]
pub struct ZoneNames {
    /// The zone.
    pub zone: u16,
    /// Addresses of this machine that are the zone's.
    pub addresses: Vec<IpAddr>,
    /// Interfaces that are near it, beside those that are found to be.
    pub interfaces: Vec<String>,
}

/// How connections get to zones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SteeringPath {
    /// For the whole network namespace.
    Lookup,
    /// Among the sockets of each address.
    Reuseport {
        /// Why not better.
        why: String,
    },
    /// The kernel spreads them over all loops.
    Spread {
        /// Why not better.
        why: String,
    },
}

impl SteeringPath {
    /// The name in metrics and logs.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Lookup => "sk_lookup",
            Self::Reuseport { .. } => "sk_reuseport",
            Self::Spread { .. } => "spread",
        }
    }

    /// Why no better one; empty for the best.
    #[must_use]
    pub fn why(&self) -> &str {
        match self {
            Self::Lookup => "",
            Self::Reuseport { why } | Self::Spread { why } => why,
        }
    }
}

/// Loaded programs that steer nothing yet.
pub struct Loaded {
    programs: Programs,
    board: Arc<Board>,
    config: SteeringConfig,
}

/// Programs that steer.
pub struct Steering {
    programs: Programs,
    board: Arc<Board>,
    path: SteeringPath,
    addresses: Addresses,
    notes: Vec<String>,
}

/// A viewer's network watches something of a zone at this address.
struct Lesson {
    viewer: IpAddr,
    address: SocketAddr,
    home: u16,
}

/// What loops tell us.
struct Board {
    words: LoopWords,
    /// Lessons beyond these are lost: another viewer gives the same one soon.
    lessons: ArrayQueue<Lesson>,
}

impl SteeringBoard for Board {
    fn publish(&self, loop_id: u16, viewers: u32, accepted: u64) {
        self.words.set(loop_id, viewers, accepted);
    }

    fn misplaced(&self, viewer: IpAddr, address: SocketAddr, home: u16) {
        let lesson = Lesson {
            viewer,
            address,
            home,
        };
        drop(self.lessons.push(lesson));
    }
}

impl Loaded {
    /// Loads the programs for loops of these zones and so many viewers' listeners.
    ///
    /// # Errors
    /// Why the kernel cannot steer.
    pub fn load(config: SteeringConfig, zones: &[Zone], listeners: usize) -> Result<Self, Error> {
        let folder = Folder::claim(&config.folder)?;
        let shape = Shape {
            loops: zones.iter().map(|z| z.loop_cpus.len() as u32).collect(),
            listeners: listeners as u32,
            affinity: config.affinity,
            // Loops know both ends themselves, where they are asked for them.
            ends: false,
        };
        let programs = zonecast_ebpf::load(folder, &shape)?;
        let board = Arc::new(Board {
            words: programs.words(),
            lessons: ArrayQueue::new(LESSONS_MAX),
        });
        Ok(Self {
            programs,
            board,
            config,
        })
    }

    /// Where the data plane's loops are to say how busy they are.
    #[must_use]
    pub fn board(&self) -> Arc<dyn SteeringBoard> {
        self.board.clone()
    }

    /// Gives the programs the loops' sockets and what names zones, and attaches them.
    ///
    /// # Errors
    /// A map that takes nothing; nothing is attached then.
    pub fn start(self, zones: &[Zone], dataplane: &Dataplane) -> Result<Steering, Error> {
        let Self {
            programs,
            board,
            config,
        } = self;
        let mut notes = programs.notes().to_vec();
        for (index, listener) in dataplane.steerable().iter().enumerate() {
            let index = index as u16;
            for (id, socket) in &listener.sockets {
                programs.socket(index, *id, socket)?;
            }
            programs.listen(index, listener.address, listener.zone)?;
        }
        let steered = |at: &SocketAddr| dataplane.steerable().iter().any(|s| s.address == *at);
        for bound in dataplane.addresses() {
            if let ListenAddress::Tcp(at) = bound.address
                && !steered(&at)
            {
                programs.leave(at)?;
            }
        }
        for names in &config.zones {
            for address in &names.addresses {
                programs.destination(*address, names.zone, Rule::Zone)?;
            }
        }
        for (interface, zone) in interfaces::near(zones, &config.zones, &mut notes) {
            programs.interface(interface, zone)?;
        }
        let mut addresses = Addresses::new(config.streams);
        addresses.follow(&programs, &dataplane.homes())?;
        let path = attach(&programs, dataplane, &mut notes);
        Ok(Steering {
            programs,
            board,
            path,
            addresses,
            notes,
        })
    }
}

impl Steering {
    /// How connections get to zones.
    #[must_use]
    pub fn path(&self) -> &SteeringPath {
        &self.path
    }

    /// What the operator should know, one line each.
    #[must_use]
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Takes over which stream lives where, if that has changed, and what loops have learned of viewers;
    /// to be called several times a second.
    ///
    /// # Errors
    /// A map that takes no more.
    pub fn follow(&mut self, dataplane: &Dataplane) -> Result<(), Error> {
        while let Some(lesson) = self.board.lessons.pop() {
            self.programs
                .teach(lesson.viewer, lesson.address, lesson.home)?;
        }
        if self.addresses.version() == dataplane.homes_version() {
            return Ok(());
        }
        self.addresses.follow(&self.programs, &dataplane.homes())
    }
}

/// Attaches what the kernel lets us attach.
fn attach(programs: &Programs, dataplane: &Dataplane, notes: &mut Vec<String>) -> SteeringPath {
    let path = match programs.attach_lookup() {
        Ok(_) => SteeringPath::Lookup,
        Err(error) => among_sockets(programs, dataplane, &error),
    };
    match cgroup::root() {
        Ok(cgroup) => {
            if let Err(error) = programs.attach_life(&cgroup) {
                notes.push(format!("steering: connections are not counted: {error}"));
            }
        }
        Err(why) => notes.push(format!("steering: connections are not counted: {why}")),
    }
    if let Err(error) = programs.attach_live() {
        notes.push(format!("steering: no list of live connections: {error}"));
    }
    path
}

/// The fallback.
fn among_sockets(programs: &Programs, dataplane: &Dataplane, error: &Error) -> SteeringPath {
    for listener in dataplane.steerable() {
        let Some((_, socket)) = listener.sockets.first() else {
            continue;
        };
        if let Err(second) = programs.attach_reuseport(socket) {
            return SteeringPath::Spread {
                why: format!("{error}; {second}"),
            };
        }
    }
    SteeringPath::Reuseport {
        why: error.to_string(),
    }
}
