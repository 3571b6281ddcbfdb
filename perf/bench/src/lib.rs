//! The daemon beside nginx and beside a floor program, which only seals and sends: the same
//! objects, connections, cipher and CPU, alternating runs in one command.
//!
//! The flow: [`cli`] reads what is wanted, [`bed`] makes what all servers share (certificate,
//! objects, CPUs), [`scenarios`] say what is done and measured, [`peers`] start one server for
//! one run with as much of everything as a point of [`points`] says, [`cost`], [`memory`] and
//! [`syscalls`] say what that took, [`figures`] sums runs up, [`results`] keeps, prints and
//! compares them, and [`page`] shows all that were kept. [`profile`] says where the time goes.
//!
//! The server has one CPU for itself and the generator another, and what is charged is all of
//! the server's CPU: interrupts that deliver its packets are part of the price.
#![forbid(unsafe_code)]

pub mod bed;
pub mod cli;
pub mod cost;
pub mod crowd;
pub mod figures;
pub mod limits;
pub mod machine;
pub mod memory;
pub mod page;
pub mod peers;
pub mod points;
pub mod profile;
pub mod results;
pub mod scenarios;
pub mod syscalls;
