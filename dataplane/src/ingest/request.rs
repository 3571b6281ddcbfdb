//! An encoder's request: who it is, what it uploads, and whether it may.

use std::borrow::Cow;
use std::sync::Arc;

use zonecast_proto::Status;
use zonecast_proto::kind::Kind;
use zonecast_proto::path::{self, LivePath, PathRoom};
use zonecast_proto::request::Request;

use super::answer::Delete;
use super::target::{Framing, Target, Upload};
use crate::counters::IngestError;
use crate::delivery::{Asked, Refused, Verdict};
use crate::shared::Shared;
use crate::stream::{Refusal, Stream};

/// The stream that the request may write to.
pub(crate) fn authorise(
    shared: &Shared,
    room: &mut PathRoom,
    request: &Request<'_>,
) -> Result<Arc<Stream>, Refused> {
    let admitted = admit(shared, room, request);
    admitted
        .map(|(stream, _)| stream)
        .map_err(|(refused, _)| refused)
}

/// The stream that the request may write to, and what it names there.
fn admit<'a>(
    shared: &Shared,
    room: &'a mut PathRoom,
    request: &Request<'a>,
) -> Result<(Arc<Stream>, LivePath<'a>), (Refused, IngestError)> {
    let live = path::parse(request.path, room)
        .map_err(|error| (error.status().into(), IngestError::BadRequest))?;
    let stream = authorise_path(shared, request, &live)?;
    Ok((stream, live))
}

fn authorise_path(
    shared: &Shared,
    request: &Request<'_>,
    live: &LivePath<'_>,
) -> Result<Arc<Stream>, (Refused, IngestError)> {
    let token: Option<Cow<'_, str>> = match live.token {
        Some(token) => Some(Cow::Borrowed(token.expose())),
        None => request.authorization.as_ref().and_then(|a| a.token()),
    };
    let given = token.as_deref().map(str::as_bytes);
    shared
        .registry
        .authorise(live.stream, given)
        .map_err(|refusal| {
            shared.registry.complain(live.stream, refusal, live.path);
            let refused = match refusal {
                Refusal::NoCredentials => Refused {
                    challenge: true,
                    ..Status::Unauthorized.into()
                },
                Refusal::WrongToken | Refusal::UnknownStream => Status::Forbidden.into(),
                Refusal::TooMany => Status::ServiceUnavailable.into(),
            };
            (refused, refusal.error())
        })
}

/// A PUT or POST. One that is refused has its body taken, and dropped, before it is told.
pub(crate) fn decide_upload(
    shared: &Shared,
    room: &mut PathRoom,
    asked: Asked,
    request: &Request<'_>,
) -> Verdict {
    let framing = Framing::of(request.body);
    let (stream, live) = match admit(shared, room, request) {
        Ok(admitted) => admitted,
        Err((refused, error)) => return discard(asked, framing, refused, error),
    };
    let kind = match Kind::of(live.path, request.content_type) {
        Ok(kind) => kind,
        Err(error) => {
            stream.complain(IngestError::ContentType, live.path);
            return discard(
                asked,
                framing,
                error.status().into(),
                IngestError::ContentType,
            );
        }
    };
    if framing
        .length()
        .is_some_and(|n| n > u64::from(shared.limits.object_bytes_max))
    {
        stream.complain(IngestError::TooLarge, live.path);
        let refused = Status::ContentTooLarge.into();
        return discard(asked, framing, refused, IngestError::TooLarge);
    }
    let target = if kind.is_pinned_by_name() {
        Target::Pinned(Vec::new())
    } else {
        Target::undecided()
    };
    Verdict::Upload(
        asked,
        Box::new(Upload::new(stream, live.path.into(), kind, framing, target)),
    )
}

fn discard(asked: Asked, framing: Framing, refused: Refused, error: IngestError) -> Verdict {
    Verdict::Upload(asked, Box::new(Upload::discarded(framing, refused, error)))
}

/// A DELETE; its body, if it has one, is dropped.
pub(crate) fn decide_delete(
    shared: &Shared,
    room: &mut PathRoom,
    asked: Asked,
    request: &Request<'_>,
) -> Verdict {
    let framing = Framing::of(request.body);
    match admit(shared, room, request) {
        Ok((stream, live)) => Verdict::Delete(
            asked,
            Delete {
                stream,
                path: live.path.into(),
                framing,
            },
        ),
        Err((refused, error)) => discard(asked, framing, refused, error),
    }
}
