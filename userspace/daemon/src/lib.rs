//! The zonecast daemon: configuration, assembly, supervision.
//!
//! In the order of a run: [`cli`] says what to do; [`config`] turns a TOML file into valid
//! settings; [`check`] shows them, [`doctor`] shows what the machine makes of them, [`zones`] what the kernel counted, [`dns`] names for them, [`token`] makes what encoders identify themselves with, and
//! [`serve`] plans zones, starts the data plane and the admin API, and then only waits for
//! signals. No byte of video passes through here.
//!
//! Invariants:
//! - Nothing is started from a configuration that has a mistake, at start as on a reload.
//! - Whoever is told to stop stops: draining is bounded, and a second signal ends at once.

#![forbid(unsafe_code)]

pub mod check;
pub mod cli;
pub mod config;
pub mod dns;
pub mod doctor;
pub mod keep;
pub mod logging;
pub mod plan;
pub mod probe;
pub mod serve;
pub mod token;
pub mod top;
pub mod units;
pub mod zones;
