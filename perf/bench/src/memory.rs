//! Memory as the kernel accounts for it: a server's own, and the kernel's for sockets.

use anyhow::{Context, Result};

/// A look at the memory of a server and of the kernel.
#[derive(Debug, Clone, Copy)]
pub struct Memory {
    /// Resident memory of the process, shared pages in proportion (smaps_rollup, Pss).
    pub pss_bytes: f64,
    /// Resident memory of the process (Rss).
    pub rss_bytes: f64,
    /// Pages of TCP buffers, of both ends of every connection (sockstat, `mem`).
    pub tcp_bytes: f64,
    /// The kernel's small objects: sockets, files, and all else (meminfo, Slab).
    pub slab_bytes: f64,
}

impl Memory {
    /// The mean of several looks.
    #[must_use]
    pub fn mean(looks: &[Memory]) -> Memory {
        let count = looks.len().max(1) as f64;
        let mean = |of: fn(&Memory) -> f64| looks.iter().map(of).sum::<f64>() / count;
        Memory {
            pss_bytes: mean(|look| look.pss_bytes),
            rss_bytes: mean(|look| look.rss_bytes),
            tcp_bytes: mean(|look| look.tcp_bytes),
            slab_bytes: mean(|look| look.slab_bytes),
        }
    }

    /// Looks at a process and at the kernel.
    ///
    /// # Errors
    /// The process is gone, or may not be looked at.
    pub fn of(pid: u32) -> Result<Memory> {
        let read = |path: &str| std::fs::read_to_string(path).with_context(|| path.to_owned());
        let process = read(&format!("/proc/{pid}/smaps_rollup"))?;
        let sockets = read("/proc/net/sockstat")?;
        let machine = read("/proc/meminfo")?;
        Ok(Memory {
            pss_bytes: kilobytes(&process, "Pss:").context("no Pss")?,
            rss_bytes: kilobytes(&process, "Rss:").context("no Rss")?,
            tcp_bytes: tcp_pages(&sockets).context("no TCP memory in sockstat")?
                * rustix::param::page_size() as f64,
            slab_bytes: kilobytes(&machine, "Slab:").context("no Slab")?,
        })
    }
}

/// The value of a line such as `Rss:  123 kB`, in bytes.
fn kilobytes(text: &str, name: &str) -> Option<f64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    let value: f64 = line.split_whitespace().next()?.parse().ok()?;
    Some(value * 1024.0)
}

/// The value after `mem` in the line `TCP:`.
fn tcp_pages(sockstat: &str) -> Option<f64> {
    let line = sockstat
        .lines()
        .find_map(|line| line.strip_prefix("TCP:"))?;
    let mut words = line.split_whitespace().skip_while(|word| *word != "mem");
    words.nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// Each figure is that of its own line, in bytes.
    #[test]
    fn reads_the_kernels_files() {
        let smaps = "55d-7ff ---p 0 [rollup]\nRss:    100 kB\nPss:   50 kB\nPss_Dirty: 9 kB";
        assert_eq!(kilobytes(smaps, "Rss:"), Some(102_400.0));
        assert_eq!(kilobytes(smaps, "Pss:"), Some(51_200.0));
        assert_eq!(kilobytes(smaps, "Slab:"), None);
        let sockstat = "sockets: used 9\nTCP: inuse 5 orphan 0 tw 0 alloc 6 mem 7\nUDP: mem 3";
        assert_eq!(tcp_pages(sockstat), Some(7.0));
        let own = Memory::of(std::process::id()).unwrap();
        assert!(own.pss_bytes > 0.0 && own.rss_bytes >= own.pss_bytes);
    }
}
