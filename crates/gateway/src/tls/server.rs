//! TLS towards clients: several certificates, chosen by server name, and exchanged while running.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs::Ticketer;
use rustls::server::{
    ClientHello, NoClientAuth, NoServerSessionStorage, ProducesTickets, ResolvesServerCert, WebPkiClientVerifier,
};
use rustls::sign::CertifiedKey;

use super::{CertificateFacts, Error, facts, files, provider};
use crate::config::{ClientCertificates, TlsListener};

/// TLS of one listener.
pub struct ServerTls {
    settings: TlsListener,
    current: ArcSwap<Loaded>,
}

/// What was read from the files, in force together.
struct Loaded {
    config: Arc<ServerConfig>,
    facts: Vec<CertificateFacts>,
}

impl ServerTls {
    /// Reads the files of a listener and checks that they fit together.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn load(settings: &TlsListener) -> Result<Self, Error> {
        let loaded = Loaded::read(settings, Ticketer::new()?)?;
        Ok(Self { settings: settings.clone(), current: ArcSwap::from_pointee(loaded) })
    }

    /// What new handshakes run under.
    pub fn config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.current.load().config)
    }

    /// Reads the same files again and puts what they hold in force for new handshakes. Connections that are open stay.
    ///
    /// # Errors
    /// See [`Error`]; everything stays as it was then.
    pub fn reload(&self) -> Result<(), Error> {
        let ticketer = match self.settings.client_certificates {
            ClientCertificates::Off => Arc::clone(&self.current.load().config.ticketer),
            // A ticket stands for a verified certificate, whose authority may just have been taken off the list.
            ClientCertificates::Optional { .. } | ClientCertificates::Required { .. } => Ticketer::new()?,
        };
        self.current.store(Arc::new(Loaded::read(&self.settings, ticketer)?));
        Ok(())
    }

    /// What the certificates in force say, in the order of the configuration.
    pub fn facts(&self) -> Vec<CertificateFacts> {
        self.current.load().facts.clone()
    }
}

impl Loaded {
    fn read(settings: &TlsListener, ticketer: Arc<dyn ProducesTickets>) -> Result<Self, Error> {
        let mut table = Certificates::default();
        let mut all_facts = Vec::with_capacity(settings.certificates.len());
        for (at, pair) in settings.certificates.iter().enumerate() {
            let certified = files::certified_key(pair, &format!("tls.certificates[{at}]"))?;
            // The leaf was read when it was checked.
            let facts = certified.cert.first().and_then(|leaf| facts::of(leaf).ok()).ok_or(Error::NoCertificate)?;
            table.add(&facts.names, certified);
            all_facts.push(facts);
        }
        if table.default.is_none() {
            return Err(Error::NoCertificate);
        }
        let verifier = match &settings.client_certificates {
            ClientCertificates::Off => Arc::new(NoClientAuth),
            ClientCertificates::Optional { authorities } | ClientCertificates::Required { authorities } => {
                let setting = "tls.client_certificates.authorities";
                let roots = files::authorities(authorities, setting)?;
                let builder = WebPkiClientVerifier::builder_with_provider(roots, provider());
                let optional = matches!(settings.client_certificates, ClientCertificates::Optional { .. });
                let builder = if optional { builder.allow_unauthenticated() } else { builder };
                builder.build().map_err(|error| Error::Unusable {
                    what: "the authorities",
                    path: authorities.clone(),
                    setting: setting.to_owned(),
                    why: error.to_string(),
                    help: "name a PEM file with certificates of authorities",
                })?
            }
        };
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()?
            .with_client_cert_verifier(verifier)
            .with_cert_resolver(Arc::new(table));
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        // Tickets keep nothing here and hold on every core; a cache of sessions would be one lock for all of them.
        config.ticketer = ticketer;
        config.session_storage = Arc::new(NoServerSessionStorage {});
        Ok(Self { config: Arc::new(config), facts: all_facts })
    }
}

/// Certificates by the names they carry. Several of one name, with keys of different kinds, are told apart by what the
/// client can verify.
#[derive(Debug, Default)]
struct Certificates {
    exact: HashMap<Box<str>, Vec<Arc<CertifiedKey>>>,
    /// Keyed by what stands behind `*.`; covers one label (RFC 6125, 6.4.3).
    wildcards: HashMap<Box<str>, Vec<Arc<CertifiedKey>>>,
    /// For clients that name no server, or one that nothing fits: the first certificate.
    default: Option<Arc<CertifiedKey>>,
}

impl Certificates {
    fn add(&mut self, names: &[String], certified: Arc<CertifiedKey>) {
        for name in names {
            let list = match name.strip_prefix("*.") {
                Some(suffix) => self.wildcards.entry(suffix.into()).or_default(),
                None => self.exact.entry(name.as_str().into()).or_default(),
            };
            list.push(Arc::clone(&certified));
        }
        self.default.get_or_insert(certified);
    }

    fn of_name(&self, name: &str) -> Option<&Vec<Arc<CertifiedKey>>> {
        self.exact.get(name).or_else(|| self.wildcards.get(name.split_once('.')?.1))
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let name = hello.server_name().map(str::to_ascii_lowercase);
        let named = name.as_deref().and_then(|name| self.of_name(name.strip_suffix('.').unwrap_or(name)));
        let list = named.map(Vec::as_slice).unwrap_or_default();
        let verifiable = |key: &&Arc<CertifiedKey>| key.key.choose_scheme(hello.signature_schemes()).is_some();
        list.iter().find(verifiable).or(list.first()).or(self.default.as_ref()).cloned()
    }
}
