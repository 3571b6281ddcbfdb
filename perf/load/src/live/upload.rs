//! How a segment and a playlist are put on a producer's connection: as HTTP, or as Redis has it.

use zonecast_perf::wire::{Framing, response_head};

/// Which of the two.
#[derive(Debug, Clone)]
pub(crate) enum Wire {
    /// PUT, with what follows the request line and the length.
    Http(String),
    /// PUBLISH.
    Redis,
}

impl Wire {
    /// For a server, with a bearer token or without.
    pub(crate) fn http(token: Option<&str>) -> Wire {
        let token = token.map(|token| format!("Authorization: Bearer {token}\r\n"));
        Wire::Http(format!(
            "Host: localhost\r\n{}\r\n",
            token.unwrap_or_default()
        ))
    }

    /// What stands before a body of so many bytes.
    pub(crate) fn begin(&self, path: &str, bytes: usize, out: &mut Vec<u8>) {
        let head = match self {
            Wire::Http(fields) => {
                format!("PUT {path} HTTP/1.1\r\nContent-Length: {bytes}\r\n{fields}")
            }
            Wire::Redis => {
                let length = path.len();
                format!("*3\r\n$7\r\nPUBLISH\r\n${length}\r\n{path}\r\n${bytes}\r\n")
            }
        };
        out.extend_from_slice(head.as_bytes());
    }

    /// What stands behind it.
    pub(crate) fn end(&self, out: &mut Vec<u8>) {
        if let Wire::Redis = self {
            out.extend_from_slice(b"\r\n");
        }
    }

    /// Takes whole answers off the beginning of what came: how many there were.
    pub(crate) fn answers(&self, came: &mut Vec<u8>) -> Result<u64, String> {
        let mut answers = 0;
        while let Some(bytes) = match self {
            Wire::Http(_) => http_answer(came)?,
            Wire::Redis => redis_answer(came)?,
        } {
            came.drain(..bytes);
            answers += 1;
        }
        Ok(answers)
    }
}

/// Bytes of the answer that is there; an error if it refuses.
fn http_answer(came: &[u8]) -> Result<Option<usize>, String> {
    let Some((head, bytes)) = response_head(came).map_err(|error| error.to_string())? else {
        return Ok(None);
    };
    if !(200..300).contains(&head.status) {
        return Err(format!("status {}", head.status));
    }
    let body = match head.framing {
        Framing::None => 0,
        Framing::Length(length) => usize::try_from(length).unwrap_or(usize::MAX),
        Framing::Chunked | Framing::UntilClose => return Err("an answer with a body".to_owned()),
    };
    Ok((came.len() - bytes >= body).then_some(bytes + body))
}

/// The same of Redis, which answers how many have got it.
fn redis_answer(came: &[u8]) -> Result<Option<usize>, String> {
    let Some(end) = came.windows(2).position(|two| two == b"\r\n") else {
        return Ok(None);
    };
    match came.first() {
        Some(b':') => Ok(Some(end + 2)),
        _ => Err(String::from_utf8_lossy(&came[..end]).into_owned()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// Answers are taken off one by one, what is not whole stays, and a refusal is an error.
    #[test]
    fn reads_answers() {
        let wire = Wire::http(Some("t"));
        let mut came =
            b"HTTP/1.1 201 C\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 204 N\r\n\r\nHTTP/1.1 2"
                .to_vec();
        assert_eq!(wire.answers(&mut came), Ok(2));
        assert_eq!(came, b"HTTP/1.1 2");
        let mut refused = b"HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n".to_vec();
        assert!(wire.answers(&mut refused).unwrap_err().contains("403"));
        let mut came = b":1\r\n:0\r\n:".to_vec();
        assert_eq!(Wire::Redis.answers(&mut came), Ok(2));
        assert!(Wire::Redis.answers(&mut b"-ERR no\r\n".to_vec()).is_err());
        let mut out = Vec::new();
        Wire::Redis.begin("/a", 3, &mut out);
        assert_eq!(out, b"*3\r\n$7\r\nPUBLISH\r\n$2\r\n/a\r\n$3\r\n");
    }
}
