//! Reading responses as they come, and telling a complete one from a cut one.

use super::wire::Ended;

/// How a body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Framing {
    Length(usize),
    Chunked,
    UntilClose,
}

/// One response, as far as it has come.
#[derive(Clone, Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
    /// The body has ended as its framing says.
    pub(crate) complete: bool,
    framing: Framing,
}

impl Response {
    /// The value of a field.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (field, value) = line.split_once(": ")?;
            field.eq_ignore_ascii_case(name).then_some(value)
        })
    }

    /// Whether the end of the connection is the body's.
    pub(crate) fn until_close(&self) -> bool {
        self.framing == Framing::UntilClose
    }

    /// Whether the connection goes on after it.
    pub(crate) fn keeps(&self) -> bool {
        self.framing != Framing::UntilClose && self.field("Connection") != Some("close")
    }
}

/// Takes a head out of `incoming`, once it is there; interim ones are dropped.
///
/// # Errors
/// When it is no head.
pub(crate) fn take_head(incoming: &mut Vec<u8>, to_head: bool) -> Result<Option<Response>, String> {
    loop {
        let Some(end) = find(incoming, b"\r\n\r\n") else {
            return Ok(None);
        };
        let head: Vec<u8> = incoming.drain(..end + 4).collect();
        let head = String::from_utf8(head).map_err(|_| "a head that is no text")?;
        let status = head
            .strip_prefix("HTTP/1.1 ")
            .and_then(|rest| rest.get(..3));
        let status = status.and_then(|digits| digits.parse().ok());
        let status: u16 = status.ok_or_else(|| format!("no status line: {head:?}"))?;
        if status >= 200 {
            return response(status, head, to_head).map(Some);
        }
    }
}

fn response(status: u16, head: String, to_head: bool) -> Result<Response, String> {
    let mut response = Response {
        status,
        head,
        body: Vec::new(),
        complete: false,
        framing: Framing::UntilClose,
    };
    let bodiless = to_head || status == 204 || status == 304;
    if bodiless {
        response.framing = Framing::Length(0);
    } else if response.field("Transfer-Encoding") == Some("chunked") {
        response.framing = Framing::Chunked;
    } else if let Some(length) = response.field("Content-Length") {
        let length = length.parse().map_err(|_| format!("length {length:?}"))?;
        response.framing = Framing::Length(length);
    }
    response.complete = response.framing == Framing::Length(0);
    Ok(response)
}

/// Takes what has come of the body.
///
/// # Errors
/// When its framing is wrong.
pub(crate) fn take_body(
    response: &mut Response,
    incoming: &mut Vec<u8>,
    ended: Option<Ended>,
) -> Result<(), String> {
    match response.framing {
        Framing::Length(length) => {
            let most = (length - response.body.len()).min(incoming.len());
            response.body.extend(incoming.drain(..most));
            response.complete = response.body.len() == length;
        }
        Framing::UntilClose => {
            response.body.append(incoming);
            response.complete = ended == Some(Ended::Complete);
        }
        Framing::Chunked => {
            while !response.complete && take_chunk(response, incoming)? {}
            if ended.is_some() && !response.complete {
                take_partial_chunk(response, incoming);
            }
        }
    }
    Ok(())
}

/// Takes a whole chunk; false when it is not there yet.
fn take_chunk(response: &mut Response, incoming: &mut Vec<u8>) -> Result<bool, String> {
    let Some(line) = find(incoming, b"\r\n") else {
        return Ok(false);
    };
    let size = String::from_utf8_lossy(&incoming[..line]).into_owned();
    let size = usize::from_str_radix(&size, 16).map_err(|_| format!("chunk size {size:?}"))?;
    let end = line + 2 + size;
    if incoming.len() < end + 2 {
        return Ok(false);
    }
    if &incoming[end..end + 2] != b"\r\n" {
        return Err("a chunk does not end where it says".into());
    }
    response.body.extend_from_slice(&incoming[line + 2..end]);
    incoming.drain(..end + 2);
    response.complete = size == 0;
    Ok(true)
}

/// What has come of a chunk that is cut: it is to be right, too.
fn take_partial_chunk(response: &mut Response, incoming: &mut Vec<u8>) {
    if let Some(line) = find(incoming, b"\r\n") {
        let size = String::from_utf8_lossy(&incoming[..line]).into_owned();
        let size = usize::from_str_radix(&size, 16).unwrap_or(0);
        let payload = incoming[line + 2..].iter().take(size);
        response.body.extend(payload);
    }
    incoming.clear();
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}
