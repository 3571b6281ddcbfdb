//! A viewer's life, one file a phase: handshake, handover, request, waiting, response, draining.
//!
//! `docs/viewer-life.md` draws it; `peer/state.rs` has the table.

mod answer;
mod body;
mod card;
mod draining;
mod from_ring;
mod handover;
mod handshake;
mod lend;
mod produce;
mod redirect;
mod request;
mod response;
mod room;
mod waiting;
mod way_out;

pub(crate) use answer::{Asked, Refused};
pub(crate) use card::Card;
pub(crate) use lend::Borrowers;
pub(crate) use request::Verdict;
pub(crate) use response::Response;
pub(crate) use waiting::Wait;
pub(crate) use way_out::WaysOut;
