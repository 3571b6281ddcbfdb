//! What the kernel seals, and what would make it seal where it does not.

use std::fmt;

use serde::Serialize;
use zonecast_io::KernelTls;

use super::roots::{Roots, read};

/// TLS in the kernel (kTLS).
#[derive(Debug, Clone, Serialize)]
pub struct Sealing {
    /// Whether it seals anything.
    pub available: bool,
    /// Versions and ciphers that it seals, for people; empty for none.
    pub seals: String,
    /// Whether a connection's key can be changed.
    pub rekeys: bool,
    /// Why it seals nothing.
    pub refusal: Option<String>,
    /// What would change that, or give more.
    pub change: Option<String>,
}

impl fmt::Display for Sealing {
    /// What is sealed, or why nothing is.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.refusal {
            Some(reason) => write!(
                formatter,
                "none ({reason}): the daemon seals, path userspace_tls"
            ),
            None => {
                let rekeys = if self.rekeys {
                    "changed"
                } else {
                    "not changed"
                };
                write!(formatter, "{}; keys can be {rekeys}", self.seals)
            }
        }
    }
}

pub(super) fn describe(kernel: &KernelTls, roots: &Roots) -> Sealing {
    let refusal = kernel.refusal().map(str::to_owned);
    let change = match (&refusal, kernel.rekeys()) {
        (Some(_), _) => Some(remedy(roots)),
        (None, false) => Some("Linux 6.14: before it, a KeyUpdate ends the connection".to_owned()),
        (None, true) => None,
    };
    Sealing {
        available: refusal.is_none(),
        seals: kernel.described(),
        rekeys: kernel.rekeys(),
        refusal,
        change,
    }
}

/// What gives this kernel TLS.
fn remedy(roots: &Roots) -> String {
    let known = read(&roots.proc.join("sys/net/ipv4/tcp_available_ulp")).unwrap_or_default();
    if known.split_whitespace().any(|name| name == "tls") {
        return "nothing here: the kernel has TLS and refused every key; see dmesg".to_owned();
    }
    let release = roots.release();
    let folder = roots.modules.join(&release);
    let modules = read(&folder.join("modules.dep")).unwrap_or_default();
    let is_there = modules.lines().any(|line| {
        let name = line.split(':').next().unwrap_or_default();
        name.rsplit('/')
            .next()
            .is_some_and(|name| name.starts_with("tls.ko"))
    });
    match is_there {
        true => "modprobe tls (at every start: echo tls > /etc/modules-load.d/tls.conf)".to_owned(),
        false => format!("a kernel with CONFIG_TLS; {release} has no module tls"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn remedy_with(files: &[(&str, &str)]) -> String {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        remedy(&Roots::below(folder.path()))
    }

    /// Shows what is advised where the module can be loaded, is loaded, and does not exist.
    #[test]
    fn the_remedy_fits_the_kernel() {
        let release = ("proc/sys/kernel/osrelease", "6.12.95-amd64\n");
        let ulp = "proc/sys/net/ipv4/tcp_available_ulp";
        let dep = "lib/modules/6.12.95-amd64/modules.dep";
        let modules = "kernel/net/mptcp/mptcp.ko.xz:\nkernel/net/tls/tls.ko.xz: kernel/a.ko.xz\n";
        let advised = remedy_with(&[release, (ulp, "mptcp\n"), (dep, modules)]);
        assert!(advised.starts_with("modprobe tls"), "{advised}");
        let advised = remedy_with(&[release, (ulp, "mptcp tls\n"), (dep, modules)]);
        assert!(advised.contains("refused every key"), "{advised}");
        let others = "kernel/a.ko: kernel/net/tls/tls.ko\nkernel/not_tls.ko:\n";
        for files in [&[release][..], &[release, (dep, others)]] {
            let advised = remedy_with(files);
            assert_eq!(
                advised,
                "a kernel with CONFIG_TLS; 6.12.95-amd64 has no module tls"
            );
        }
    }

    /// Shows that a kernel that seals everything needs nothing.
    #[test]
    fn a_kernel_that_does_all_needs_nothing() {
        let sealing = describe(&KernelTls::all(), &Roots::host());
        assert!(sealing.available && sealing.rekeys && sealing.change.is_none());
        let sealing = describe(&KernelTls::none("no"), &Roots::host());
        assert!(!sealing.available && sealing.change.is_some());
    }
}
