//! Whether anything has changed that decides by which device packets leave.
//!
//! The kernel tells of links, addresses, routes, rules and next hops as they change. A [`Watch`]
//! says only *that* something did, so that a loop asks again about the connections it has; of links
//! it also remembers when each was last down, for a device that is up again looks as if nothing had
//! been. Where the kernel had more to tell than the socket could hold, everything counts as changed
//! and every device as down.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use super::device::{RTM_DELLINK, RTM_NEWLINK, index_and_flags, is_up};
use super::netlink::{ANSWER_BYTES_MAX, Netlink, messages};

/// Groups of `linux/rtnetlink.h`, each the bit of its number less one: link 1, IPv4 address 5,
/// route 7 and rule 8, IPv6 address 9, route 11 and rule 19, next hop 32.
const GROUPS: u32 = {
    let numbers = [1, 5, 7, 8, 9, 11, 19, 32];
    let (mut groups, mut at) = (0, 0);
    while at < numbers.len() {
        groups |= 1 << (numbers[at] - 1);
        at += 1;
    }
    groups
};

/// A moment in the life of a [`Watch`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Epoch(u64);

/// A subscription to changes of links, addresses, routes and rules of one network namespace.
pub struct Watch {
    netlink: Netlink,
    buffer: Box<[u8]>,
    now: u64,
    overruns: u64,
    downs: Downs,
}

/// When devices were last seen down.
#[derive(Default)]
struct Downs {
    /// By index.
    last: HashMap<u32, u64>,
    /// When the kernel could not tell all.
    all: u64,
}

impl Watch {
    /// Subscribes, in the calling thread's network namespace. What changed before is not told.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn open() -> io::Result<Watch> {
        Ok(Watch {
            netlink: Netlink::open(None, GROUPS)?,
            buffer: vec![0; ANSWER_BYTES_MAX].into(),
            now: 0,
            overruns: 0,
            downs: Downs::default(),
        })
    }

    /// Whether anything has changed since the last call. Never waits, and leaves nothing unread.
    pub fn changed(&mut self) -> bool {
        let before = self.now;
        loop {
            match self.netlink.take(&mut self.buffer) {
                Ok(None) => return self.now != before,
                Ok(Some(bytes)) => {
                    self.now += 1;
                    self.downs.note(bytes, self.now);
                }
                Err(_) => {
                    // ENOBUFS, once for all that was lost; the socket goes on after it.
                    self.now += 1;
                    self.overruns += 1;
                    self.downs.all = self.now;
                }
            }
        }
    }

    /// The moment of the last [`Watch::changed`]. Take it right after such a call and before a
    /// connection is set up: a device that goes down in between is then seen as down since.
    #[must_use]
    pub fn epoch(&self) -> Epoch {
        Epoch(self.now)
    }

    /// Whether a device has been down, or gone, after `epoch`, as far as [`Watch::changed`] has
    /// read: then connections that were set up on it before have fallen back to the kernel.
    #[must_use]
    pub fn down_since(&self, device: u32, epoch: Epoch) -> bool {
        let last = self.downs.last.get(&device).copied().unwrap_or(0);
        last.max(self.downs.all) > epoch.0
    }

    /// How often the kernel had more to tell than the socket could hold.
    #[must_use]
    pub fn overruns(&self) -> u64 {
        self.overruns
    }

    /// To wait on: readable when something has changed.
    #[must_use]
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.netlink.as_fd()
    }
}

impl Downs {
    fn note(&mut self, bytes: &[u8], now: u64) {
        for message in messages(bytes) {
            let is_link = [RTM_NEWLINK, RTM_DELLINK].contains(&message.kind);
            if !is_link {
                continue;
            }
            if let Some((index, flags)) = index_and_flags(message.body)
                && (message.kind == RTM_DELLINK || !is_up(flags))
            {
                self.last.insert(index, now);
            }
        }
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Watch")
            .field("now", &self.now)
            .field("overruns", &self.overruns)
            .finish_non_exhaustive()
    }
}
