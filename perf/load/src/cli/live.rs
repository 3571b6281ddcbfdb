//! `zonecast-load live`: the command line of live viewers and producers.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::Parser;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use zonecast_load::live::{
    self, Arrivals, Board, LiveReport, LiveSpec, Media, Plan, Pool, ProduceSpec, Second, Sink,
    Verify,
};
use zonecast_load::{find, tls, usage};

use rendition::Rendition;

#[path = "rendition.rs"]
mod rendition;

/// There were errors.
const ERRORS: u8 = 1;
/// The generator was too busy for the figures to count.
const DOES_NOT_COUNT: u8 = 3;

/// Viewers follow live HLS playlists at their pace; what is late, expired, wrong or broken is an
/// error. Ends with 0 if there was none, 1 if there was one, 3 if the generator was too busy.
///
/// Arrivals are COUNT@START+OVER[/SEGMENTS][~RESUMED%], times in seconds, as many as one likes:
/// a ramp `1000@0+10`; steps `100@0+1 100@20+1 100@40+1`; a crowd `5000@60+1`; a crowd that takes
/// one segment each and leaves, nine of ten with a session ticket: `50000@60+30/1~90%`.
#[derive(Debug, Parser)]
pub(crate) struct Arguments {
    /// The server that viewers connect to
    #[arg(long, value_name = "ADDRESS:PORT")]
    target: SocketAddr,
    /// Viewers speak TLS and trust this certificate (PEM); without, plain HTTP
    #[arg(long, value_name = "FILE")]
    root: Option<PathBuf>,
    /// Playlists, as PATH[@BITS][:WEIGHT]; {} in the path is the number of the stream
    #[arg(long, value_name = "PATH", default_value = "/live/b{}/index.m3u8@2M:1")]
    rendition: Vec<Rendition>,
    /// Streams, each with all renditions
    #[arg(long, default_value_t = 1)]
    streams: usize,
    /// Who comes when (default: 100 over five seconds)
    #[arg(long, num_args = 1.., value_name = "COUNT@START+OVER")]
    arrive: Vec<Arrivals>,
    /// Look for the largest number of viewers without an error, up to this one, instead
    #[arg(long, value_name = "VIEWERS", conflicts_with = "arrive")]
    find: Option<u32>,
    /// Seconds before anything counts
    #[arg(long, default_value_t = 10)]
    warm_up: u64,
    /// Seconds that count
    #[arg(long, default_value_t = 20)]
    seconds: u64,
    /// One of so many viewers opens and compares all that it gets
    #[arg(long, default_value_t = 16)]
    verify_every: usize,
    /// The segments are not those of our producers: viewers must get the same as each other
    #[arg(long, conflicts_with = "produce")]
    foreign: bool,
    /// Begin so many segments from the end of the playlist
    #[arg(long, default_value_t = 3)]
    behind: usize,
    /// Play so many seconds after the first segment is there
    #[arg(long, default_value_t = 0.0)]
    cushion: f64,
    /// Ask for segments before they are listed, and again so many milliseconds after a 404
    #[arg(long, value_name = "MS")]
    ahead: Option<u64>,
    /// So many percent of the viewers leave in a minute, and others come with a ticket
    #[arg(long, default_value_t = 0.0)]
    churn: f64,
    /// So many percent of the viewers read slowly; their faults are no errors
    #[arg(long, default_value_t = 0.0)]
    slow: f64,
    /// Bits a second of a slow reader
    #[arg(long, default_value_t = 500e3)]
    slow_rate: f64,
    /// Connect from these addresses, in turn: one holds some 28,000 connections to a server
    #[arg(long, value_delimiter = ',')]
    from: Vec<IpAddr>,
    /// CPUs to stay on, one thread of viewers for each
    #[arg(long, value_delimiter = ',')]
    cpus: Vec<usize>,
    /// Be the producers, too: PUT to this server
    #[arg(long, value_name = "ADDRESS:PORT")]
    produce: Option<SocketAddr>,
    /// Producers speak TLS and trust this certificate (PEM)
    #[arg(long, value_name = "FILE")]
    produce_root: Option<PathBuf>,
    /// Producers' bearer token
    #[arg(long)]
    token: Option<String>,
    /// Seconds of a segment
    #[arg(long, default_value_t = 2.0)]
    segment: f64,
    /// Parts in which a segment is uploaded over its duration
    #[arg(long, default_value_t = 8)]
    slices: u32,
    /// Segments that a playlist lists
    #[arg(long, default_value_t = 5)]
    listed: u64,
    /// What the segments are made from
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Print JSON instead of a table
    #[arg(long)]
    json: bool,
    /// Say nothing while it runs
    #[arg(long)]
    quiet: bool,
}

/// Does what the command line says.
///
/// # Errors
/// What keeps the load from running at all.
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    usage::raise_descriptors();
    if let Some(max) = arguments.find {
        return find_largest(arguments, max);
    }
    let arrivals = match arguments.arrive.as_slice() {
        [] => vec![Arrivals::ramp(100, Duration::from_secs(5))],
        arrivals => arrivals.to_vec(),
    };
    let report = once(arguments, arrivals, u64::MAX)?;
    print(arguments, &report)?;
    Ok(ExitCode::from(match (report.counts, report.errors) {
        (false, _) => DOES_NOT_COUNT,
        (true, 0) => 0,
        (true, _) => ERRORS,
    }))
}

/// A try for each number of viewers; the last one without an error is printed.
fn find_largest(arguments: &Arguments, max: u32) -> Result<ExitCode> {
    let over = Duration::from_secs(arguments.warm_up) / 2;
    let mut best = None;
    let mut busy = false;
    let found = find::largest(max.div_ceil(16), max, 0.02, |viewers| {
        let report = once(arguments, vec![Arrivals::ramp(viewers, over)], 0)?;
        let passes = report.counts && report.errors == 0 && report.amounts.segments > 0;
        eprintln!(
            "load: {viewers} viewers: {} errors{}",
            report.errors,
            if report.counts {
                ""
            } else {
                ", the generator was too busy"
            }
        );
        busy |= !report.counts;
        if passes {
            best = Some(report);
        }
        anyhow::Ok(passes)
    })?;
    let Some((viewers, report)) = found.zip(best) else {
        bail!("not even one viewer was without an error");
    };
    print(arguments, &report)?;
    eprintln!("load: {viewers} viewers without an error");
    // The limit that was found may be the generator's.
    Ok(ExitCode::from(if busy { DOES_NOT_COUNT } else { 0 }))
}

fn print(arguments: &Arguments, report: &LiveReport) -> Result<()> {
    match arguments.json {
        true => println!("{}", serde_json::to_string(report)?),
        false => print!("{report}"),
    }
    Ok(())
}

/// One load; it ends early once there are more than so many errors that count.
fn once(arguments: &Arguments, arrivals: Vec<Arrivals>, errors_max: u64) -> Result<LiveReport> {
    let (spec, produce) = specs(arguments, arrivals)?;
    let plan = Plan {
        warm_up: Duration::from_secs(arguments.warm_up),
        measured: Duration::from_secs(arguments.seconds),
        cpus: arguments.cpus.clone(),
    };
    let mut errors = 0;
    let report = live::run(spec, produce, &plan, |second| {
        if !arguments.quiet {
            progress(second);
        }
        errors += if second.counts {
            second.tally.errors()
        } else {
            0
        };
        errors <= errors_max
    })?;
    Ok(report)
}

fn progress(second: &Second) {
    let tally = &second.tally;
    let [late, expired, wrong, broken] = tally.faults;
    let crowd: u64 = tally.crowd_faults.iter().sum();
    eprintln!(
        "{:>4} s{} viewers {} segments {} Mb/s {:.0} late {late} expired {expired} wrong {wrong} \
         broken {broken} crowd's {crowd} thread {:.0} %",
        second.number,
        if second.counts { "" } else { " (warm-up)" },
        second.viewers,
        tally.amounts.segments,
        tally.amounts.body_bytes as f64 * 8e-6,
        second.own_share * 100.0,
    );
}

fn specs(
    arguments: &Arguments,
    arrivals: Vec<Arrivals>,
) -> Result<(LiveSpec, Option<ProduceSpec>)> {
    let streams = 0..arguments.streams.max(1);
    let tracks: Vec<_> = streams
        .flat_map(|stream| arguments.rendition.iter().map(move |r| r.track(stream)))
        .collect();
    if tracks.iter().all(|track| track.weight == 0) {
        bail!("no rendition is watched by anybody");
    }
    let duration = Duration::try_from_secs_f64(arguments.segment).context("--segment")?;
    if duration < Duration::from_millis(100) {
        bail!("--segment: a segment plays for a tenth of a second at least");
    }
    let media = Arc::new(Media::make(arguments.seed, tracks, duration));
    let read = |file: &PathBuf| {
        CertificateDer::from_pem_file(file)
            .with_context(|| format!("{} is no certificate", file.display()))
    };
    let mut spec = LiveSpec::new(arguments.target, Arc::clone(&media), arrivals);
    if let Some(root) = &arguments.root {
        spec.tls = Some(live::clients(read(root)?, &Arc::new(Pool::default()))?);
    }
    spec.verify = match arguments.foreign {
        true => Verify::Agreement(arguments.verify_every),
        false => Verify::Media(arguments.verify_every),
    };
    spec.behind = arguments.behind;
    spec.cushion = Duration::try_from_secs_f64(arguments.cushion).context("--cushion")?;
    spec.ahead = arguments.ahead.map(Duration::from_millis);
    (spec.churn, spec.slow) = (arguments.churn, arguments.slow);
    spec.slow_rate = arguments.slow_rate;
    spec.from.clone_from(&arguments.from);
    let Some(target) = arguments.produce else {
        return Ok((spec, None));
    };
    let board = Arc::new(Board::new(media.tracks.len()));
    spec.board = Some(Arc::clone(&board));
    let tls = arguments.produce_root.as_ref();
    let offer = |root| -> Result<_> { Ok(Arc::new(tls::client(read(root)?, false)?)) };
    let produce = ProduceSpec {
        sink: Sink::Http {
            targets: vec![target],
            tls: tls.map(offer).transpose()?,
            token: arguments.token.clone(),
        },
        media,
        slices: arguments.slices,
        listed: arguments.listed,
        first: usage::unix_seconds() / duration.as_secs().max(1),
        preload: 3,
        board: Some(board),
    };
    Ok((spec, Some(produce)))
}
