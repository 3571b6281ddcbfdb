//! Which stream lives where, as destinations of the programs.

use std::collections::HashMap;
use std::net::IpAddr;

use zonecast_dataplane::Homes;
use zonecast_ebpf::{Error, Rule, Steering as Programs};

use super::StreamPrefix;

/// What the programs were told last.
pub(super) struct Addresses {
    prefix: Option<StreamPrefix>,
    version: u64,
    /// Streams' addresses and zones.
    told: HashMap<IpAddr, u16>,
}

impl Addresses {
    pub(super) fn new(prefix: Option<StreamPrefix>) -> Self {
        Self {
            prefix,
            version: u64::MAX,
            told: HashMap::new(),
        }
    }

    /// Of what they were told.
    pub(super) fn version(&self) -> u64 {
        self.version
    }

    /// Tells what has changed. After an error the next call tries the rest again.
    pub(super) fn follow(&mut self, programs: &Programs, homes: &Homes) -> Result<(), Error> {
        let Some(prefix) = self.prefix else {
            self.version = homes.version;
            return Ok(());
        };
        let address = |id: &str| IpAddr::from(prefix.address(id));
        let wanted: HashMap<IpAddr, u16> = homes
            .zones
            .iter()
            .map(|(id, zone)| (address(id), *zone))
            .collect();
        let gone: Vec<_> = self
            .told
            .keys()
            .filter(|address| !wanted.contains_key(address))
            .copied()
            .collect();
        for address in gone {
            programs.forget(address)?;
            self.told.remove(&address);
        }
        for (address, zone) in wanted {
            if self.told.get(&address) != Some(&zone) {
                programs.destination(address, zone, Rule::Stream)?;
                self.told.insert(address, zone);
            }
        }
        self.version = homes.version;
        Ok(())
    }
}
