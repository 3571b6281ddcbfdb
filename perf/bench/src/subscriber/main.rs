//! Writes what Redis publishes as files: the subscriber of the Redis peer.
//!
//! `zonecast-subscriber ADDRESS:PORT FOLDER`: the channel is the path below the folder. A file is
//! there at once with its whole content; of each folder the last few segments are kept. One
//! thread, as much of a message as is there in each read, no copy but the one into the file.
#![forbid(unsafe_code)]

use std::collections::{HashMap, VecDeque};
use std::fs;
use std::io::{self, BufRead, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Segments of a folder that are kept.
const KEPT: usize = 8;
const READ_BYTES: usize = 256 * 1024;
/// A message is not longer.
const MESSAGE_BYTES_MAX: usize = 64 << 20;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [redis, folder] = arguments.as_slice() else {
        eprintln!("zonecast-subscriber ADDRESS:PORT FOLDER");
        return ExitCode::FAILURE;
    };
    match run(redis, Path::new(folder)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("subscriber: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(redis: &str, folder: &Path) -> io::Result<()> {
    let mut stream = TcpStream::connect(redis)?;
    stream.write_all(b"*2\r\n$10\r\nPSUBSCRIBE\r\n$1\r\n*\r\n")?;
    let mut input = BufReader::with_capacity(READ_BYTES, stream);
    let mut kept = HashMap::new();
    loop {
        // "pmessage", the pattern, the channel, the payload.
        let words = message(&mut input)?;
        if let [kind, _, channel, payload] = words.as_slice()
            && kind == b"pmessage"
        {
            let path = String::from_utf8_lossy(channel);
            write(folder, path.trim_start_matches('/'), payload, &mut kept)?;
        }
    }
}

/// One array of strings; numbers in it are left empty.
fn message(input: &mut impl BufRead) -> io::Result<Vec<Vec<u8>>> {
    let count = number(input, b'*')?;
    let mut words = Vec::with_capacity(count.min(8));
    for _ in 0..count {
        if input.fill_buf()?.first() == Some(&b':') {
            number(input, b':')?;
            words.push(Vec::new());
            continue;
        }
        let bytes = number(input, b'$')?;
        let mut word = vec![0; bytes + 2];
        input.read_exact(&mut word)?;
        word.truncate(bytes);
        words.push(word);
    }
    Ok(words)
}

/// The number of a line that begins with `mark`.
fn number(input: &mut impl BufRead, mark: u8) -> io::Result<usize> {
    let mut line = Vec::new();
    input.take(64).read_until(b'\n', &mut line)?;
    let text = line.strip_prefix(&[mark]).unwrap_or_default();
    let number = str::from_utf8(text)
        .ok()
        .and_then(|text| text.trim().parse().ok());
    let number = number.filter(|number| *number <= MESSAGE_BYTES_MAX);
    number.ok_or_else(|| {
        let line = String::from_utf8_lossy(&line);
        io::Error::other(format!("Redis says {line:?}"))
    })
}

/// Writes a file beside, and renames it.
fn write(
    folder: &Path,
    path: &str,
    payload: &[u8],
    kept: &mut HashMap<PathBuf, VecDeque<PathBuf>>,
) -> io::Result<()> {
    let path = folder.join(path);
    let own = path.parent().unwrap_or(folder).to_owned();
    if !kept.contains_key(&own) {
        fs::create_dir_all(&own)?;
    }
    let new = path.with_extension("new");
    fs::write(&new, payload)?;
    fs::rename(&new, &path)?;
    let segments = kept.entry(own).or_default();
    if path
        .extension()
        .is_some_and(|extension| extension == "m3u8")
    {
        return Ok(());
    }
    segments.push_back(path);
    if segments.len() > KEPT
        && let Some(old) = segments.pop_front()
    {
        fs::remove_file(old)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// A message's words come out whole, numbers are passed over, and rubbish is an error.
    #[test]
    fn reads_messages() {
        let mut input: &[u8] = b"*3\r\n$10\r\npsubscribe\r\n$1\r\n*\r\n:1\r\n\
            *4\r\n$8\r\npmessage\r\n$1\r\n*\r\n$2\r\n/a\r\n$3\r\n\r\nx\r\nrest";
        assert_eq!(message(&mut input).unwrap().len(), 3);
        let words = message(&mut input).unwrap();
        assert_eq!(words[2..], [b"/a".to_vec(), b"\r\nx".to_vec()]);
        assert!(message(&mut input).is_err());
    }

    /// The last segments stay, and the playlist does.
    #[test]
    fn keeps_the_last() {
        let folder = std::env::temp_dir().join(format!("zonecast-sub-{}", std::process::id()));
        let mut kept = HashMap::new();
        for number in 0..KEPT + 3 {
            write(&folder, "b0/index.m3u8", b"x", &mut kept).unwrap();
            write(&folder, &format!("b0/s{number}.ts"), b"yy", &mut kept).unwrap();
        }
        let files = fs::read_dir(folder.join("b0")).unwrap().count();
        assert_eq!(files, KEPT + 1);
        assert!(!folder.join("b0/s2.ts").exists());
        fs::remove_dir_all(folder).unwrap();
    }
}
