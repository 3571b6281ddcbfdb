//! Verifying viewers and the demo: real encoders in, fifty viewers out, every byte
//! compared with what a tee in front of the daemon saw.
//!
//! The flow, in the order of the modules that make it:
//! [`ffmpeg`] encodes -> [`tee`] relays to the daemon ([`daemon`], set up by [`setup`])
//! and enters what passed in the [`ledger`] -> [`viewer`]s follow the playlists
//! ([`playlist`]) with the [`client`] and judge each object by the ledger, into a
//! [`tally`]. [`summary`] shows it while it runs, [`page`] plays it in a browser,
//! [`verdict`] says what it came to, and [`demo`] is the whole of it.
//!
//! Nothing here shares code with the daemon: the verifier has its own codec ([`wire`]),
//! so that a mistake of the one is not also a mistake of the other.
#![deny(unsafe_code)]

pub mod child;
pub mod client;
pub mod daemon;
pub mod demo;
pub mod ffmpeg;
pub mod ledger;
pub mod manifest;
pub mod metrics;
pub mod page;
pub mod playlist;
pub mod setup;
pub mod summary;
pub mod tally;
pub mod tee;
pub mod verdict;
pub mod viewer;
pub mod wire;
