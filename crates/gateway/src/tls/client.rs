//! TLS towards upstreams: verified by default, with our own certificate where the upstream wants one.

use std::sync::Arc;

use rustls::sign::SingleCertAndKey;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::ServerName;

use super::unverified::Unverified;
use super::{Error, files, provider};
use crate::config::{UpstreamTls, Verify};

/// TLS to one server of an upstream.
#[derive(Clone, Debug)]
pub struct ClientTls {
    /// What handshakes run under; shared by all workers, so that sessions are resumed whoever opened the last.
    pub config: Arc<ClientConfig>,
    /// The name that is sent and that the certificate must carry.
    pub server_name: ServerName<'static>,
}

impl ClientTls {
    /// Reads the files and prepares handshakes with `host`, offering the protocols of `alpn`.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn load(settings: &UpstreamTls, host: &str, alpn: &[&[u8]]) -> Result<Self, Error> {
        let name = settings.server_name.as_deref().unwrap_or(host);
        let bare = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
        let server_name =
            ServerName::try_from(bare.to_owned()).map_err(|_| Error::ServerName { name: name.to_owned() })?;
        let provider = provider();
        let builder =
            ClientConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions()?;
        let builder = match (settings.verify, &settings.authorities) {
            (Verify::Off, _) => builder.dangerous().with_custom_certificate_verifier(Arc::new(Unverified(provider))),
            (Verify::On, Some(path)) => builder.with_root_certificates(files::authorities(path, "tls.authorities")?),
            (Verify::On, None) => builder.with_root_certificates(public_authorities()),
        };
        let mut config = match &settings.client_certificate {
            None => builder.with_no_client_auth(),
            Some(files) => {
                let certified = files::certified_key(files, "tls.client_certificate")?;
                builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(certified)))
            }
        };
        config.alpn_protocols = alpn.iter().map(|protocol| protocol.to_vec()).collect();
        Ok(Self { config: Arc::new(config), server_name })
    }
}

/// The authorities browsers trust, as Mozilla lists them, compiled in: the same on every machine.
fn public_authorities() -> RootCertStore {
    RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() }
}
