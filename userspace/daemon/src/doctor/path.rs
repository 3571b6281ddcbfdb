//! Which way the bytes of a listener go, why no better one, and what would change that.
//!
//! Best first: `nic_ktls`, `ktls`, `userspace_tls`; `plain` where nothing is sealed.

use serde::{Serialize, Serializer};
use zonecast_dataplane::BytePath;
use zonecast_io::egress::{Device, TlsTransmit};
use zonecast_io::{KernelTls, TlsCipher, TlsVersion};

use super::sealing::Sealing;

/// What a listener asks for.
#[derive(Debug, Clone, Copy)]
pub struct Asked {
    /// TLS.
    pub tls: bool,
    /// That the kernel seals, where it can.
    pub kernel_tls: bool,
    /// That a card seals, where it can: TLS 1.2 alone.
    pub nic_tls12: bool,
    /// Its connections are viewers'.
    pub viewers: bool,
}

/// The way that is taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Choice {
    /// By its name in metrics.
    #[serde(serialize_with = "by_name")]
    pub path: BytePath,
    /// Why no better one; for the best one, why it can be taken.
    pub why: String,
    /// One command or setting that would change it.
    pub change: Option<String>,
}

fn by_name<S: Serializer>(path: &BytePath, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(path.as_str())
}

fn choice(path: BytePath, why: impl Into<String>, change: Option<String>) -> Choice {
    let why = why.into();
    Choice { path, why, change }
}

/// Chooses for one device of one listener; a Unix socket has none.
pub fn choose(
    asked: Asked,
    device: Option<&Device>,
    kernel: &KernelTls,
    sealing: &Sealing,
) -> Choice {
    let own = |why: &str, change| choice(BytePath::UserspaceTls, why, change);
    if !asked.tls {
        return choice(BytePath::Plain, "tls = false: nothing is sealed", None);
    }
    if !asked.viewers {
        return own("the daemon opens what encoders send, on every path", None);
    }
    if !asked.kernel_tls {
        return own("kernel_tls = false", Some("kernel_tls = true".to_owned()));
    }
    if let Some(refusal) = kernel.refusal() {
        let why = format!("the kernel has no TLS ({refusal})");
        return own(&why, sealing.change.clone());
    }
    by_card(asked, device, kernel)
}

/// The kernel seals; whether a card does it for the kernel.
fn by_card(asked: Asked, device: Option<&Device>, kernel: &KernelTls) -> Choice {
    let in_kernel = |why: &str, change| choice(BytePath::Ktls, why, change);
    let Some(device) = device else {
        return in_kernel("no card lies on the way", None);
    };
    let name = &device.name;
    let gcm = [TlsCipher::Aes128Gcm, TlsCipher::Aes256Gcm];
    let seals_12 = gcm
        .iter()
        .any(|cipher| kernel.seals(TlsVersion::Tls12, *cipher));
    match device.tls_transmit {
        _ if device.is_loopback => in_kernel("it stays on this machine", None),
        TlsTransmit::No if device.is_virtual => {
            in_kernel("a virtual interface seals nothing", None)
        }
        TlsTransmit::No => in_kernel("the card has no tls-hw-tx-offload", None),
        TlsTransmit::Unknown => in_kernel("the kernel does not tell what the device can do", None),
        TlsTransmit::Off => in_kernel(
            "tls-hw-tx-offload is off",
            Some(format!("ethtool -K {name} tls-hw-tx-offload on")),
        ),
        TlsTransmit::On if !seals_12 => in_kernel(
            "cards seal TLS 1.2 with AES-GCM, which the kernel has not",
            None,
        ),
        TlsTransmit::On if !asked.nic_tls12 => in_kernel(
            "the card could seal, but Linux hands cards no TLS 1.3",
            Some("nic_tls12 = true, for TLS 1.2 alone".to_owned()),
        ),
        TlsTransmit::On => choice(
            BytePath::NicKtls,
            "the card seals TLS 1.2 with AES-GCM, as long as it has room",
            None,
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const VIEWERS: Asked = Asked {
        tls: true,
        kernel_tls: true,
        nic_tls12: true,
        viewers: true,
    };

    fn card(is_virtual: bool, tls_transmit: TlsTransmit) -> Device {
        Device {
            index: 2,
            name: "eth0".to_owned(),
            node: Some(0),
            is_up: true,
            is_loopback: false,
            is_virtual,
            tls_transmit,
        }
    }

    fn sealing(change: Option<&str>) -> Sealing {
        Sealing {
            available: change.is_none(),
            seals: String::new(),
            rekeys: true,
            refusal: None,
            change: change.map(str::to_owned),
        }
    }

    fn by(device: &Device, nic_tls12: bool) -> Choice {
        let asked = Asked {
            nic_tls12,
            ..VIEWERS
        };
        choose(asked, Some(device), &KernelTls::all(), &sealing(None))
    }

    /// Shows what the card, and the file, make of a kernel that seals everything.
    #[test]
    fn the_card_decides_where_the_kernel_seals() {
        let able = card(false, TlsTransmit::On);
        assert_eq!(by(&able, true).path, BytePath::NicKtls);
        let choice = by(&able, false);
        assert_eq!(choice.path, BytePath::Ktls);
        let change = choice.change.unwrap_or_default();
        assert!(change.contains("nic_tls12 = true"), "{change}");

        let choice = by(&card(false, TlsTransmit::Off), true);
        assert_eq!(choice.path, BytePath::Ktls);
        let command = "ethtool -K eth0 tls-hw-tx-offload on";
        assert_eq!(choice.change.as_deref(), Some(command));
        for (is_virtual, word) in [(true, "virtual"), (false, "has no tls-hw-tx-offload")] {
            let choice = by(&card(is_virtual, TlsTransmit::No), true);
            assert_eq!(choice.path, BytePath::Ktls);
            assert!(
                choice.why.contains(word) && choice.change.is_none(),
                "{choice:?}"
            );
        }
    }

    /// Shows that without TLS in the kernel the daemon seals, and the remedy is the kernel's.
    #[test]
    fn the_kernel_decides_first() {
        let (kernel, able) = (
            KernelTls::none("TCP_ULP tls: no"),
            card(false, TlsTransmit::On),
        );
        let sealing = sealing(Some("modprobe tls"));
        let choice = choose(VIEWERS, Some(&able), &kernel, &sealing);
        assert_eq!(choice.path, BytePath::UserspaceTls);
        assert!(choice.why.contains("TCP_ULP tls: no"));
        assert_eq!(choice.change.as_deref(), Some("modprobe tls"));
    }

    /// Shows that what the file says comes before what the machine can.
    #[test]
    fn the_file_decides_before_all() {
        let able = card(false, TlsTransmit::On);
        let of = |asked| choose(asked, Some(&able), &KernelTls::all(), &sealing(None));
        let off = Asked {
            kernel_tls: false,
            ..VIEWERS
        };
        assert_eq!(of(off).path, BytePath::UserspaceTls);
        assert_eq!(of(off).change.as_deref(), Some("kernel_tls = true"));
        let plain = Asked {
            tls: false,
            ..VIEWERS
        };
        assert_eq!(of(plain).path, BytePath::Plain);
        let encoders = Asked {
            viewers: false,
            ..VIEWERS
        };
        assert_eq!(of(encoders).path, BytePath::UserspaceTls);
    }
}
