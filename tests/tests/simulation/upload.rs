//! One upload as its encoder sees it: how it ends, and how it may be answered.

use super::actor::Stage;
use super::book::UploadNumber;
use super::response::Response;

/// How an upload ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// With its final byte.
    Whole,
    /// With a reset.
    Reset,
    /// With the end of the connection.
    Finish,
    /// By silence.
    Silence,
    /// With something that is no chunk, nor a record.
    Garbage,
}

/// What is uploaded, or deleted.
#[derive(Clone, Copy)]
pub(crate) enum What {
    Upload(UploadNumber),
    /// The number of the deletion in the book.
    Delete(usize),
}

/// An upload that is being sent, or waits for its answer.
pub(crate) struct Upload {
    pub(crate) what: What,
    pub(crate) pieces: std::vec::IntoIter<Vec<u8>>,
    pub(crate) ending: Ending,
    pub(crate) done: bool,
}

/// Whether a body has a framing that can be broken.
pub(crate) fn is_chunked(pieces: &[Vec<u8>]) -> bool {
    let head = pieces[0].windows(7);
    head.into_iter().any(|window| window == b"chunked")
}

/// Whether an upload may be answered like this.
///
/// # Errors
/// When it may not.
pub(crate) fn judge(
    stage: &mut Stage<'_>,
    upload: &Upload,
    response: &Response,
) -> Result<(), String> {
    let status = response.status;
    *stage.book.told.entry(status).or_default() += 1;
    let expected = match upload.what {
        _ if status == 403 => stage.reloaded,
        What::Delete(_) => matches!(status, 204 | 408 | 503),
        What::Upload(_) if upload.ending == Ending::Garbage && status == 400 => true,
        What::Upload(_) => matches!(status, 201 | 204 | 412 | 408 | 413 | 503),
    };
    if !expected {
        return Err(format!("an encoder was told {}", response.head));
    }
    match upload.what {
        What::Delete(number) => stage.book.past.deletes[number].2 = Some(stage.now),
        What::Upload(number) => {
            let is_early = !upload.done && matches!(status, 201 | 204 | 412);
            if is_early || (upload.ending != Ending::Whole && status < 400) {
                return Err(format!("{status} to an upload that did not end"));
            }
            stage.book.upload_mut(number).answer = Some((stage.now, status));
        }
    }
    Ok(())
}
