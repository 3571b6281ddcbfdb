//! The command line.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use zonecast_ebpf::Folder;

use crate::config::DEFAULT_PATH;
use crate::logging::Format;
use crate::{check, dns, doctor, keep, serve, token, top, zones};

/// Live video from encoders to viewers: out of hugepage rings, by pinned loops, zone by zone.
#[derive(Debug, Parser)]
#[command(name = "zonecast", version, max_term_width = 100)]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve viewers and encoders until told to stop
    ///
    /// SIGHUP reads the file again and takes over its streams, tokens and certificates; a file
    /// with a mistake is refused whole, and what runs goes on as it was. SIGTERM and SIGINT
    /// drain: no new viewers, responses in flight finish (at most drain_timeout), exit code 0.
    /// A second SIGTERM or SIGINT ends the process at once.
    Serve(ServeArguments),
    /// Check a configuration and show what it would start
    ///
    /// Prints mistakes with line and key (exit code 1), or a summary and warnings (exit code 0).
    /// Nothing is started; what runs is not disturbed.
    Check(CheckArguments),
    /// Look at this machine: what it gives a configuration, and what would give it more
    ///
    /// Prints kernel, io_uring, limits, kernel TLS, hugepages and zones, and for each listener the
    /// devices that it leaves by, the byte path that is taken (nic_ktls, ktls, userspace_tls,
    /// plain), why no better one, and the command that would change it. Exit code 1 only if nothing
    /// could be served. Nothing is changed; what runs is not disturbed.
    Doctor(DoctorArguments),
    /// Show what programs in the kernel have counted of each zone
    ///
    /// Connections by the rule that sent them to the zone, those that were left to the kernel, bytes,
    /// retransmits and round trips. Reads pinned maps: it needs no daemon, and no privilege but to reach
    /// the folder.
    Zones(ZonesArguments),
    /// Watch the zones: viewers, bytes, round trips, and how connections come there
    ///
    /// Shows each second what `zonecast zones` prints, and by how much it has changed. Reads pinned maps: it
    /// needs no daemon, and no privilege but to reach the folder. q ends it.
    Top(TopArguments),
    /// Print DNS records for the hosts of zones and streams
    ///
    /// In the form of a zone file: what steering.zones and steering.stream_host name, with the
    /// addresses of steering.zones and steering.stream_prefix. Nothing is asked or changed.
    Dns(DnsArguments),
    /// Hold listening sockets between two daemons, where systemd does not
    ///
    /// A small process that the daemon gives its sockets to (holder = "SOCKET" in the configuration) and
    /// the next one takes them from: who connects while none runs waits instead of being refused. It
    /// runs until it is killed.
    Hold(HoldArguments),
    /// Make a token for encoders
    ///
    /// Prints a new random token, its SHA-256 for the configuration, and ffmpeg lines that use
    /// it. Nothing is stored.
    Token(TokenArguments),
}

/// `zonecast serve`.
#[derive(Args, Debug)]
pub struct ServeArguments {
    /// The configuration file
    #[arg(
        long,
        value_name = "FILE",
        default_value = DEFAULT_PATH
    )]
    pub config: PathBuf,
    /// How log lines on standard error look
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t = Format::Text)]
    pub log_format: Format,
    /// What is logged: a level (error, warn, info, debug, trace), or levels by module such as
    /// "info,zonecast_dataplane=debug"
    #[arg(
        long,
        value_name = "FILTER",
        env = "ZONECAST_LOG",
        default_value = "info"
    )]
    pub log: String,
}

/// `zonecast check`.
#[derive(Args, Debug)]
pub struct CheckArguments {
    /// The configuration file
    #[arg(
        long,
        value_name = "FILE",
        default_value = DEFAULT_PATH
    )]
    pub config: PathBuf,
}

/// `zonecast doctor`.
#[derive(Args, Debug)]
pub struct DoctorArguments {
    /// The configuration file [default: /etc/zonecast/zonecast.toml if it exists, else the
    /// defaults of all keys]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `zonecast zones`.
#[derive(Args, Debug)]
pub struct ZonesArguments {
    /// Where programs and maps are pinned: steering.folder of the configuration
    #[arg(long, value_name = "FOLDER", default_value = Folder::DEFAULT)]
    pub folder: PathBuf,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// Remove what is pinned, which detaches the programs; refused while a daemon steers
    #[arg(long, conflicts_with_all = ["json", "from"])]
    pub clear: bool,
    /// Ask where a connection from this address would go, instead; takes root, and is counted like a
    /// connection
    #[arg(long, value_name = "ADDRESS", requires = "to", conflicts_with = "json")]
    pub from: Option<std::net::IpAddr>,
    /// To where it would connect
    #[arg(long, value_name = "ADDRESS:PORT", requires = "from")]
    pub to: Option<std::net::SocketAddr>,
    /// How often to ask, for the time that a decision takes
    #[arg(long, value_name = "N", default_value_t = 1, requires = "from")]
    pub times: u32,
}

/// `zonecast top`.
#[derive(Args, Debug)]
pub struct TopArguments {
    /// Where programs and maps are pinned: steering.folder of the configuration
    #[arg(long, value_name = "FOLDER", default_value = Folder::DEFAULT)]
    pub folder: PathBuf,
}

/// `zonecast dns`.
#[derive(Args, Debug)]
pub struct DnsArguments {
    /// The configuration file
    #[arg(
        long,
        value_name = "FILE",
        default_value = DEFAULT_PATH
    )]
    pub config: PathBuf,
    /// Streams that are not in the file, for encoders that make their own
    #[arg(long, value_name = "ID")]
    pub stream: Vec<crate::config::StreamId>,
    /// How long resolvers may keep a record, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    pub ttl: u32,
}

/// `zonecast hold`.
#[derive(Args, Debug)]
pub struct HoldArguments {
    /// Where it is asked
    #[arg(long, value_name = "PATH", default_value = "/run/zonecast/hold.sock")]
    pub socket: PathBuf,
}

/// `zonecast token`.
#[derive(Args, Debug)]
pub struct TokenArguments {
    /// The stream that the printed lines are for
    #[arg(long, value_name = "ID", default_value = "news")]
    pub stream: crate::config::StreamId,
    /// Host and port of the ingest listener, for the printed lines
    #[arg(long, value_name = "HOST:PORT", default_value = "localhost:8080")]
    pub host: String,
    /// The ingest listener speaks TLS: print https URLs
    #[arg(long)]
    pub tls: bool,
}

/// Runs the command.
///
/// # Errors
/// What the operator has to know, in one line or several.
pub fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    match arguments.command {
        Command::Serve(arguments) => serve::run(&arguments),
        Command::Check(arguments) => check::run(&arguments.config),
        Command::Doctor(arguments) => doctor::run(&arguments),
        Command::Zones(arguments) => zones::run(&arguments),
        Command::Top(arguments) => top::run(&arguments),
        Command::Dns(arguments) => dns::run(&arguments),
        Command::Hold(arguments) => keep::holder::run(&arguments),
        Command::Token(arguments) => token::run(&arguments),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    /// clap's own checks of the definitions above.
    #[test]
    fn the_command_line_is_well_formed() {
        Arguments::command().debug_assert();
    }
}
