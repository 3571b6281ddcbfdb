//! What decides where a connection goes, as the daemon fills it in.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, AsRawFd};
use std::path::Path;

use libbpf_rs::{MapCore, MapFlags, MapHandle};
use rustix::time::{ClockId, clock_gettime};

use crate::error::Error;
use crate::folder::Folder;
use crate::links::{self, Put, Target};
use crate::load::{Maps, Programs};
use crate::plain::{Plain, bytes, of_bytes};
use crate::skeleton::types;
use crate::{LoopWords, address};

/// As in `programs/zonecast.h`.
const PORT_ANY: u32 = 1;
const PORT_SOME: u32 = 2;
const PORT_ANY_IPV4: u32 = 4;

/// Which rule an address of a zone or a stream counts under: as in `programs/zonecast.h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub enum Rule {
    /// A stream's own address.
    Stream = 1,
    /// A zone's address.
    Zone = 2,
}

/// Both ends of an accepted connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ends {
    /// The client.
    pub client: SocketAddr,
    /// Where it connected to.
    pub address: SocketAddr,
    /// The zone of the loop that accepted it.
    pub zone: u16,
}

/// The loaded programs and their maps, until they are attached and while they run. What is attached
/// stays when this is dropped.
pub struct Steering {
    folder: Folder,
    pub(crate) programs: Programs,
    pub(crate) maps: Maps,
    words: LoopWords,
    /// Each loop's zone.
    zones: Vec<u32>,
    notes: Vec<String>,
}

impl Steering {
    pub(crate) fn new(
        folder: Folder,
        programs: Programs,
        maps: Maps,
        words: LoopWords,
        zones: Vec<u32>,
        notes: Vec<String>,
    ) -> Self {
        Self {
            folder,
            programs,
            maps,
            words,
            zones,
            notes,
        }
    }

    /// What the operator should know, one line each.
    #[must_use]
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Where everything is pinned.
    #[must_use]
    pub fn folder(&self) -> &Folder {
        &self.folder
    }

    /// Where loops say how busy they are.
    #[must_use]
    pub fn words(&self) -> LoopWords {
        self.words.clone()
    }

    pub(crate) fn set_zone(&self, zone: u32, loops: types::zone_loops) -> Result<(), Error> {
        put("zones", &self.maps.zones, &zone, &loops)
    }

    /// Steers what comes to this address: to loops of `zone`, or of any.
    ///
    /// # Errors
    /// [`Error::Map`].
    pub fn listen(&self, index: u16, at: SocketAddr, zone: Option<u16>) -> Result<(), Error> {
        let zone = zone.unwrap_or(u16::MAX);
        self.listener(at, types::listener { index, zone })
    }

    /// Leaves what comes to this address to the kernel, whatever listens at any address of the port.
    ///
    /// # Errors
    /// [`Error::Map`].
    pub fn leave(&self, at: SocketAddr) -> Result<(), Error> {
        if at.ip().is_unspecified() {
            return Ok(());
        }
        let (index, zone) = (u16::MAX, u16::MAX);
        self.listener(at, types::listener { index, zone })
    }

    fn listener(&self, at: SocketAddr, listener: types::listener) -> Result<(), Error> {
        let number = u32::from(at.port());
        let known = self.maps.ports.lookup(bytes(&number), MapFlags::ANY);
        let known = known.map_err(Error::map("ports"))?;
        let mut port: types::port = known.as_deref().and_then(of_bytes).unwrap_or_default();
        if at.ip().is_unspecified() && at.is_ipv4() {
            port.any_ipv4 = listener;
            port.flags |= PORT_ANY_IPV4;
        } else if at.ip().is_unspecified() {
            port.any = listener;
            port.flags |= PORT_ANY;
        } else {
            let key = types::listener_key {
                address: address::words(at.ip()),
                port: at.port(),
                pad: 0,
            };
            put("listeners", &self.maps.listeners, &key, &listener)?;
            port.flags |= PORT_SOME;
        }
        put("ports", &self.maps.ports, &number, &port)
    }

    /// Gives the programs a loop's listening socket. Whatever it accepts from here on is counted by
    /// the loop's zone.
    ///
    /// # Errors
    /// [`Error::Map`].
    ///
    /// # Panics
    /// When there is no such loop.
    pub fn socket(&self, listener: u16, id: u16, socket: impl AsFd) -> Result<(), Error> {
        let fd = socket.as_fd().as_raw_fd();
        let zone = self.zones[usize::from(id)];
        let tag = types::socket_tag {
            zone: zone as u16,
            r#loop: id,
            listener,
            pad: 0,
        };
        put("socket_tags", &self.maps.tags, &(fd as u32), &tag)?;
        let at = u32::from(listener) * self.zones.len() as u32 + u32::from(id);
        put("sockets", &self.maps.sockets, &at, &(fd as u64))
    }

    /// Whoever connects to `address` goes to `zone`.
    ///
    /// # Errors
    /// [`Error::Map`]; a full map is one.
    pub fn destination(&self, address: IpAddr, zone: u16, rule: Rule) -> Result<(), Error> {
        let value = types::destination {
            zone,
            rule: rule as u16,
        };
        let key = destination_key(address);
        put("destinations", &self.maps.destinations, &key, &value)
    }

    /// The address names nobody any more.
    ///
    /// # Errors
    /// [`Error::Map`]; one that named nobody is none.
    pub fn forget(&self, address: IpAddr) -> Result<(), Error> {
        let key = destination_key(address);
        match self.maps.destinations.delete(bytes(&key)) {
            Err(error) if error.kind() != libbpf_rs::ErrorKind::NotFound => {
                Err(Error::map("destinations")(error))
            }
            _ => Ok(()),
        }
    }

    /// This client, and its neighbours, watch something of `zone` at `address`.
    ///
    /// # Errors
    /// [`Error::Map`].
    pub fn teach(&self, client: IpAddr, at: SocketAddr, zone: u16) -> Result<(), Error> {
        let key = types::affinity_key {
            client: address::client_network(client),
            address: address::words(at.ip()),
            port: at.port(),
            pad: 0,
        };
        let now = clock_gettime(ClockId::MonotonicCoarse);
        let value = types::affinity {
            taught_ns: now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64,
            zone: u32::from(zone),
            pad: 0,
        };
        put("affinities", &self.maps.affinities, &key, &value)
    }

    /// What comes in on this interface belongs to `zone`, where nothing better is known.
    ///
    /// # Errors
    /// [`Error::Map`].
    pub fn interface(&self, index: u32, zone: u16) -> Result<(), Error> {
        put(
            "interfaces",
            &self.maps.interfaces,
            &index,
            &u32::from(zone),
        )
    }

    /// The ends of an accepted connection, by its socket's cookie.
    ///
    /// # Errors
    /// [`Error::Map`].
    pub fn ends(&self, cookie: u64) -> Result<Option<Ends>, Error> {
        let found = self.maps.peers.lookup(bytes(&cookie), MapFlags::ANY);
        let found = found.map_err(Error::map("peers"))?;
        Ok(found
            .and_then(|found| of_bytes::<types::peer>(&found))
            .map(|peer| Ends {
                client: address::end(peer.client, peer.client_port),
                address: address::end(peer.address, peer.port),
                zone: peer.tag.zone,
            }))
    }

    /// Steers this process's network namespace, from now on by these programs.
    ///
    /// # Errors
    /// [`Error::Attach`]; an earlier daemon's program goes on.
    pub fn attach_lookup(&self) -> Result<Put, Error> {
        let program = "sk_lookup";
        let netns = std::fs::File::open("/proc/thread-self/ns/net");
        netns
            .and_then(|netns| {
                let target = Target::Netns(netns.as_fd());
                links::put(&self.programs.lookup, target, &self.folder.link("lookup"))
            })
            .map_err(|error| Error::Attach { program, error })
    }

    /// Steers among the sockets that share an address with this one, where the namespace cannot be.
    ///
    /// # Errors
    /// [`Error::Attach`].
    pub fn attach_reuseport(&self, socket: impl AsFd) -> Result<(), Error> {
        let program = self.programs.reuseport.as_raw_fd();
        let level = libc::SOL_SOCKET;
        let option = libc::SO_ATTACH_REUSEPORT_EBPF;
        let length = size_of_val(&program) as libc::socklen_t;
        let fd = socket.as_fd().as_raw_fd();
        // SAFETY: the option takes a descriptor, which is read during the call.
        let result =
            unsafe { libc::setsockopt(fd, level, option, (&raw const program).cast(), length) };
        match result {
            0 => Ok(()),
            _ => Err(Error::Attach {
                program: "sk_reuseport",
                error: io::Error::last_os_error(),
            }),
        }
    }

    /// Counts the life of connections of this cgroup.
    ///
    /// # Errors
    /// [`Error::Attach`].
    pub fn attach_life(&self, cgroup: &Path) -> Result<Put, Error> {
        let program = "sock_ops";
        let cgroup = std::fs::File::open(cgroup);
        cgroup
            .and_then(|cgroup| {
                let target = Target::Cgroup(cgroup.as_fd());
                links::put(&self.programs.life, target, &self.folder.link("life"))
            })
            .map_err(|error| Error::Attach { program, error })
    }

    /// Lets anybody list the connections, by their zones and without addresses; false where the kernel
    /// did not take that program.
    ///
    /// # Errors
    /// [`Error::Attach`].
    pub fn attach_live(&self) -> Result<bool, Error> {
        use std::os::unix::fs::PermissionsExt;
        let Some(program) = &self.programs.live else {
            return Ok(false);
        };
        let path = self.folder.map("live");
        links::put(program, Target::Sockets, &path)
            .and_then(|_| std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o444)))
            .map_err(|error| Error::Attach {
                program: "iter/tcp",
                error,
            })?;
        Ok(true)
    }
}

fn destination_key(address: IpAddr) -> types::destination_key {
    types::destination_key {
        address: address::words(address),
    }
}

fn put<K: Plain, V: Plain>(
    name: &'static str,
    map: &MapHandle,
    key: &K,
    value: &V,
) -> Result<(), Error> {
    map.update(bytes(key), bytes(value), MapFlags::ANY)
        .map_err(Error::map(name))
}
