//! Which certificate a client gets: by the name that it asks for (SNI), else the first.
//!
//! A [`CertificateStore`] is built whole from PEM and never changes; [`Certificates`] holds the one
//! of the moment and is swapped on reload. Handshakes under way keep what they have chosen.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use super::TlsError;

/// One certificate as the operator gives it.
#[derive(Clone, Copy, Debug)]
pub struct CertificatePem<'a> {
    /// What errors call it: the file's name.
    pub label: &'a str,
    /// The chain, the server's own certificate first.
    pub chain: &'a [u8],
    /// The private key (PKCS#8, PKCS#1 or SEC1).
    pub key: &'a [u8],
}

/// Certificates and the names that they are valid for. The first is the default. Several may
/// have the same name: a client gets the first whose key it can verify.
#[derive(Debug)]
pub struct CertificateStore {
    certificates: Vec<Arc<CertifiedKey>>,
    /// Lower-case DNS names, with `*.` for a wildcard, to indices of `certificates`.
    names: HashMap<String, Vec<usize>>,
}

impl CertificateStore {
    /// Reads all the certificates; names come from their subjectAltNames.
    ///
    /// # Errors
    /// [`TlsError::Certificate`] when there is none, or one cannot be read, or its key is not its.
    pub fn from_pem(certificates: &[CertificatePem<'_>]) -> Result<Self, TlsError> {
        let mut store = Self {
            certificates: Vec::with_capacity(certificates.len()),
            names: HashMap::new(),
        };
        for pem in certificates {
            store.add(pem).map_err(|reason| TlsError::Certificate {
                label: pem.label.to_owned(),
                reason,
            })?;
        }
        if store.certificates.is_empty() {
            return Err(TlsError::Certificate {
                label: "(none)".to_owned(),
                reason: "a listener with TLS needs a certificate".to_owned(),
            });
        }
        Ok(store)
    }

    /// The names that certificates are served for, sorted; `*.` begins a wildcard.
    pub fn names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.names.keys().map(String::as_str).collect();
        names.sort_unstable();
        names
    }

    fn add(&mut self, pem: &CertificatePem<'_>) -> Result<(), String> {
        let chain = CertificateDer::pem_slice_iter(pem.chain)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| format!("the chain is no PEM: {error}"))?;
        let end_entity = chain
            .first()
            .ok_or_else(|| "the chain has no certificate".to_owned())?;
        let index = self.certificates.len();
        for name in dns_names(end_entity)? {
            self.names.entry(name).or_default().push(index);
        }
        let key = PrivateKeyDer::from_pem_slice(pem.key)
            .map_err(|error| format!("the private key is no PEM: {error}"))?;
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        let certified = CertifiedKey::from_der(chain, key, &provider)
            .map_err(|error| format!("the key cannot serve the chain: {error}"))?;
        self.certificates.push(Arc::new(certified));
        Ok(())
    }

    /// The best certificate for a client: by exact name, by wildcard, then any; of those the
    /// first that `usable` accepts. Where it accepts none at all the default is as good as any:
    /// rustls then tells the client so.
    fn choose(
        &self,
        name: Option<&str>,
        usable: impl Fn(&CertifiedKey) -> bool,
    ) -> Option<Arc<CertifiedKey>> {
        let name = name.map(str::to_ascii_lowercase);
        let wildcard = name.as_deref().and_then(wildcard_of);
        let named = [name, wildcard].into_iter().flatten();
        named
            .filter_map(|name| self.names.get(&name))
            .flatten()
            .filter_map(|index| self.certificates.get(*index))
            .chain(&self.certificates)
            .find(|certificate| usable(certificate))
            .or(self.certificates.first())
            .cloned()
    }
}

/// The names of a certificate, lower-case. webpki drops what is no DNS name.
fn dns_names(certificate: &CertificateDer<'_>) -> Result<Vec<String>, String> {
    let parsed = webpki::EndEntityCert::try_from(certificate)
        .map_err(|error| format!("the certificate cannot be read: {error}"))?;
    Ok(parsed
        .valid_dns_names()
        .map(str::to_ascii_lowercase)
        .collect())
}

/// `a.b.c` is covered by `*.b.c`: a wildcard stands for one label, on the left.
fn wildcard_of(name: &str) -> Option<String> {
    let (_, parent) = name.split_once('.')?;
    Some(format!("*.{parent}"))
}

/// The certificates of the moment, shared by all listeners that serve them.
#[derive(Debug)]
pub struct Certificates {
    current: ArcSwap<CertificateStore>,
}

impl Certificates {
    /// Serves `store` until it is replaced.
    pub fn new(store: CertificateStore) -> Arc<Self> {
        Arc::new(Self {
            current: ArcSwap::from_pointee(store),
        })
    }

    /// Handshakes that begin from now on get theirs from `store`.
    pub fn replace(&self, store: CertificateStore) {
        self.current.store(Arc::new(store));
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let schemes = hello.signature_schemes();
        self.current
            .load()
            .choose(hello.server_name(), |certificate| {
                certificate.key.choose_scheme(schemes).is_some()
            })
    }
}
