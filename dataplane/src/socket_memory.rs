//! What the kernel holds for TCP sockets on this machine: sampled, shown and limited.
//!
//! Each connection is bounded by itself (`TCP_NOTSENT_LOWAT`, and the kernel's `tcp_wmem` for what
//! is on its way); this is the bound of all of them. While more is held, new viewers are refused,
//! and those who are served go on: near its own limit the kernel would slow everybody down.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Where the kernel says how many pages its TCP sockets hold, of all network namespaces.
const SOCKSTAT: &str = "/proc/net/sockstat";
/// The kernel's own limits of the same, in pages: low, pressure, high.
const TCP_MEM: &str = "/proc/sys/net/ipv4/tcp_mem";

/// The last sample, and the limit. Sampled by a control thread, read by the loops.
#[derive(Debug, Default)]
pub(crate) struct SocketMemory {
    bytes: AtomicU64,
    short: AtomicBool,
    /// 0: none.
    max: u64,
}

impl SocketMemory {
    /// With this limit in bytes, or where that is 0, half of the kernel's own.
    pub(crate) fn new(max: u64) -> Self {
        let kernel = || read_pages(TCP_MEM, |text| text.split_whitespace().nth(2)).unwrap_or(0);
        let max = if max == 0 { kernel() / 2 } else { max };
        Self {
            max,
            ..Self::default()
        }
    }

    /// Takes a sample. A machine that does not tell has no limit.
    pub(crate) fn sample(&self) {
        self.take(read_pages(SOCKSTAT, tcp_pages).unwrap_or(0));
    }

    /// Too much is held from `max` on, until it is an eighth less.
    fn take(&self, bytes: u64) {
        let was_short = self.is_short();
        let from = if was_short {
            self.max - self.max / 8
        } else {
            self.max
        };
        let short = self.max > 0 && bytes >= from;
        self.bytes.store(bytes, Ordering::Relaxed);
        self.short.store(short, Ordering::Relaxed);
        if short && !was_short {
            tracing::warn!(
                bytes,
                max = self.max,
                "the kernel holds too much for sockets: new viewers are refused"
            );
        } else if was_short && !short {
            tracing::info!(bytes, max = self.max, "new viewers are taken again");
        }
    }

    /// Bytes at the last sample.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// The limit in bytes; 0: none.
    pub(crate) fn max(&self) -> u64 {
        self.max
    }

    /// Whether no more viewers are to be taken.
    pub(crate) fn is_short(&self) -> bool {
        self.short.load(Ordering::Relaxed)
    }
}

fn read_pages(path: &str, find: impl Fn(&str) -> Option<&str>) -> Option<u64> {
    let text = std::fs::read_to_string(path).ok()?;
    let pages: u64 = find(&text)?.parse().ok()?;
    Some(pages * rustix::param::page_size() as u64)
}

/// The word behind `mem` in the line of TCP.
fn tcp_pages(sockstat: &str) -> Option<&str> {
    let line = sockstat
        .lines()
        .find_map(|line| line.strip_prefix("TCP:"))?;
    line.split_whitespace()
        .skip_while(|word| *word != "mem")
        .nth(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What Linux 6.18 writes.
    #[test]
    fn the_kernels_page_is_read() {
        let page =
            "sockets: used 40\nTCP: inuse 8 orphan 0 tw 399 alloc 13 mem 7\nUDP: inuse 0 mem 2\n";
        assert_eq!(tcp_pages(page), Some("7"));
        assert_eq!(tcp_pages("sockets: used 40\n"), None);
        let here = SocketMemory::new(0);
        here.sample();
        assert!(here.max() > 1 << 20, "a half of what {TCP_MEM} allows");
    }

    /// The limit has two edges, so that one viewer does not make it flicker.
    #[test]
    fn short_from_the_limit_until_well_below() {
        let memory = SocketMemory::new(800);
        for (bytes, short) in [
            (799, false),
            (800, true),
            (701, true),
            (699, false),
            (799, false),
        ] {
            memory.take(bytes);
            assert_eq!((memory.is_short(), memory.bytes()), (short, bytes));
        }
    }
}
