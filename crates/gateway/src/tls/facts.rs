//! What a certificate says, for the health page, for the choice by server name and for events.

use std::net::IpAddr;

use rustls_pki_types::CertificateDer;
use x509_parser::extensions::GeneralName;

/// What a certificate in use says (RFC 5280).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateFacts {
    /// The subject, such as `CN=api.example.com`; often empty.
    pub subject: String,
    /// Who signed it.
    pub issuer: String,
    /// The DNS names and addresses it is for; lower case.
    pub names: Vec<String>,
    /// Seconds since the Unix epoch from which it is valid.
    pub not_before_s: i64,
    /// Seconds since the Unix epoch until which it is valid.
    pub not_after_s: i64,
}

/// Reads a certificate; the error says what is wrong.
pub(super) fn of(certificate: &CertificateDer<'_>) -> Result<CertificateFacts, String> {
    let (_, parsed) = x509_parser::parse_x509_certificate(certificate)
        .map_err(|_| "its first section is no X.509 certificate".to_owned())?;
    let mut names = Vec::new();
    let alternative = parsed
        .subject_alternative_name()
        .map_err(|_| "its certificate lists its names in no readable form, or twice".to_owned())?;
    for name in alternative.iter().flat_map(|extension| &extension.value.general_names) {
        match name {
            GeneralName::DNSName(name) => names.push(name.to_ascii_lowercase()),
            GeneralName::IPAddress(bytes) => names.extend(address(bytes).map(|address| address.to_string())),
            _ => {}
        }
    }
    Ok(CertificateFacts {
        subject: parsed.subject().to_string(),
        issuer: parsed.issuer().to_string(),
        names,
        not_before_s: parsed.validity().not_before.timestamp(),
        not_after_s: parsed.validity().not_after.timestamp(),
    })
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    let v4 = || <[u8; 4]>::try_from(bytes).ok().map(IpAddr::from);
    let v6 = || <[u8; 16]>::try_from(bytes).ok().map(IpAddr::from);
    v4().or_else(v6)
}

/// Who presented this certificate: its subject, or its first name when the subject is empty. `None` when it cannot be read,
/// which the handshake has ruled out for verified ones.
pub fn subject(certificate: &CertificateDer<'_>) -> Option<Box<str>> {
    let facts = of(certificate).ok()?;
    let text = if facts.subject.is_empty() { facts.names.into_iter().next()? } else { facts.subject };
    Some(text.into())
}
