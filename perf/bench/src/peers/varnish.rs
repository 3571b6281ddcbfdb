//! Varnish, which keeps all objects in its memory, behind hitch, which shakes hands and seals;
//! without TLS, Varnish alone. Varnish fetches each object once from an nginx that idles from then
//! on.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use zonecast_perf::child::Child;

use super::{POLL, Process, READY_MAX, free_address, listening, nginx};
use crate::bed::Bed;

const PATIENCE: Duration = Duration::from_secs(10);
/// Threads of Varnish: one for each connection that is being served.
const THREADS_MAX: usize = 20_000;

/// What serves, from the viewers' side on.
pub(crate) struct Chain {
    hitch: Option<Child>,
    varnish: Child,
    _origin: Child,
}

impl Chain {
    /// What viewers connect to.
    pub(super) fn front(&mut self) -> &mut Child {
        self.hitch.as_mut().unwrap_or(&mut self.varnish)
    }
}

pub(super) fn start(bed: &Bed) -> Result<(Process, SocketAddr)> {
    let folder = bed.folder().join("varnish");
    std::fs::create_dir_all(&folder)?;
    let (mut origin, from) = nginx::serve(bed, true)?;
    listening(&mut origin, from)?;
    let plain = free_address()?;
    let vcl = folder.join("cache.vcl");
    std::fs::write(&vcl, cache(from)).context("cannot write cache.vcl")?;
    let content_mib = (bed.objects.count() * bed.objects.size()) >> 20;
    let mut command = Command::new(&bed.programs.varnishd);
    command.arg("-F").arg("-n").arg(folder.join("work"));
    command.arg("-f").arg(&vcl).args(["-T", "none"]);
    command.arg("-a").arg(format!("{plain},HTTP"));
    command
        .arg("-s")
        .arg(format!("malloc,{}m", content_mib * 2 + 64));
    for (name, value) in [
        ("thread_pools", 1),
        ("thread_pool_max", THREADS_MAX),
        ("timeout_idle", 36_000),
        ("listen_depth", 4096),
    ] {
        command.arg("-p").arg(format!("{name}={value}"));
    }
    let mut varnish = Child::start("varnishd", command, &folder.join("varnishd.log"))?;
    listening(&mut varnish, plain)?;
    fetch_all(bed, plain)?;
    let (hitch, target) = match bed.plain {
        true => (None, plain),
        false => {
            let (hitch, target) = seal(bed, plain)?;
            (Some(hitch), target)
        }
    };
    let chain = Chain {
        hitch,
        varnish,
        _origin: origin,
    };
    Ok((Process::Varnish(Box::new(chain)), target))
}

/// Objects never grow old, and heads are of the same length each time.
fn cache(from: SocketAddr) -> String {
    format!(
        "vcl 4.1;
backend default {{ .host = \"{}\"; .port = \"{}\"; }}
sub vcl_recv {{ return (hash); }}
sub vcl_backend_response {{ set beresp.ttl = 10h; set beresp.grace = 10h; return (deliver); }}
sub vcl_deliver {{
    unset resp.http.X-Varnish;
    unset resp.http.Age;
    unset resp.http.Via;
}}
",
        from.ip(),
        from.port()
    )
}

/// Has Varnish fetch every object.
fn fetch_all(bed: &Bed, varnish: SocketAddr) -> Result<()> {
    for number in 0..bed.objects.count() {
        let path = format!("{}{}", bed.url_folder(), bed.objects.name(number));
        let mut stream = TcpStream::connect_timeout(&varnish, PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        )?;
        let mut response = Vec::new();
        stream.read_to_end(&mut response)?;
        if !response.starts_with(b"HTTP/1.1 200") {
            bail!("Varnish does not have {path}");
        }
    }
    Ok(())
}

/// hitch in front of Varnish, with the same TLS as the others.
fn seal(bed: &Bed, varnish: SocketAddr) -> Result<(Child, SocketAddr)> {
    let folder = bed.folder().join("hitch");
    std::fs::create_dir_all(&folder)?;
    let read = |path| std::fs::read_to_string(path).context("the certificate cannot be read");
    let (chain, key) = (
        read(&bed.certificate.chain_file)?,
        read(&bed.certificate.key_file)?,
    );
    let pem = folder.join("both.pem");
    std::fs::write(&pem, key + &chain)?;
    let target = free_address()?;
    let file = folder.join("hitch.conf");
    // hitch's worker is never root.
    let user = match rustix::process::geteuid().is_root() {
        true => "user = \"nobody\"\n",
        false => "",
    };
    let text = format!(
        "frontend = \"[{}]:{}\"
backend = \"[{}]:{}\"
pem-file = \"{}\"
workers = 1
backlog = 4096
daemon = off
tls-protos = TLSv1.3
ciphersuites = \"TLS_AES_128_GCM_SHA256\"
ecdh-curve = \"X25519\"
keepalive = 36000
{user}",
        target.ip(),
        target.port(),
        varnish.ip(),
        varnish.port(),
        pem.display()
    );
    std::fs::write(&file, text).context("cannot write hitch.conf")?;
    let mut command = Command::new(&bed.programs.hitch);
    command.arg(format!("--config={}", file.display()));
    let mut hitch = Child::start("hitch", command, &folder.join("hitch.log"))?;
    listening(&mut hitch, target)?;
    Ok((hitch, target))
}

/// The process that does the work: the child of the one that was started.
///
/// # Errors
/// It has none.
pub(super) fn worker(pid: u32) -> Result<u32> {
    let deadline = Instant::now() + READY_MAX;
    loop {
        let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
        let children = children.context("the server has ended")?;
        if let Some(child) = children.split_whitespace().next() {
            return Ok(child.parse()?);
        }
        if Instant::now() > deadline {
            bail!("no worker was started");
        }
        std::thread::sleep(POLL);
    }
}
