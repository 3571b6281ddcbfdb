//! What can be wrong, and whose fault it is: [`BadRequest`] is the peer's, [`HeadError`]
//! is ours.

use thiserror::Error;

use crate::Status;
use crate::request::Field;

/// What a peer got wrong. It owns no peer bytes, so that it can be logged as it is.
///
/// After any of them the connection is closed once [`BadRequest::status`] is answered:
/// the bytes that follow cannot be trusted to begin a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum BadRequest {
    /// A line ends in LF without CR (RFC 9112 section 2.2 lets a recipient be lenient;
    /// two recipients that differ in it can be played against each other).
    #[error("bare LF in the head")]
    BareLf,
    /// A CR that no LF follows.
    #[error("bare CR in the head")]
    BareCr,
    /// NUL or another control byte in the head.
    #[error("control byte in the head")]
    ControlByte,
    /// A field line that begins with white space (RFC 9112 section 5.2).
    #[error("folded field line")]
    ObsFold,
    /// The first line is not `method SP target SP HTTP/d.d`.
    #[error("malformed request line")]
    RequestLine,
    /// A version other than 1.0 and 1.1.
    #[error("HTTP version not supported")]
    Version,
    /// The first line passes `request_line_bytes_max`.
    #[error("request line too long")]
    RequestLineTooLong,
    /// The head passes `head_bytes_max`.
    #[error("head too long")]
    HeadTooLong,
    /// More fields than `fields_max`.
    #[error("too many fields")]
    TooManyFields,
    /// A field line that is not `name ":" value`; white space before the colon.
    #[error("malformed field line")]
    FieldLine,
    /// A field that may come only once came again, with whatever value.
    #[error("repeated {0}")]
    Repeated(Field),
    /// A field that has to be understood, and is not.
    #[error("invalid {0}")]
    Invalid(Field),
    /// HTTP/1.1 without Host.
    #[error("missing Host")]
    MissingHost,
    /// Content-Length together with Transfer-Encoding.
    #[error("both Content-Length and Transfer-Encoding")]
    LengthAndCoding,
    /// A transfer coding other than `chunked` alone.
    #[error("transfer coding not supported")]
    TransferCoding,
    /// An expectation other than `100-continue`.
    #[error("expectation not supported")]
    Expectation,
    /// A request target of no accepted form, or with bytes that no URI has.
    #[error("malformed request target")]
    Target,
    /// A path that is under neither `/live/` nor `/ingest/`, or names no object.
    #[error("no such path")]
    NotServed,
    /// A percent sequence that is malformed, or hides a byte with a meaning of its own.
    #[error("refused percent-encoding in the path")]
    PathEncoding,
    /// A byte that no path has, or an empty or dot segment.
    #[error("refused segment in the path")]
    PathSegment,
    /// The object's path passes [`crate::path::PATH_BYTES_MAX`].
    #[error("path too long")]
    PathTooLong,
    /// Not a stream id.
    #[error("invalid stream id")]
    StreamId,
    /// The token in the path is empty, too long, or has bytes that no token has.
    #[error("invalid token in the path")]
    Token,
    /// A Content-Type that ingest does not take.
    #[error("content type not accepted")]
    ContentType,
    /// A chunk size that is not 1 to 16 hexadecimal digits.
    #[error("invalid chunk size")]
    ChunkSize,
    /// Something other than CR LF where a line of chunk framing or a chunk ends.
    #[error("malformed chunk framing")]
    ChunkFraming,
    /// More chunk extensions and trailers than [`crate::chunked::OVERHEAD_BYTES_MAX`].
    #[error("too much chunk overhead")]
    ChunkOverhead,
}

impl BadRequest {
    /// The status to answer.
    #[must_use]
    pub const fn status(self) -> Status {
        match self {
            Self::Version => Status::VersionNotSupported,
            Self::RequestLineTooLong | Self::PathTooLong => Status::UriTooLong,
            Self::HeadTooLong | Self::TooManyFields => Status::HeadTooLarge,
            Self::TransferCoding => Status::NotImplemented,
            Self::Expectation => Status::ExpectationFailed,
            Self::NotServed => Status::NotFound,
            Self::ContentType => Status::UnsupportedMediaType,
            _ => Status::BadRequest,
        }
    }

    /// The field that is to blame, where it is one.
    #[must_use]
    pub const fn field(self) -> Option<Field> {
        match self {
            Self::Repeated(field) | Self::Invalid(field) => Some(field),
            Self::MissingHost => Some(Field::Host),
            Self::LengthAndCoding | Self::TransferCoding => Some(Field::TransferEncoding),
            Self::Expectation => Some(Field::Expect),
            Self::ContentType => Some(Field::ContentType),
            _ => None,
        }
    }
}

/// Why a response head could not be written. Both are mistakes of the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum HeadError {
    /// The head does not fit into the room given
    /// ([`crate::response::HEAD_BYTES_MAX`] is always enough for bounded values).
    #[error("response head does not fit")]
    TooLong,
    /// A text has something other than visible ASCII and spaces (or a quote where it is
    /// quoted): it could end its line.
    #[error("a response field's text would break its line")]
    BadText,
}
