//! Tests of TLS with certificates made for the purpose: handshakes in memory, files in a temporary folder.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, IsCa, KeyPair,
    PKCS_ECDSA_P256_SHA256, PKCS_ED25519,
};
use rustls::{ClientConnection, ServerConnection};
use rustls_pki_types::CertificateDer;

use super::*;
use crate::config::{CertificateFiles, ClientCertificates, TlsListener, UpstreamTls, Verify};

type Authority = CertifiedIssuer<'static, KeyPair>;

/// A folder with an authority whose certificate is `ca.pem`.
struct Folder {
    dir: tempfile::TempDir,
    authority: Authority,
}

impl Folder {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let authority = authority("Test authority");
        std::fs::write(dir.path().join("ca.pem"), authority.pem()).unwrap();
        Self { dir, authority }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Writes `<stem>.pem` and `<stem>.key`, signed by the authority.
    fn certificate(&self, stem: &str, names: &[&str]) -> CertificateFiles {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
        self.certificate_with(stem, names, &key)
    }

    fn certificate_with(&self, stem: &str, names: &[&str], key: &KeyPair) -> CertificateFiles {
        let certificate = params(stem, names).signed_by(key, &self.authority).unwrap();
        let files =
            CertificateFiles { chain: self.path(&format!("{stem}.pem")), key: self.path(&format!("{stem}.key")) };
        std::fs::write(&files.chain, certificate.pem()).unwrap();
        std::fs::write(&files.key, key.serialize_pem()).unwrap();
        files
    }

    fn upstream(&self) -> UpstreamTls {
        UpstreamTls { authorities: Some(self.path("ca.pem")), ..UpstreamTls::default() }
    }
}

fn params(common_name: &str, names: &[&str]) -> CertificateParams {
    let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
    let mut params = CertificateParams::new(names).unwrap();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, common_name);
    params
}

fn authority(name: &str) -> Authority {
    let mut params = params(name, &[]);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

fn listener(certificates: &[CertificateFiles]) -> TlsListener {
    TlsListener { certificates: certificates.to_vec(), client_certificates: ClientCertificates::Off }
}

/// What both sides know after a handshake.
#[derive(Debug)]
struct Met {
    server_certificate: CertificateDer<'static>,
    client_certificate: Option<Box<str>>,
    alpn: Option<String>,
    resumed: bool,
}

/// A handshake in memory.
fn meet(server: &ServerTls, client: &ClientTls) -> Result<Met, rustls::Error> {
    let mut client = ClientConnection::new(client.config.clone(), client.server_name.clone()).unwrap();
    let mut server = ServerConnection::new(server.config()).unwrap();
    // Some flights carry more than one pass can take; a handshake needs far fewer than this.
    for _ in 0..20 {
        let mut wire = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut wire).unwrap();
        }
        let mut rest = wire.as_slice();
        while !rest.is_empty() {
            server.read_tls(&mut rest).unwrap();
            server.process_new_packets()?;
        }
        let mut wire = Vec::new();
        while server.wants_write() {
            server.write_tls(&mut wire).unwrap();
        }
        let mut rest = wire.as_slice();
        while !rest.is_empty() {
            client.read_tls(&mut rest).unwrap();
            client.process_new_packets()?;
        }
    }
    assert!(!client.is_handshaking() && !server.is_handshaking());
    Ok(Met {
        server_certificate: client.peer_certificates().unwrap()[0].clone().into_owned(),
        client_certificate: server.peer_certificates().and_then(|chain| subject(chain.first()?)),
        alpn: client.alpn_protocol().map(|name| String::from_utf8(name.to_vec()).unwrap()),
        resumed: client.handshake_kind() == Some(rustls::HandshakeKind::Resumed),
    })
}

fn presented(server: &ServerTls, folder: &Folder, name: &str) -> String {
    // Verification off: which certificate is presented matters here, not whether it fits.
    let settings = UpstreamTls { verify: Verify::Off, ..folder.upstream() };
    let client = ClientTls::load(&settings, name, &[]).unwrap();
    let met = meet(server, &client).unwrap();
    subject(&met.server_certificate).unwrap().into()
}

#[test]
fn the_certificate_follows_the_server_name() {
    let folder = Folder::new();
    let server = ServerTls::load(&listener(&[
        folder.certificate("first", &["first.test"]),
        folder.certificate("wild", &["*.example.com", "example.com"]),
        folder.certificate("exact", &["API.example.com", "192.0.2.1"]),
    ]))
    .unwrap();
    for (name, expected) in [
        ("first.test", "CN=first"),
        ("www.example.com", "CN=wild"),
        ("example.com", "CN=wild"),
        ("api.example.com", "CN=exact"),
        ("a.b.example.com", "CN=first"),
        ("other.test", "CN=first"),
        ("192.0.2.1", "CN=first"),
    ] {
        assert_eq!(presented(&server, &folder, name), expected, "{name}");
    }
    let facts = server.facts();
    assert_eq!(facts[2].names, ["api.example.com", "192.0.2.1"]);
    assert_eq!((facts[1].subject.as_str(), facts[1].issuer.as_str()), ("CN=wild", "CN=Test authority"));
    assert!(facts[0].not_before_s < facts[0].not_after_s);
}

#[test]
fn of_two_keys_the_one_is_used_that_the_client_can_verify() {
    let folder = Folder::new();
    let other = KeyPair::generate_for(&PKCS_ED25519).unwrap();
    let server = ServerTls::load(&listener(&[
        folder.certificate_with("ed25519", &["a.test"], &other),
        folder.certificate("p256", &["a.test"]),
    ]))
    .unwrap();
    let mut weak = (*provider()).clone();
    let p256_only: Vec<_> = weak
        .signature_verification_algorithms
        .mapping
        .iter()
        .filter(|(scheme, _)| *scheme == rustls::SignatureScheme::ECDSA_NISTP256_SHA256)
        .copied()
        .collect();
    weak.signature_verification_algorithms.mapping = p256_only.leak();
    let mut config = rustls::ClientConfig::builder_with_provider(Arc::new(weak.clone()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(unverified::Unverified(Arc::new(weak))))
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let client = ClientTls { config: Arc::new(config), server_name: "a.test".try_into().unwrap() };
    let met = meet(&server, &client).unwrap();
    assert_eq!(subject(&met.server_certificate).as_deref(), Some("CN=p256"));
    assert_eq!(presented(&server, &folder, "a.test"), "CN=ed25519");
}

#[test]
fn upstreams_are_verified_unless_that_is_off() {
    let folder = Folder::new();
    let server = ServerTls::load(&listener(&[folder.certificate("s", &["up.test", "192.0.2.1"])])).unwrap();
    let load = |settings: &UpstreamTls, host: &str| ClientTls::load(settings, host, &[b"h2"]).unwrap();
    let met = meet(&server, &load(&folder.upstream(), "up.test")).unwrap();
    assert_eq!((met.alpn.as_deref(), met.client_certificate), (Some("h2"), None));
    meet(&server, &load(&folder.upstream(), "192.0.2.1")).unwrap();
    let refused = |settings: &UpstreamTls, host: &str| {
        let error = meet(&server, &load(settings, host)).unwrap_err();
        assert!(matches!(error, rustls::Error::InvalidCertificate(_)), "{error}");
    };
    refused(&folder.upstream(), "other.test");
    refused(&UpstreamTls::default(), "up.test");
    let named = UpstreamTls { server_name: Some("up.test".to_owned()), ..folder.upstream() };
    meet(&server, &load(&named, "10.0.0.1")).unwrap();
    let off = UpstreamTls { verify: Verify::Off, ..UpstreamTls::default() };
    meet(&server, &load(&off, "other.test")).unwrap();
    let error = ClientTls::load(&UpstreamTls::default(), "no name", &[]).unwrap_err();
    assert!(error.to_string().starts_with("`no name` is no name"), "{error}");
    assert!(ClientTls::load(&UpstreamTls::default(), "[2001:db8::1]", &[]).is_ok());
}

#[test]
fn client_certificates_are_asked_for_and_verified() {
    let folder = Folder::new();
    let settings = |client_certificates| TlsListener {
        certificates: vec![folder.certificate("s", &["s.test"])],
        client_certificates,
    };
    let authorities = folder.path("ca.pem");
    let required =
        ServerTls::load(&settings(ClientCertificates::Required { authorities: authorities.clone() })).unwrap();
    let optional = ServerTls::load(&settings(ClientCertificates::Optional { authorities })).unwrap();
    let stranger = Folder::new();
    let with = |certificate: Option<CertificateFiles>| {
        let settings = UpstreamTls { client_certificate: certificate, ..folder.upstream() };
        ClientTls::load(&settings, "s.test", &[]).unwrap()
    };
    let known = with(Some(folder.certificate("c", &["client-7.test"])));
    let unknown = with(Some(stranger.certificate("c", &["client-7.test"])));
    for server in [&required, &optional] {
        assert_eq!(meet(server, &known).unwrap().client_certificate.as_deref(), Some("CN=c"));
        assert!(meet(server, &unknown).is_err());
    }
    assert!(meet(&required, &with(None)).is_err());
    assert_eq!(meet(&optional, &with(None)).unwrap().client_certificate, None);
}

#[test]
fn sessions_are_resumed_over_a_reload() {
    let folder = Folder::new();
    let files = folder.certificate("s", &["s.test"]);
    let mut settings = listener(std::slice::from_ref(&files));
    let server = ServerTls::load(&settings).unwrap();
    let client = ClientTls::load(&folder.upstream(), "s.test", &[]).unwrap();
    assert!(!meet(&server, &client).unwrap().resumed);
    assert!(meet(&server, &client).unwrap().resumed);
    server.reload().unwrap();
    assert!(meet(&server, &client).unwrap().resumed);
    // Where tickets stand for verified certificates, a reload ends them.
    settings.client_certificates = ClientCertificates::Optional { authorities: folder.path("ca.pem") };
    let server = ServerTls::load(&settings).unwrap();
    let client = ClientTls::load(&folder.upstream(), "s.test", &[]).unwrap();
    assert!(!meet(&server, &client).unwrap().resumed);
    assert!(meet(&server, &client).unwrap().resumed);
    server.reload().unwrap();
    assert!(!meet(&server, &client).unwrap().resumed);
}

#[test]
fn a_reload_takes_new_certificates_and_survives_bad_ones() {
    let folder = Folder::new();
    let files = folder.certificate("s", &["old.test"]);
    let server = ServerTls::load(&listener(std::slice::from_ref(&files))).unwrap();
    let names = || server.facts()[0].names.clone();
    assert_eq!(names(), ["old.test"]);
    folder.certificate("s", &["new.test"]);
    server.reload().unwrap();
    assert_eq!(names(), ["new.test"]);
    std::fs::write(&files.key, KeyPair::generate().unwrap().serialize_pem()).unwrap();
    let error = server.reload().unwrap_err();
    assert!(matches!(error, Error::Mismatch { .. }), "{error}");
    std::fs::remove_file(&files.chain).unwrap();
    server.reload().unwrap_err();
    assert_eq!(names(), ["new.test"]);
    let client = ClientTls::load(&folder.upstream(), "new.test", &[]).unwrap();
    meet(&server, &client).unwrap();
}

/// The message of what is wrong, with the folder's path taken out.
fn message(folder: &Folder, files: CertificateFiles) -> String {
    let error = ServerTls::load(&listener(&[files])).err().unwrap();
    error.to_string().replace(&format!("{}/", folder.dir.path().display()), "")
}

#[test]
fn every_mistake_is_one_sentence() {
    let folder = Folder::new();
    let good = folder.certificate("good", &["a.test"]);
    let other = folder.certificate("other", &["a.test"]);
    let with_chain = |chain: &Path| CertificateFiles { chain: chain.to_owned(), ..good.clone() };
    let with_key = |key: &Path| CertificateFiles { key: key.to_owned(), ..good.clone() };
    let write = |name: &str, text: &[u8]| {
        std::fs::write(folder.path(name), text).unwrap();
        folder.path(name)
    };
    let garbled = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let encrypted = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
    let messages = [
        with_chain(&folder.path("missing.pem")),
        with_key(&folder.path("missing.key")),
        with_key(&folder.path("")),
        with_key(&other.key),
        with_chain(&good.key),
        with_key(&good.chain),
        with_chain(&write("garbled.pem", garbled.as_bytes())),
        with_chain(&write("cut.pem", b"-----BEGIN CERTIFICATE-----\nAAAA\n")),
        with_key(&write("encrypted.key", encrypted.as_bytes())),
        with_key(&write("large.key", &vec![b'x'; 5 << 20])),
    ]
    .map(|files| message(&folder, files) + "\n");
    expect_test::expect![[r#"
        cannot read the certificate `missing.pem`: No such file or directory (os error 2); put the file there or correct `tls.certificates[0].chain`
        cannot read the key `missing.key`: No such file or directory (os error 2); put the file there or correct `tls.certificates[0].key`
        cannot read the key ``: Is a directory (os error 21); name a file in it or correct `tls.certificates[0].key`
        the key `other.key` does not belong to the certificate `good.pem`; name the key the certificate was made for in `tls.certificates[0].key`
        the certificate `good.key` cannot be used: it holds no certificate; name a PEM file with certificates in `tls.certificates[0].chain`
        the key `good.pem` cannot be used: it holds no private key; name a PEM file with a private key in `tls.certificates[0].key`
        the certificate `garbled.pem` cannot be used: its first section is no X.509 certificate; name a PEM file with certificates, leaf first, in `tls.certificates[0].chain`
        the certificate `cut.pem` cannot be used: a section has no end line; name a PEM file with certificates in `tls.certificates[0].chain`
        the key `encrypted.key` cannot be used: it is encrypted; decrypt it with `openssl pkey -in FILE -out PLAIN` and name the plain file in `tls.certificates[0].key`
        the key `large.key` cannot be used: it is larger than 4 MiB; name a PEM file in `tls.certificates[0].key`
    "#]].assert_eq(&messages.concat());
    let error = ServerTls::load(&listener(&[])).err().unwrap();
    assert_eq!(error.to_string(), "TLS needs a certificate; add one to `tls.certificates` or remove `tls`");
    let bad_authorities = UpstreamTls { authorities: Some(good.key.clone()), ..UpstreamTls::default() };
    let error = ClientTls::load(&bad_authorities, "a.test", &[]).unwrap_err();
    assert!(
        error.to_string().contains("it holds no certificate; name a PEM file with certificates in `tls.authorities`")
    );
}
