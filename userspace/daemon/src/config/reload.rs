//! Reading the file again: what may change while the daemon runs, and what stays.

use super::{ConfigError, Document, File, Ingest, Planned, Settings, check, parse, read};

/// Reads the file of `running` again. The result has the new values of all that can change, and
/// the running ones of all that cannot; the keys of the latter that differ come with it.
///
/// # Errors
/// What is wrong with the new file, be it by itself or together with what stays.
pub fn reload(running: &Settings) -> Result<(Settings, Vec<&'static str>), ConfigError> {
    let path = &running.path;
    let text = read(path).map_err(|source| ConfigError::Unreadable {
        path: path.clone(),
        source,
    })?;
    let document = Document::new(text);
    let new = parse(path, &document)?;
    let merged = merge(&running.file, &new);
    let stays = unchangeable(&new, &merged);
    let planned = |_: &_, _| Ok::<Planned, String>(running.planned.clone());
    let again = Document::new(document.text().to_owned());
    check(path, again, new, &planned)?;
    let mut settings = check(path, document, merged, &planned)?;
    settings.state_dir.clone_from(&running.state_dir);
    Ok((settings, stays))
}

/// The new file with the running values of what cannot change.
fn merge(running: &File, new: &File) -> File {
    File {
        certificates: new.certificates.clone(),
        streams: new.streams.clone(),
        drain_timeout: new.drain_timeout,
        ingest: Ingest {
            open: new.ingest.open,
            token_file: new.ingest.token_file.clone(),
            token_sha256: new.ingest.token_sha256,
            streams_max: new.ingest.streams_max,
            ..running.ingest.clone()
        },
        ..running.clone()
    }
}

/// Where the new file wants what the merged one does not have.
fn unchangeable(new: &File, merged: &File) -> Vec<&'static str> {
    let differs = [
        ("state_dir", new.state_dir != merged.state_dir),
        ("holder", new.holder != merged.holder),
        ("steering", new.steering != merged.steering),
        ("zones", new.zones != merged.zones),
        ("control_cpus", new.control_cpus != merged.control_cpus),
        ("memory", new.memory != merged.memory),
        ("admin", new.admin != merged.admin),
        ("listeners", new.listeners != merged.listeners),
        ("ingest", new.ingest != merged.ingest),
        ("limits", new.limits != merged.limits),
    ];
    differs
        .into_iter()
        .filter(|(_, differs)| *differs)
        .map(|(key, _)| key)
        .collect()
}
