//! Private certificate authorities, the leaves they sign, and TLS configurations made of them.
//!
//! A world has one authority for the simulated hosts, and each cluster has its own. Leaves are ECDSA P-256, valid for
//! less than 397 days, with authority and subject key identifiers, because strict clients ask for both. Validity is
//! wall time: TLS libraries know no other.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, GeneralSubtree,
    IsCa, Issuer, KeyPair, KeyUsagePurpose, NameConstraints, PublicKeyData, SanType, SerialNumber,
};
use rustls::crypto::aws_lc_rs;
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

/// How long a leaf is valid.
const LEAF_DAYS: i64 = 365;
/// How long an authority is valid.
const AUTHORITY_DAYS: i64 = 3650;
/// How far back validity starts, for clocks that disagree a little.
const BACKDATE: SignedDuration = SignedDuration::from_hours(24);

/// A certificate or a TLS configuration could not be made.
#[derive(Debug, thiserror::Error)]
pub enum PkiError {
    /// A certificate or key could not be made or read.
    #[error("certificate for '{subject}': {source}")]
    Certificate {
        /// Whose certificate.
        subject: String,
        /// Why.
        source: rcgen::Error,
    },
    /// A name that no certificate can carry.
    #[error("'{0}' is not a host name or an address")]
    Name(String),
    /// The TLS library refused the material.
    #[error("TLS configuration: {0}")]
    Tls(String),
}

/// What an authority may vouch for.
#[derive(Debug, Clone, Default)]
pub struct Constraints {
    /// DNS suffixes without a leading dot (`azure.com` allows itself and everything below), and single addresses. Empty: no
    /// constraint. Loopback is always allowed.
    pub suffixes: Vec<String>,
}

/// A certificate authority. Its `Debug` shows no key.
pub struct Authority {
    name: String,
    pem: String,
    der: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
    now: Timestamp,
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authority").field("name", &self.name).finish_non_exhaustive()
    }
}

/// What a leaf is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// A TLS server.
    Server,
    /// A TLS client.
    Client,
}

/// What goes into a leaf.
#[derive(Debug, Clone)]
pub struct Subject {
    /// Common name.
    pub common_name: String,
    /// Organisation: a Kubernetes user's group. One only: the certificate library holds each kind of attribute once.
    pub organization: Option<String>,
    /// Host names (with an optional leading `*.`) and addresses.
    pub names: Vec<String>,
    /// What the leaf is for.
    pub purpose: Purpose,
}

impl Subject {
    /// A TLS server under these names.
    #[must_use]
    pub fn server<S: Into<String>>(names: impl IntoIterator<Item = S>) -> Self {
        let names: Vec<String> = names.into_iter().map(Into::into).collect();
        let common_name = names.first().cloned().unwrap_or_default();
        Self { common_name, organization: None, names, purpose: Purpose::Server }
    }

    /// A TLS client: a Kubernetes user, in a group if one is given.
    #[must_use]
    pub fn client(common_name: impl Into<String>, organization: Option<&str>) -> Self {
        let organization = organization.map(str::to_owned);
        Self { common_name: common_name.into(), organization, names: Vec::new(), purpose: Purpose::Client }
    }
}

/// A certificate with its private key. Its `Debug` shows no key.
pub struct Leaf {
    /// The certificate, PEM.
    pub cert_pem: String,
    /// The private key, PKCS#8 PEM.
    pub key_pem: String,
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

impl fmt::Debug for Leaf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Leaf").field("cert_pem", &self.cert_pem).finish_non_exhaustive()
    }
}

fn distinguished(common_name: &str, organization: Option<&str>) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    if let Some(organization) = organization {
        name.push(DnType::OrganizationName, organization);
    }
    name.push(DnType::CommonName, common_name);
    name
}

fn set_validity(params: &mut CertificateParams, from: Timestamp, days: i64) {
    let date = |at: Timestamp| {
        let date = at.to_zoned(jiff::tz::TimeZone::UTC).date();
        let part = |value: i8| u8::try_from(value).unwrap_or(1);
        rcgen::date_time_ymd(i32::from(date.year()), part(date.month()), part(date.day()))
    };
    let start = from.saturating_sub(BACKDATE).unwrap_or(from);
    let end = from.saturating_add(SignedDuration::from_hours(24 * days)).unwrap_or(from);
    params.not_before = date(start);
    params.not_after = date(end);
}

fn serial(subject: &str) -> Result<SerialNumber, PkiError> {
    let mut bytes = [0u8; 16];
    ::aws_lc_rs::rand::fill(&mut bytes)
        .map_err(|_| PkiError::Tls(format!("no randomness for '{subject}'")))?;
    bytes[0] &= 0x7f;
    Ok(SerialNumber::from_slice(&bytes))
}

/// What a constraint allows: one address, or a name and everything below it.
fn subtree(text: &str) -> GeneralSubtree {
    match text.parse() {
        Ok(IpAddr::V4(ip)) => GeneralSubtree::IpAddress(rcgen::CidrSubnet::from_v4_prefix(ip.octets(), 32)),
        Ok(IpAddr::V6(ip)) => GeneralSubtree::IpAddress(rcgen::CidrSubnet::from_v6_prefix(ip.octets(), 128)),
        Err(_) => GeneralSubtree::DnsName(text.to_owned()),
    }
}

impl Authority {
    /// A new authority, valid from the wall time `now`.
    ///
    /// # Errors
    /// [`PkiError`] when the key or the certificate cannot be made.
    pub fn new(name: &str, constraints: &Constraints, now: Timestamp) -> Result<Self, PkiError> {
        let failed = |source| PkiError::Certificate { subject: name.into(), source };
        let key = KeyPair::generate().map_err(failed)?;
        let mut params = CertificateParams::default();
        params.distinguished_name = distinguished(name, None);
        params.serial_number = Some(serial(name)?);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages =
            vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign, KeyUsagePurpose::DigitalSignature];
        set_validity(&mut params, now, AUTHORITY_DAYS);
        if !constraints.suffixes.is_empty() {
            let loopback = [
                GeneralSubtree::IpAddress(rcgen::CidrSubnet::V4([127, 0, 0, 0], [255, 0, 0, 0])),
                GeneralSubtree::IpAddress(rcgen::CidrSubnet::from_v6_prefix(
                    std::net::Ipv6Addr::LOCALHOST.octets(),
                    128,
                )),
            ];
            let suffixes = constraints.suffixes.iter().map(|text| subtree(text));
            params.name_constraints = Some(NameConstraints {
                permitted_subtrees: suffixes.chain(loopback).collect(),
                excluded_subtrees: Vec::new(),
            });
        }
        let certificate = params.self_signed(&key).map_err(failed)?;
        Ok(Self {
            name: name.into(),
            pem: certificate.pem(),
            der: certificate.der().clone(),
            issuer: Issuer::new(params, key),
            now,
        })
    }

    /// The certificate, PEM.
    #[must_use]
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// The certificate, DER.
    #[must_use]
    pub fn der(&self) -> &CertificateDer<'static> {
        &self.der
    }

    /// The private key, PKCS#8 PEM. To be stored with mode 0600 only.
    #[must_use]
    pub fn key_pem(&self) -> String {
        self.issuer.key().serialize_pem()
    }

    /// A root store that trusts this authority and nobody else.
    #[must_use]
    pub fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        // A certificate that was just made or read parses.
        let _ = roots.add(self.der.clone());
        roots
    }

    fn params(&self, subject: &Subject) -> Result<CertificateParams, PkiError> {
        let mut params = CertificateParams::default();
        params.distinguished_name = distinguished(&subject.common_name, subject.organization.as_deref());
        params.serial_number = Some(serial(&subject.common_name)?);
        params.use_authority_key_identifier_extension = true;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyEncipherment];
        params.extended_key_usages = match subject.purpose {
            Purpose::Server => vec![ExtendedKeyUsagePurpose::ServerAuth],
            Purpose::Client => vec![ExtendedKeyUsagePurpose::ClientAuth],
        };
        for name in &subject.names {
            let san = match name.parse::<IpAddr>() {
                Ok(address) => SanType::IpAddress(address),
                Err(_) => {
                    SanType::DnsName(name.as_str().try_into().map_err(|_| PkiError::Name(name.clone()))?)
                }
            };
            params.subject_alt_names.push(san);
        }
        set_validity(&mut params, self.now, LEAF_DAYS);
        Ok(params)
    }

    /// Signs a leaf with a new key.
    ///
    /// # Errors
    /// [`PkiError`] for a name that cannot be one.
    pub fn issue(&self, subject: &Subject) -> Result<Leaf, PkiError> {
        let failed = |source| PkiError::Certificate { subject: subject.common_name.clone(), source };
        let key = KeyPair::generate().map_err(failed)?;
        let certificate = self.params(subject)?.signed_by(&key, &self.issuer).map_err(failed)?;
        Ok(Leaf {
            cert_pem: certificate.pem(),
            key_pem: key.serialize_pem(),
            chain: vec![certificate.der().clone()],
            key: PrivateKeyDer::Pkcs8(key.serialize_der().into()),
        })
    }

    /// Signs a certificate for somebody else's RSA key, given as DER of a PKCS#1 `RSAPublicKey`, and returns its PEM.
    ///
    /// # Errors
    /// [`PkiError`] for a name that cannot be one.
    pub fn certify_rsa(&self, subject: &Subject, public_pkcs1: &[u8]) -> Result<String, PkiError> {
        let failed = |source| PkiError::Certificate { subject: subject.common_name.clone(), source };
        let public = RsaPublic(public_pkcs1);
        Ok(self.params(subject)?.signed_by(&public, &self.issuer).map_err(failed)?.pem())
    }
}

/// An RSA public key that somebody else holds the private half of.
struct RsaPublic<'a>(&'a [u8]);

impl PublicKeyData for RsaPublic<'_> {
    fn der_bytes(&self) -> &[u8] {
        self.0
    }

    fn algorithm(&self) -> &'static rcgen::SignatureAlgorithm {
        &rcgen::PKCS_RSA_SHA256
    }
}

impl Leaf {
    /// A server configuration that speaks HTTP/2 and HTTP/1.1 (`h2` true) or HTTP/1.1 only.
    ///
    /// # Errors
    /// [`PkiError::Tls`] when the TLS library refuses the material.
    pub fn server_config(&self, h2: bool) -> Result<Arc<ServerConfig>, PkiError> {
        self.build(None, h2)
    }

    /// As [`Leaf::server_config`]; a client may also show a certificate signed by `clients`.
    ///
    /// # Errors
    /// [`PkiError::Tls`] when the TLS library refuses the material.
    pub fn server_config_with_clients(
        &self,
        clients: &Authority,
        h2: bool,
    ) -> Result<Arc<ServerConfig>, PkiError> {
        self.build(Some(clients.roots()), h2)
    }

    fn build(&self, clients: Option<RootCertStore>, h2: bool) -> Result<Arc<ServerConfig>, PkiError> {
        let tls = |error: &dyn fmt::Display| PkiError::Tls(error.to_string());
        let provider = Arc::new(aws_lc_rs::default_provider());
        let builder = ServerConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(|error| tls(&error))?;
        let builder = match clients {
            None => builder.with_no_client_auth(),
            Some(roots) => {
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
                    .allow_unauthenticated()
                    .build()
                    .map_err(|error| tls(&error))?;
                builder.with_client_cert_verifier(verifier)
            }
        };
        let mut config = builder
            .with_single_cert(self.chain.clone(), self.key.clone_key())
            .map_err(|error| tls(&error))?;
        config.alpn_protocols =
            if h2 { vec![b"h2".to_vec(), b"http/1.1".to_vec()] } else { vec![b"http/1.1".to_vec()] };
        Ok(Arc::new(config))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        "2026-01-01T00:00:00Z".parse().unwrap()
    }

    #[test]
    fn an_authority_signs_servers_and_clients() {
        let constraints = Constraints { suffixes: vec!["azure.com".into()] };
        let authority = Authority::new("test root", &constraints, now()).unwrap();
        let leaf = authority
            .issue(&Subject::server(["management.azure.com", "*.his.arc.azure.com", "127.0.0.1"]))
            .unwrap();
        assert!(leaf.server_config(true).is_ok());
        let user = authority.issue(&Subject::client("admin", Some("system:masters"))).unwrap();
        assert!(user.key_pem.contains("PRIVATE KEY"));
        assert!(leaf.server_config_with_clients(&authority, false).is_ok());
        assert!(authority.issue(&Subject::server(["böse"])).is_err());
    }
}
