//! The suites, one file each. `xtask/src/lab/suites.rs` has the same names, with what each shows.

mod boot;
pub(crate) mod cost;
mod doctor;
mod kernels;
mod keyupdate;
mod ktls;
mod nic;
mod numa;
mod steering;
mod tlsnic;

use crate::report::{Report, Stop};

/// What runs a suite; it ends early where a step fails that the others need.
pub(crate) type Suite = fn(&mut Report) -> Result<(), Stop>;

/// The suite of this name.
pub(crate) fn find(name: &str) -> Option<Suite> {
    match name {
        "boot" => Some(boot::run),
        "cost" => Some(cost::run),
        "numa" => Some(numa::run),
        "steering" => Some(steering::run),
        "tlsnic" => Some(tlsnic::run),
        "ktls" => Some(ktls::run),
        "keyupdate" => Some(keyupdate::run),
        "nic" => Some(nic::run),
        "doctor" => Some(doctor::run),
        "kernels" => Some(kernels::run),
        _ => None,
    }
}
