//! An in-memory stand-in for the daemon, for tests only: takes PUT and DELETE on one
//! listener, answers GET on others, and can be told to do it wrong in one way, so that the
//! tests show that the tee and the viewers notice.
#![allow(dead_code, clippy::unwrap_used, missing_docs, unreachable_pub)]

use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio_rustls::TlsAcceptor;
use zonecast_perf::ledger::key_of;

pub mod encoder;
mod serve;

/// How long a GET for an object that is not there waits for it.
const WAIT: Duration = Duration::from_secs(1);

/// What it does wrong, to every object whose name contains the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    None,
    /// One bit of the body is not what it was.
    Flip(String),
    /// The generation before the newest.
    Old(String),
    /// 404, though it was uploaded.
    Drop(String),
    /// 410.
    Gone(String),
    /// The body comes so much later.
    Late(String, Duration),
    /// The first answer ends in mid-body; asked again, it comes whole.
    Cut(String),
    /// The first version for ever.
    Frozen(String),
    /// A much older version, every third time.
    Back(String),
}

impl Fault {
    /// From `flip:index2` and the like.
    pub fn parse(text: &str) -> Fault {
        let (kind, name) = text.split_once(':').unwrap_or((text, ""));
        match kind {
            "flip" => Fault::Flip(name.to_owned()),
            "drop" => Fault::Drop(name.to_owned()),
            _ => Fault::None,
        }
    }
}

#[derive(Default)]
struct Object {
    bodies: Vec<Arc<[u8]>>,
    cut_once: bool,
    asked: usize,
}

/// What a GET is answered with.
pub struct Answer {
    status: u16,
    body: Arc<[u8]>,
    delay: Duration,
    cut: bool,
}

/// The store, shared by all listeners.
pub struct Origin {
    objects: Mutex<HashMap<String, Object>>,
    changed: Notify,
    fault: Fault,
    token: Option<String>,
    pub sent: [AtomicU64; 2],
    pub watching: [AtomicU64; 2],
    pub handshakes: [AtomicU64; 2],
}

/// What a listener is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    Ingest,
    Viewers,
    Admin,
}

impl Origin {
    pub fn new(fault: Fault, token: Option<String>) -> Arc<Origin> {
        Arc::new(Origin {
            objects: Mutex::default(),
            changed: Notify::new(),
            fault,
            token,
            sent: Default::default(),
            watching: Default::default(),
            handshakes: Default::default(),
        })
    }

    /// Serves a listener for ever, on the current runtime.
    pub fn listen(
        self: &Arc<Self>,
        listener: std::net::TcpListener,
        role: Role,
        tls: Option<TlsAcceptor>,
    ) {
        listener.set_nonblocking(true).unwrap();
        let listener = TcpListener::from_std(listener).unwrap();
        tokio::spawn(serve::accept(self.clone(), listener, role, tls));
    }

    fn put(&self, target: &str, body: Vec<u8>) -> u16 {
        let Some(key) = key_of(target) else {
            return 404;
        };
        let mut objects = self.objects.lock().unwrap();
        let object = objects.entry(key.to_owned()).or_default();
        object.bodies.push(Arc::from(body));
        let new = object.bodies.len() == 1;
        drop(objects);
        self.changed.notify_waiters();
        if new { 201 } else { 204 }
    }

    fn look(&self, key: &str) -> Option<Answer> {
        let is = |name: &str| key.contains(name);
        let mut objects = self.objects.lock().unwrap();
        let object = objects.get_mut(key)?;
        let count = object.bodies.len();
        let right = object.bodies.last()?.clone();
        let mut answer = Answer {
            status: 200,
            body: right.clone(),
            delay: Duration::ZERO,
            cut: false,
        };
        match &self.fault {
            Fault::Flip(name) if is(name) => {
                let mut body = right.to_vec();
                body[right.len() / 2] ^= 1;
                answer.body = Arc::from(body);
            }
            Fault::Old(name) if is(name) => {
                answer.body = object.bodies[count.saturating_sub(2)].clone();
            }
            Fault::Back(name) if is(name) => {
                object.asked += 1;
                if object.asked % 3 == 0 {
                    answer.body = object.bodies[count / 2].clone();
                }
            }
            Fault::Frozen(name) if is(name) => answer.body = object.bodies[0].clone(),
            Fault::Drop(name) if is(name) => answer.status = 404,
            Fault::Gone(name) if is(name) => answer.status = 410,
            Fault::Late(name, delay) if is(name) => answer.delay = *delay,
            Fault::Cut(name) if is(name) => {
                answer.cut = !std::mem::replace(&mut object.cut_once, true);
            }
            _ => {}
        }
        Some(answer)
    }

    /// The object, or the same after a while, or 404.
    async fn get(&self, target: &str) -> Answer {
        let missing = || Answer {
            status: 404,
            body: Arc::from(vec![]),
            delay: Duration::ZERO,
            cut: false,
        };
        let Some(key) = key_of(target) else {
            return missing();
        };
        let wait = async {
            loop {
                let changed = self.changed.notified();
                if let Some(answer) = self.look(key) {
                    return answer;
                }
                changed.await;
            }
        };
        tokio::time::timeout(WAIT, wait)
            .await
            .unwrap_or_else(|_| missing())
    }

    fn admin(&self, target: &str) -> Option<String> {
        let load = |counts: &[AtomicU64; 2], zone: usize| counts[zone].load(Ordering::Relaxed);
        match target {
            "/readyz" => Some("ready\n".to_owned()),
            "/streams" => Some(r#"[{"id":"fmp4","zone":0,"tracks":[{"name":"main"}]}]"#.to_owned()),
            "/metrics" => Some(
                (0..2)
                    .map(|zone| {
                        format!(
                            "zonecast_viewers{{zone=\"{zone}\"}} {}\n\
                             zonecast_zone_bytes_total{{zone=\"{zone}\",path=\"userspace_tls\"}} {}\n\
                             zonecast_handshakes_total{{zone=\"{zone}\",resumed=\"false\"}} {}\n",
                            load(&self.watching, zone),
                            load(&self.sent, zone),
                            load(&self.handshakes, zone),
                        )
                    })
                    .collect(),
            ),
            _ => None,
        }
    }
}

/// A TLS acceptor for a certificate in PEM files.
pub fn acceptor(chain: &Path, key: &Path) -> TlsAcceptor {
    let chain = CertificateDer::pem_file_iter(chain)
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    let key = PrivateKeyDer::from_pem_file(key).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    TlsAcceptor::from(Arc::new(config))
}
