//! From compiled programs to loaded ones, with maps of the size that this daemon needs.

use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use libbpf_rs::skel::{OpenSkel, SkelBuilder};
use libbpf_rs::{ErrorKind, MapCore, MapHandle};

use crate::folder::{self, Folder};
use crate::skeleton::{OpenZonecastSkel, ZonecastSkel, ZonecastSkelBuilder, types};
use crate::steering::Steering;
use crate::{Error, LoopWords};

/// As `ZONES_MAX`, `LISTENERS_MAX` and `LOOPS_MAX` in `programs/zonecast.h`.
const ZONES_MAX: usize = 64;
const LISTENERS_MAX: usize = 64;
const LOOPS_MAX: usize = 1024;
/// Who may read what is counted, and what decides.
const COUNTERS: u32 = 0o444;
const DECISIONS: u32 = 0o600;

/// What is steered to.
#[derive(Clone, Debug)]
pub struct Shape {
    /// How many loops each zone has; loops are numbered zone by zone.
    pub loops: Vec<u32>,
    /// How many addresses viewers connect to.
    pub listeners: u32,
    /// How long what a client has watched counts.
    pub affinity: Duration,
    /// Whether both ends of connections are noted, by cookie.
    pub ends: bool,
}

impl Shape {
    /// One loop, for programs that are only looked at.
    pub(crate) fn smallest() -> Self {
        Self {
            loops: vec![1],
            listeners: 1,
            affinity: Duration::from_secs(1),
            ends: true,
        }
    }
}

/// The loaded programs; the maps keep what the maps of an earlier daemon counted and learned.
pub(crate) struct Programs {
    pub(crate) lookup: OwnedFd,
    pub(crate) reuseport: OwnedFd,
    pub(crate) life: OwnedFd,
    /// `None`: not allowed to.
    pub(crate) live: Option<OwnedFd>,
}

/// The maps that are written from here.
pub(crate) struct Maps {
    pub(crate) counters: MapHandle,
    pub(crate) ports: MapHandle,
    pub(crate) listeners: MapHandle,
    pub(crate) destinations: MapHandle,
    pub(crate) affinities: MapHandle,
    pub(crate) interfaces: MapHandle,
    pub(crate) zones: MapHandle,
    pub(crate) sockets: MapHandle,
    pub(crate) tags: MapHandle,
    pub(crate) peers: MapHandle,
}

/// Loads the programs. Nothing is attached yet, and what an earlier daemon attached goes on.
///
/// # Errors
/// [`Error`].
pub fn load(folder: Folder, shape: &Shape) -> Result<Steering, Error> {
    check(shape)?;
    let mut notes = folder.notes().to_vec();
    let mut place = MaybeUninit::uninit();
    match attempt(Some(&folder), shape, true, &mut place, &mut notes) {
        Ok(skeleton) => return taken(folder, shape, &skeleton, true, notes),
        // The others do without CAP_PERFMON.
        Err(Error::Load { error }) if error.kind() == ErrorKind::PermissionDenied => notes.push(
            format!("steering: no list of live connections, which takes CAP_PERFMON: {error}"),
        ),
        Err(error) => return Err(error),
    }
    let mut place = MaybeUninit::uninit();
    let skeleton = attempt(Some(&folder), shape, false, &mut place, &mut notes)?;
    taken(folder, shape, &skeleton, false, notes)
}

/// Whether the kernel takes the programs; they are dropped again, and nothing is pinned.
///
/// # Errors
/// Why not.
pub fn probe() -> Result<(), Error> {
    let mut place = MaybeUninit::uninit();
    attempt(None, &Shape::smallest(), false, &mut place, &mut Vec::new()).map(drop)
}

fn check(shape: &Shape) -> Result<(), Error> {
    let loops: u32 = shape.loops.iter().sum();
    let counts = [
        ("zones", shape.loops.len(), ZONES_MAX),
        ("listeners", shape.listeners as usize, LISTENERS_MAX),
        ("loops", loops as usize, LOOPS_MAX),
    ];
    match counts.into_iter().find(|(_, count, max)| count > max) {
        Some((what, count, max)) => Err(Error::TooMany { what, count, max }),
        None => Ok(()),
    }
}

pub(crate) fn attempt<'a>(
    folder: Option<&Folder>,
    shape: &Shape,
    with_live: bool,
    place: &'a mut MaybeUninit<libbpf_rs::OpenObject>,
    notes: &mut Vec<String>,
) -> Result<ZonecastSkel<'a>, Error> {
    // What it would print is in our own errors.
    libbpf_rs::set_print(None);
    let refused = |error| Error::Load { error };
    let mut open = ZonecastSkelBuilder::default()
        .open(place)
        .map_err(refused)?;
    size(&mut open, shape)?;
    if let Some(folder) = folder {
        keep(&mut open, folder, notes)?;
    }
    open.progs.list_live.set_autoload(with_live);
    open.load().map_err(refused)
}

/// Sizes what depends on the machine.
fn size(open: &mut OpenZonecastSkel<'_>, shape: &Shape) -> Result<(), Error> {
    let loops: u32 = shape.loops.iter().sum();
    let zones = shape.loops.len() as u32;
    let settings = open
        .maps
        .rodata_data
        .as_deref_mut()
        .expect("the programs have constants");
    settings.loops_count = loops;
    settings.zones_count = zones;
    settings.affinity_ns = u64::try_from(shape.affinity.as_nanos()).unwrap_or(u64::MAX);
    settings.peers_wanted = shape.ends;
    let maps = &mut open.maps;
    maps.zone_counters
        .set_max_entries(zones + 1)
        .map_err(Error::map("zone_counters"))?;
    maps.zones
        .set_max_entries(zones)
        .map_err(Error::map("zones"))?;
    maps.loop_words
        .set_max_entries(loops)
        .map_err(Error::map("loop_words"))?;
    maps.sockets
        .set_max_entries(shape.listeners * loops)
        .map_err(Error::map("sockets"))
}

/// Goes on with what an earlier daemon pinned and connections of its time still need: counters, what
/// clients were taught, tags, ends.
fn keep(
    open: &mut OpenZonecastSkel<'_>,
    folder: &Folder,
    notes: &mut Vec<String>,
) -> Result<(), Error> {
    let maps = &mut open.maps;
    for map in [
        &mut maps.zone_counters,
        &mut maps.affinities,
        &mut maps.socket_tags,
        &mut maps.peers,
    ] {
        let name = map.name().to_string_lossy().into_owned();
        let Ok(pinned) = MapHandle::from_pinned_path(folder.map(&name)) else {
            continue;
        };
        let fits = pinned.map_type() == map.map_type()
            && pinned.key_size() == map.key_size()
            && pinned.value_size() == map.value_size()
            && pinned.max_entries() == map.max_entries();
        if fits {
            map.reuse_fd(pinned.as_fd())
                .map_err(|error| Error::Load { error })?;
        } else {
            notes.push(format!(
                "steering: {name} begins anew: other zones, or another layout"
            ));
        }
    }
    Ok(())
}

/// Takes what outlives the skeleton, and pins it.
fn taken(
    folder: Folder,
    shape: &Shape,
    skeleton: &ZonecastSkel<'_>,
    with_live: bool,
    notes: Vec<String>,
) -> Result<Steering, Error> {
    let owned = |fd: std::os::fd::BorrowedFd<'_>| {
        fd.try_clone_to_owned()
            .map_err(Error::folder(folder.path()))
    };
    let progs = &skeleton.progs;
    let programs = Programs {
        lookup: owned(progs.steer_lookup.as_fd())?,
        reuseport: owned(progs.steer_reuseport.as_fd())?,
        life: owned(progs.count_life.as_fd())?,
        live: match with_live {
            true => Some(owned(progs.list_live.as_fd())?),
            false => None,
        },
    };
    let map = |name, map: &libbpf_rs::Map<'_>| MapHandle::try_from(map).map_err(Error::map(name));
    let of = &skeleton.maps;
    let maps = Maps {
        counters: map("zone_counters", &of.zone_counters)?,
        ports: map("ports", &of.ports)?,
        listeners: map("listeners", &of.listeners)?,
        destinations: map("destinations", &of.destinations)?,
        affinities: map("affinities", &of.affinities)?,
        interfaces: map("interfaces", &of.interfaces)?,
        zones: map("zones", &of.zones)?,
        sockets: map("sockets", &of.sockets)?,
        tags: map("socket_tags", &of.socket_tags)?,
        peers: map("peers", &of.peers)?,
    };
    let words = map("loop_words", &of.loop_words)?;
    for (name, map, mode) in [
        ("zone_counters", &maps.counters, COUNTERS),
        ("ports", &maps.ports, DECISIONS),
        ("listeners", &maps.listeners, DECISIONS),
        ("destinations", &maps.destinations, DECISIONS),
        ("affinities", &maps.affinities, DECISIONS),
        ("interfaces", &maps.interfaces, DECISIONS),
        ("zones", &maps.zones, DECISIONS),
        ("sockets", &maps.sockets, DECISIONS),
        ("socket_tags", &maps.tags, DECISIONS),
        ("peers", &maps.peers, DECISIONS),
        ("loop_words", &words, DECISIONS),
    ] {
        folder::pin(map, &folder.map(name), mode)?;
    }
    let zone_of = |(zone, count): (usize, &u32)| vec![zone as u32; *count as usize];
    let zones: Vec<u32> = shape.loops.iter().enumerate().flat_map(zone_of).collect();
    let words = LoopWords::map(&words, &zones)?;
    let steering = Steering::new(folder, programs, maps, words, zones, notes);
    let mut first = 0;
    for (zone, count) in shape.loops.iter().enumerate() {
        let loops = types::zone_loops {
            first,
            count: *count,
        };
        steering.set_zone(zone as u32, loops)?;
        first += count;
    }
    Ok(steering)
}
