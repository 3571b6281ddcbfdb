//! `[admin]`: where health, streams and metrics are asked for.

use zonecast_dataplane::ListenAddress;

use super::address::Address;
use super::report::Report;

/// The table `[admin]`.
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Admin {
    /// Where the admin API listens.
    pub listen: Address,
}

impl Default for Admin {
    fn default() -> Self {
        Self {
            listen: Address::local(9090),
        }
    }
}

impl Admin {
    /// The address, with a warning where the whole network could read it.
    pub fn resolve(&self, report: &mut Report<'_>) -> ListenAddress {
        if self.listen.is_public() {
            report.warn(
                "admin.listen",
                format!(
                    "{} can be reached from other machines, and asks nobody who he is",
                    self.listen
                ),
            );
        }
        self.listen.resolve("admin.listen", report)
    }
}
