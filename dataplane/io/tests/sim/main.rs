//! The simulated driver: what it delivers, what it forbids, and that a seed repeats.

#![allow(clippy::unwrap_used, reason = "tests")]

mod cancel;
mod download;
mod echo;
mod echo_loop;
mod harness;
mod rules;
mod socket;
mod time;
