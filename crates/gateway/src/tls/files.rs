//! Certificates and keys from PEM files (RFC 7468).

use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;

use rustls::sign::CertifiedKey;
use rustls::{InconsistentKeys, RootCertStore};
use rustls_pki_types::pem::{self, PemObject as _};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use super::{Error, facts, provider};
use crate::config::CertificateFiles;

/// No bundle of authorities comes near this; a device or a log file named by mistake would.
const FILE_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// A file named by the configuration.
#[derive(Clone, Copy)]
pub(super) struct Named<'a> {
    pub(super) what: &'static str,
    pub(super) path: &'a Path,
    pub(super) setting: &'a str,
}

impl Named<'_> {
    fn read(self) -> Result<Vec<u8>, Error> {
        let mut bytes = Vec::new();
        let outcome = File::open(self.path).and_then(|file| file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes));
        match outcome {
            Ok(_) if bytes.len() as u64 > FILE_BYTES_MAX => {
                Err(self.unusable("it is larger than 4 MiB".to_owned(), "name a PEM file"))
            }
            Ok(_) => Ok(bytes),
            Err(error) => Err(Error::Read {
                what: self.what,
                path: self.path.to_owned(),
                setting: self.setting.to_owned(),
                error,
            }),
        }
    }

    fn unusable(self, why: String, help: &'static str) -> Error {
        Error::Unusable { what: self.what, path: self.path.to_owned(), setting: self.setting.to_owned(), why, help }
    }

    fn certificates(self) -> Result<Vec<CertificateDer<'static>>, Error> {
        const HELP: &str = "name a PEM file with certificates";
        let certificates = CertificateDer::pem_slice_iter(&self.read()?)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| self.unusable(broken_pem(&error), HELP))?;
        if certificates.is_empty() {
            return Err(self.unusable("it holds no certificate".to_owned(), HELP));
        }
        Ok(certificates)
    }

    fn private_key(self) -> Result<PrivateKeyDer<'static>, Error> {
        let bytes = self.read()?;
        PrivateKeyDer::from_pem_slice(&bytes).map_err(|error| match error {
            pem::Error::NoItemsFound if memchr::memmem::find(&bytes, b"ENCRYPTED").is_some() => self.unusable(
                "it is encrypted".to_owned(),
                "decrypt it with `openssl pkey -in FILE -out PLAIN` and name the plain file",
            ),
            pem::Error::NoItemsFound => {
                self.unusable("it holds no private key".to_owned(), "name a PEM file with a private key")
            }
            error => self.unusable(broken_pem(&error), "name a PEM file with a private key"),
        })
    }
}

/// What is wrong with a PEM file; the library's own words show bytes as numbers.
fn broken_pem(error: &pem::Error) -> String {
    match error {
        pem::Error::MissingSectionEnd { .. } => "a section has no end line".to_owned(),
        pem::Error::IllegalSectionStart { .. } => "a section has a broken first line".to_owned(),
        error => error.to_string(),
    }
}

/// A chain with its key, checked to belong together. `setting` is where the two files are named, such as
/// `tls.certificates[0]`.
pub(super) fn certified_key(files: &CertificateFiles, setting: &str) -> Result<Arc<CertifiedKey>, Error> {
    let (chain_setting, key_setting) = (format!("{setting}.chain"), format!("{setting}.key"));
    let chain_file = Named { what: "the certificate", path: &files.chain, setting: &chain_setting };
    let key_file = Named { what: "the key", path: &files.key, setting: &key_setting };
    let chain = chain_file.certificates()?;
    if let Some(why) = chain.first().and_then(|leaf| facts::of(leaf).err()) {
        return Err(chain_file.unusable(why, "name a PEM file with certificates, leaf first,"));
    }
    let key = key_file.private_key()?;
    match CertifiedKey::from_der(chain, key, &provider()) {
        Ok(certified) => Ok(Arc::new(certified)),
        Err(rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch)) => {
            Err(Error::Mismatch { chain: files.chain.clone(), key: files.key.clone(), setting: key_setting })
        }
        Err(error @ rustls::Error::InvalidCertificate(_)) => {
            Err(chain_file.unusable(error.to_string(), "name a PEM file with certificates, leaf first,"))
        }
        Err(error) => Err(key_file.unusable(error.to_string(), "name a PEM file with an RSA, ECDSA or Ed25519 key")),
    }
}

/// The certificates of authorities.
pub(super) fn authorities(path: &Path, setting: &str) -> Result<Arc<RootCertStore>, Error> {
    let file = Named { what: "the authorities", path, setting };
    let mut store = RootCertStore::empty();
    for certificate in file.certificates()? {
        store
            .add(certificate)
            .map_err(|error| file.unusable(error.to_string(), "name a PEM file with certificates of authorities"))?;
    }
    Ok(Arc::new(store))
}
