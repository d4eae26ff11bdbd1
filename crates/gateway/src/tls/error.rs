//! What can be wrong with certificates and keys, each one sentence for the operator.

use std::path::PathBuf;

/// Certificates or keys that cannot be used. `setting` is the key of the configuration that names the file.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file cannot be read.
    #[error("cannot read {what} `{path}`: {error}; {help} or correct `{setting}`", path = path.display(), help = read_help(error))]
    Read {
        /// What the file should hold.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// The key of the configuration.
        setting: String,
        /// What the system said.
        error: std::io::Error,
    },
    /// A file holds something else.
    #[error("{what} `{path}` cannot be used: {why}; {help} in `{setting}`", path = path.display())]
    Unusable {
        /// What the file should hold.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// The key of the configuration.
        setting: String,
        /// What is wrong.
        why: String,
        /// What to do about it.
        help: &'static str,
    },
    /// A key that belongs to another certificate.
    #[error(
        "the key `{key}` does not belong to the certificate `{chain}`; name the key the certificate was made for in \
         `{setting}`",
        key = key.display(), chain = chain.display()
    )]
    Mismatch {
        /// The certificate chain.
        chain: PathBuf,
        /// The key.
        key: PathBuf,
        /// The key of the configuration.
        setting: String,
    },
    /// A listener without certificates.
    #[error("TLS needs a certificate; add one to `tls.certificates` or remove `tls`")]
    NoCertificate,
    /// A name that no certificate can carry.
    #[error("`{name}` is no name that a certificate can be verified for; set `tls.server_name`")]
    ServerName {
        /// The name.
        name: String,
    },
    /// The cryptography refused.
    #[error("TLS cannot be set up: {0}; report this together with the configuration of `tls`")]
    Setup(#[from] rustls::Error),
}

fn read_help(error: &std::io::Error) -> &'static str {
    match error.kind() {
        std::io::ErrorKind::NotFound => "put the file there",
        std::io::ErrorKind::PermissionDenied => "give the process read permission",
        std::io::ErrorKind::IsADirectory => "name a file in it",
        _ => "mend the file",
    }
}
