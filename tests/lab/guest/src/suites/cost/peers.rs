//! The servers that are compared: the daemon, nginx, the bare program. Each is started for its
//! row alone, does nothing else, and is told to do the same work.

use super::bare::Orders;
use super::viewer::{Framing, Place, Speech};
use super::{OBJECT, Shape};
use crate::daemon::TOKEN;
use crate::https::{Certificate, put, segment};
use crate::offer::offer;
use crate::tool::{Server, run, start, until};
use anyhow::{Result, ensure};
use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where the daemon listens.
const DAEMON_PORT: u16 = 8443;

/// This same program.
const SELF: &str = "/init";

/// A server that runs until it is dropped.
pub(super) struct Peer {
    pub(super) server: Server,
    pub(super) place: Place,
}

/// What all servers share: a folder in memory with a certificate and the object.
pub(super) struct Bed {
    pub(super) folder: PathBuf,
    pub(super) certificate: Certificate,
    pub(super) object: Vec<u8>,
    /// What is asked of the servers.
    pub(super) shape: Shape,
}

impl Bed {
    /// Has the object, and what is asked, be so.
    pub(super) fn shaped(&mut self, shape: Shape) -> Result<()> {
        if shape.bytes != self.shape.bytes {
            self.object = segment(&self.folder.join(OBJECT), shape.bytes)?;
        }
        self.shape = shape;
        Ok(())
    }

    fn http(&self, path: &str, address: SocketAddr, framing: Framing) -> Result<Place> {
        let tls = framing.version();
        let tls = tls.map(|version| offer(&self.certificate, version));
        let tls = tls.transpose()?;
        Ok(Place {
            address,
            framing,
            speech: Speech::Http {
                request: format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n"),
                tls,
            },
        })
    }

    /// The daemon at an address, with bytes framed so; `listener` is what its listener is told beyond
    /// the address.
    pub(super) fn daemon(&self, at: Ipv4Addr, framing: Framing, listener: &str) -> Result<Peer> {
        let address = SocketAddr::from((at, DAEMON_PORT));
        let config = self.daemon_config(address, listener)?;
        let mut command = Command::new("sh");
        let script = "ulimit -n 65536 && exec zonecast serve --config \"$0\"";
        command.args(["-c", script]).arg(config);
        let server = self.start("zonecast", &mut command, " ready ")?;
        let name = format!("/live/a/{OBJECT}");
        let ingest = format!("http://127.0.0.1:8080{name}");
        put(&ingest, &self.folder.join(OBJECT), TOKEN)?;
        let place = self.http(&name, address, framing)?;
        Ok(Peer { server, place })
    }

    /// Whether the daemon's listeners know these keys.
    pub(super) fn daemon_knows(&self, listener: &str) -> Result<bool> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, DAEMON_PORT));
        let config = self.daemon_config(address, listener)?;
        let config = config.to_string_lossy();
        Ok(run("zonecast", &["check", "--config", &config]).is_ok())
    }

    fn daemon_config(&self, address: SocketAddr, listener: &str) -> Result<PathBuf> {
        let token = self.folder.join("token");
        fs::write(&token, TOKEN)?;
        fs::set_permissions(&token, fs::Permissions::from_mode(0o600))?;
        let (chain, key) = (&self.certificate.chain, &self.certificate.key);
        let config = self.folder.join("zonecast.toml");
        let text = format!(
            "state_dir = \"\"\n[memory]\narena = \"64MiB\"\n[steering]\nmode = \"off\"\n\
             [[certificates]]\nchain_file = {chain:?}\nkey_file = {key:?}\n\
             [[listeners]]\nlisten = \"{address}\"\n{listener}\n\
             [ingest]\nlisten = \"127.0.0.1:8080\"\n\
             [[streams]]\nid = \"a\"\ntoken_file = \"token\"\nring = \"32MiB\"\ntracks_max = 2\n"
        );
        fs::write(&config, text)?;
        Ok(config)
    }

    /// nginx with one worker; `tls` is what its TLS is told, if it has any.
    pub(super) fn nginx(&self, tls: Option<&str>) -> Result<Peer> {
        let folder = self.folder.to_string_lossy();
        let (listen, told) = match tls {
            Some(told) => (" ssl", self.nginx_tls(told)),
            None => ("", String::new()),
        };
        let config = self.folder.join("nginx.conf");
        let text = format!(
            "daemon off; master_process off; user root root; pid {folder}/nginx.pid;\n\
             error_log stderr notice;\nevents {{ use epoll; worker_connections 4096; }}\nhttp {{\n\
             access_log off; sendfile on; tcp_nopush on; tcp_nodelay on; types {{ }}\n\
             keepalive_requests 1000000; keepalive_timeout 36000s;\n\
             open_file_cache max=100 inactive=36000s; open_file_cache_valid 36000s;\n\
             client_body_temp_path {folder}/t; proxy_temp_path {folder}/t;\n\
             fastcgi_temp_path {folder}/t; uwsgi_temp_path {folder}/t; scgi_temp_path {folder}/t;\n\
             server {{ listen 127.0.0.1:9443{listen}; root {folder};\n{told} }} }}\n"
        );
        fs::write(&config, text)?;
        let mut command = Command::new("nginx");
        command.args(["-e", "stderr", "-p"]).arg(&self.folder);
        command.arg("-c").arg(&config);
        let server = self.start("nginx", &mut command, "using the \"epoll\"")?;
        let framing = match tls {
            Some(_) => Framing::Tls13,
            None => Framing::Plain,
        };
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 9443));
        let place = self.http(&format!("/{OBJECT}"), address, framing)?;
        until("nginx", || Ok(TcpStream::connect(place.address).ok()))?;
        Ok(Peer { server, place })
    }

    fn nginx_tls(&self, told: &str) -> String {
        let (chain, key) = (&self.certificate.chain, &self.certificate.key);
        format!(
            "ssl_certificate {}; ssl_certificate_key {};\n\
             ssl_protocols TLSv1.3; ssl_ecdh_curve X25519;\n\
             ssl_conf_command Ciphersuites TLS_AES_128_GCM_SHA256;\n{told}\n",
            chain.display(),
            key.display(),
        )
    }

    /// The bare program.
    pub(super) fn bare(&self, orders: &Orders) -> Result<Peer> {
        let mut command = Command::new(SELF);
        command.args(orders.words());
        let server = self.start("bare", &mut command, "listening")?;
        let place = Place {
            address: orders.address,
            speech: Speech::Bare,
            framing: orders.framing,
        };
        Ok(Peer { server, place })
    }

    /// Starts a server and waits until it says `sign`.
    fn start(&self, name: &str, command: &mut Command, sign: &str) -> Result<Server> {
        let log = self.log(name);
        let mut server = start(command, &log)?;
        until(name, || {
            let runs = server.is_running();
            let said = fs::read_to_string(&log)?;
            ensure!(runs, "{name} has ended: {said}");
            Ok(said.contains(sign).then_some(()))
        })?;
        Ok(server)
    }

    fn log(&self, name: &str) -> PathBuf {
        Path::new(&self.folder).join(format!("{name}.log"))
    }
}
