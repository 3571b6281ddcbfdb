//! nginx: one worker, files in memory, and the same TLS as the others.

use std::net::SocketAddr;
use std::process::Command;

use anyhow::{Context, Result};
use zonecast_perf::child::Child;

use super::{Process, free_address};
use crate::bed::Bed;

/// Session tickets after a handshake: what the daemon sends (dataplane, `tls::Acceptor`).
const TICKETS: u32 = 2;

/// Objects that never change: their descriptors are kept.
const KEPT: &str = "open_file_cache max=4000 inactive=36000s;
    open_file_cache_valid 36000s;
    open_file_cache_min_uses 1;";
/// Playlists change, and are to be seen at once.
const LIVE: &str = "open_file_cache off;";

pub(super) fn start(bed: &Bed) -> Result<(Process, SocketAddr)> {
    let (child, address) = serve(bed, bed.plain)?;
    Ok((Process::Child(child), address))
}

/// For files that come and go.
pub(crate) fn start_live(bed: &Bed) -> Result<(Process, SocketAddr)> {
    let (child, address) = serve_with(bed, bed.plain, LIVE)?;
    Ok((Process::Child(child), address))
}

/// nginx by itself, or as what another server fetches its objects from.
pub(super) fn serve(bed: &Bed, plain: bool) -> Result<(Child, SocketAddr)> {
    serve_with(bed, plain, KEPT)
}

fn serve_with(bed: &Bed, plain: bool, cache: &str) -> Result<(Child, SocketAddr)> {
    let folder = bed.folder().join("nginx");
    std::fs::create_dir_all(&folder)?;
    let address = free_address()?;
    let file = folder.join("nginx.conf");
    std::fs::write(&file, configuration(bed, address, plain, cache))
        .context("cannot write nginx.conf")?;
    let mut command = Command::new(&bed.programs.nginx);
    command.arg("-p").arg(&folder).arg("-c").arg(&file);
    let child = Child::start("nginx", command, &folder.join("nginx.log"))?;
    Ok((child, address))
}

/// Everything that costs without being the same work as the others' is off; everything that
/// makes nginx faster at this work is on.
fn configuration(bed: &Bed, address: SocketAddr, plain: bool, cache: &str) -> String {
    let folder = bed.folder().join("nginx");
    let root = bed.document_root();
    let (chain, key) = (&bed.certificate.chain_file, &bed.certificate.key_file);
    let mask = format!("{:b}", 1_u128 << bed.server_cpu);
    let tls = if plain { "" } else { " ssl" };
    format!(
        "daemon off;
master_process off;
worker_processes 1;
worker_cpu_affinity {mask};
pid {folder}/nginx.pid;
error_log stderr warn;
events {{
    worker_connections 18000;
    use epoll;
}}
http {{
    access_log off;
    sendfile on;
    tcp_nopush on;
    tcp_nodelay on;
    server_tokens off;
    types {{ }}
    default_type application/octet-stream;
    keepalive_requests 1000000000;
    keepalive_timeout 36000s;
    send_timeout 36000s;
    client_header_timeout 36000s;
    reset_timedout_connection off;
    {cache}
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen {address} backlog=4096{tls};
        server_name localhost;
        root {root};
        ssl_certificate {chain};
        ssl_certificate_key {key};
        ssl_protocols TLSv1.3;
        ssl_conf_command Ciphersuites TLS_AES_128_GCM_SHA256;
        ssl_conf_command NumTickets {TICKETS};
        ssl_ecdh_curve X25519;
        ssl_session_tickets on;
        ssl_session_timeout 1d;
    }}
}}
",
        folder = folder.display(),
        root = root.display(),
        chain = chain.display(),
        key = key.display(),
    )
}
