//! What encoders do: they upload bodies, and delete names.
//!
//! One file a phase: the request decides and authorises, the body goes into the ring (or
//! into a pinned object), the answer waits for the stream's owner to commit. An encoder is
//! sent nothing that it will not read: no status before its last chunk, nor before it is
//! quiet.

mod answer;
mod body;
mod cut;
mod held;
mod request;
mod take;
mod target;

pub(crate) use answer::Delete;
pub(crate) use request::{authorise, decide_delete, decide_upload};
pub(crate) use target::Upload;
