//! The live summary: one screen by zone, from the daemon's metrics and the viewers' own
//! counts. Reading is apart from drawing, and drawing is a pure function of a [`Sample`].

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use serde_json::Value;

use crate::ledger::Totals;
use crate::metrics::Metrics;
use crate::tally::Counts;

/// What the daemon says of one zone.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Zone {
    /// Streams whose home it is.
    pub streams: u64,
    /// Viewers on its loops.
    pub viewers: u64,
    /// Bytes sent by its loops since the start, by byte path.
    pub bytes: BTreeMap<String, u64>,
    /// TLS handshakes since the start, resumed ones included.
    pub handshakes: u64,
    /// Of these, resumed ones.
    pub resumed: u64,
    /// Viewers that the ring overtook.
    pub lapped: u64,
}

impl Zone {
    /// Bytes over all paths.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.bytes.values().sum()
    }
}

/// What one stream does, as `/streams` says.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Stream {
    /// Its id.
    pub id: String,
    /// Its home zone.
    pub zone: Option<u64>,
    /// Its tracks.
    pub tracks: u64,
}

/// All that is shown at one moment.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Sample {
    /// Since the encoders started.
    pub elapsed: Duration,
    /// When it will end by itself.
    pub total: Option<Duration>,
    /// By zone.
    pub zones: BTreeMap<u64, Zone>,
    /// The streams.
    pub streams: Vec<Stream>,
    /// What the viewers found.
    pub counts: Counts,
    /// What the tee saw.
    pub totals: Totals,
}

impl Sample {
    /// Enters what the daemon says; what it does not say stays zero.
    pub fn read(&mut self, metrics: &Metrics, streams: &Value) {
        for name in ["zonecast_viewers", "zonecast_zone_bytes_total"] {
            for id in metrics.values(name, "zone") {
                let Ok(number) = id.parse() else { continue };
                self.zones.insert(number, zone(metrics, &id));
            }
        }
        self.streams = streams
            .as_array()
            .into_iter()
            .flatten()
            .map(stream)
            .collect();
        for stream in &self.streams {
            if let Some(zone) = stream.zone {
                self.zones.entry(zone).or_default().streams += 1;
            }
        }
    }

    /// The whole screen. `before` is the sample of a moment ago, for rates.
    #[must_use]
    pub fn screen(&self, before: &Sample) -> String {
        let mut out = String::new();
        let until = self
            .total
            .map(|total| format!(" of {}", clock(total)))
            .unwrap_or_default();
        // Writing to a String cannot fail.
        let _ = writeln!(out, "zonecast demo  {}{until}\n", clock(self.elapsed));
        let _ = writeln!(
            out,
            "zone  streams  viewers     Gb/s        MB  handshakes  resumed  lapped  byte path"
        );
        for (id, zone) in &self.zones {
            let _ = writeln!(
                out,
                "{id:>4}  {:>7}  {:>7}  {:>7.3}  {:>8.1}  {:>10}  {:>7}  {:>6}  {}",
                zone.streams,
                zone.viewers,
                self.gigabits(before, *id),
                megabytes(zone.total()),
                zone.handshakes,
                zone.resumed,
                zone.lapped,
                paths(zone),
            );
        }
        let _ = writeln!(out);
        for Stream { id, zone, tracks } in &self.streams {
            let zone = zone.map_or_else(|| "no zone".to_owned(), |zone| format!("zone {zone}"));
            let _ = writeln!(out, "stream {id}: {zone}, {tracks} tracks");
        }
        let _ = writeln!(out, "\n{}", self.tee());
        let _ = writeln!(out, "{}", self.viewers());
        out
    }

    /// The same in one line.
    #[must_use]
    pub fn line(&self, before: &Sample) -> String {
        let mut out = clock(self.elapsed);
        for (id, zone) in &self.zones {
            let _ = write!(
                out,
                " | zone {id}: {} streams, {} viewers, {:.3} Gb/s {}, {} handshakes, {} lapped",
                zone.streams,
                zone.viewers,
                self.gigabits(before, *id),
                paths(zone),
                zone.handshakes,
                zone.lapped,
            );
        }
        let _ = write!(out, " | {}", self.viewers());
        out
    }

    fn tee(&self) -> String {
        let Totals {
            complete,
            aborted,
            refused,
            lost,
            deletes,
            bytes,
            ..
        } = self.totals;
        let megabytes = megabytes(bytes);
        format!(
            "tee      {complete} uploads, {megabytes:.1} MB, {deletes} deletes, \
             {aborted} cut off, {refused} refused, {lost} lost"
        )
    }

    fn viewers(&self) -> String {
        let counts = &self.counts;
        format!(
            "viewers  {} watching, {} segments, {} corrupt, {} missing, {} late, {} retries",
            counts.watching,
            counts.segments,
            counts.corrupt + counts.stale,
            counts.missing,
            counts.late,
            counts.retries + counts.cut,
        )
    }

    fn gigabits(&self, before: &Sample, zone: u64) -> f64 {
        let total = |sample: &Sample| sample.zones.get(&zone).map_or(0, Zone::total);
        let bytes = total(self).saturating_sub(total(before));
        let seconds = self.elapsed.saturating_sub(before.elapsed).as_secs_f64();
        if seconds > 0.0 {
            bytes as f64 * 8.0 / 1e9 / seconds
        } else {
            0.0
        }
    }
}

fn zone(metrics: &Metrics, id: &str) -> Zone {
    // Counters are whole numbers well inside what a double holds.
    let count = |name: &str, labels: &[(&str, &str)]| {
        let mut labels = labels.to_vec();
        labels.push(("zone", id));
        metrics.sum(name, &labels).max(0.0) as u64
    };
    let mut bytes = BTreeMap::new();
    for path in metrics.values("zonecast_zone_bytes_total", "path") {
        let sent = count("zonecast_zone_bytes_total", &[("path", &path)]);
        if sent > 0 {
            bytes.insert(path, sent);
        }
    }
    let resumed =
        ["true", "yes", "1"].map(|yes| count("zonecast_handshakes_total", &[("resumed", yes)]));
    Zone {
        streams: 0,
        viewers: count("zonecast_viewers", &[]),
        bytes,
        handshakes: count("zonecast_handshakes_total", &[]),
        resumed: resumed.iter().sum(),
        lapped: count("zonecast_viewers_lapped_total", &[]),
    }
}

fn stream(value: &Value) -> Stream {
    Stream {
        id: value["id"].as_str().unwrap_or("?").to_owned(),
        zone: value["zone"].as_u64(),
        tracks: value["tracks"]
            .as_array()
            .map_or(0, |tracks| tracks.len() as u64),
    }
}

/// The byte paths in use, the busiest first.
fn paths(zone: &Zone) -> String {
    let mut paths: Vec<(&str, u64)> = zone
        .bytes
        .iter()
        .map(|(path, sent)| (path.as_str(), *sent))
        .collect();
    paths.sort_by_key(|(_, sent)| std::cmp::Reverse(*sent));
    let names: Vec<&str> = paths.into_iter().map(|(path, _)| path).collect();
    if names.is_empty() {
        "-".to_owned()
    } else {
        names.join("+")
    }
}

fn clock(time: Duration) -> String {
    format!("{:02}:{:02}", time.as_secs() / 60, time.as_secs() % 60)
}

/// Millions of bytes.
#[must_use]
pub fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

#[cfg(test)]
mod tests;
