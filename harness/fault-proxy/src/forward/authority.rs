//! The authority of a proxy: who signs the certificates that it shows.

use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, SanType, SerialNumber,
};
use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use sim_core::clock::Clock;

use super::Flaw;

/// How many certificates are kept for the next who asks for the same name.
const KEPT: usize = 256;
/// The name of certificates that are for another one.
const WRONG_NAME: &str = "wrong-name.invalid";
const DAY: SignedDuration = SignedDuration::from_hours(24);

/// A certificate could not be made.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the proxy's certificate for '{name}' cannot be made: {reason}")]
pub struct AuthorityError {
    name: String,
    reason: String,
}

fn failed<E: fmt::Display>(name: &str) -> impl FnOnce(E) -> AuthorityError {
    move |error| AuthorityError { name: name.into(), reason: error.to_string() }
}

/// A root, an intermediate below it, and the certificates that the intermediate signed. Keys are ECDSA P-256, made when the
/// proxy starts; they never leave the process. Like real intercepting proxies, it has one key for all its servers.
pub(super) struct ProxyAuthority {
    root_pem: String,
    intermediate: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
    stranger: Issuer<'static, KeyPair>,
    key: KeyPair,
    made: Mutex<HashMap<(String, Flaw), Arc<ServerConfig>>>,
    serial: AtomicU64,
    clock: Clock,
    provider: Arc<CryptoProvider>,
}

impl fmt::Debug for ProxyAuthority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProxyAuthority").finish_non_exhaustive()
    }
}

fn named(common_name: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, common_name);
    name
}

fn set_validity(params: &mut CertificateParams, from: Timestamp, to: Timestamp) {
    let date = |at: Timestamp| {
        let date = at.to_zoned(jiff::tz::TimeZone::UTC).date();
        let part = |value: i8| u8::try_from(value).unwrap_or(1);
        rcgen::date_time_ymd(i32::from(date.year()), part(date.month()), part(date.day()))
    };
    params.not_before = date(from);
    params.not_after = date(to);
}

fn shifted(at: Timestamp, days: i32) -> Timestamp {
    at.saturating_add(DAY * days).unwrap_or(at)
}

fn authority_params(name: &str, below: u8, now: Timestamp) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = named(name);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(below));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.use_authority_key_identifier_extension = true;
    set_validity(&mut params, shifted(now, -1), shifted(now, 3650));
    params
}

impl ProxyAuthority {
    /// A new authority for the proxy of this name.
    pub(super) fn new(name: &str, clock: &Clock) -> Result<Self, AuthorityError> {
        let now = clock.wall();
        let fresh = || KeyPair::generate().map_err(failed(name));
        let (root_key, key) = (fresh()?, fresh()?);
        let root = authority_params(&format!("{name} root"), 1, now);
        let root_pem = root.self_signed(&root_key).map_err(failed(name))?.pem();
        let root = Issuer::new(root, root_key);
        let intermediate_key = fresh()?;
        let params = authority_params(&format!("{name} intermediate"), 0, now);
        let intermediate = params.signed_by(&intermediate_key, &root).map_err(failed(name))?.der().clone();
        let stranger = Issuer::new(authority_params("somebody else", 0, now), fresh()?);
        Ok(Self {
            root_pem,
            intermediate,
            issuer: Issuer::new(params, intermediate_key),
            stranger,
            key,
            made: Mutex::default(),
            serial: AtomicU64::new(1),
            clock: clock.clone(),
            provider: Arc::new(rustls::crypto::aws_lc_rs::default_provider()),
        })
    }

    /// The root, PEM: what a client has to trust.
    pub(super) fn root_pem(&self) -> &str {
        &self.root_pem
    }

    /// What a server called `name` shows: a certificate with that flaw, and HTTP/1.1.
    pub(super) fn server(&self, name: &str, flaw: Flaw) -> Result<Arc<ServerConfig>, AuthorityError> {
        self.server_for(name, &[name.to_owned()], flaw)
    }

    /// As [`ProxyAuthority::server`], under several names.
    pub(super) fn server_for(
        &self,
        name: &str,
        names: &[String],
        flaw: Flaw,
    ) -> Result<Arc<ServerConfig>, AuthorityError> {
        let key = (name.to_ascii_lowercase(), flaw);
        let known = self.made.lock().unwrap_or_else(PoisonError::into_inner).get(&key).cloned();
        if let Some(known) = known {
            return Ok(known);
        }
        let made = Arc::new(self.make(name, names, flaw)?);
        let mut all = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= KEPT {
            all.clear();
        }
        all.insert(key, made.clone());
        Ok(made)
    }

    fn make(&self, name: &str, names: &[String], flaw: Flaw) -> Result<ServerConfig, AuthorityError> {
        let params = self.params(name, names, flaw)?;
        let issuer = if flaw == Flaw::UnknownIssuer { &self.stranger } else { &self.issuer };
        let leaf = params.signed_by(&self.key, issuer).map_err(failed(name))?.der().clone();
        let chain = match flaw {
            Flaw::MissingIntermediate | Flaw::UnknownIssuer => vec![leaf],
            _ => vec![leaf, self.intermediate.clone()],
        };
        let mut config = ServerConfig::builder_with_provider(self.provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(failed(name))?
            .with_no_client_auth()
            .with_single_cert(chain, PrivateKeyDer::Pkcs8(self.key.serialize_der().into()))
            .map_err(failed(name))?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(config)
    }

    fn params(&self, name: &str, names: &[String], flaw: Flaw) -> Result<CertificateParams, AuthorityError> {
        let mut params = CertificateParams::default();
        let wrong = [WRONG_NAME.to_owned()];
        let names = if flaw == Flaw::WrongName { &wrong[..] } else { names };
        // A common name has room for 64 characters.
        params.distinguished_name = named(&name.chars().take(64).collect::<String>());
        params.serial_number = Some(self.next_serial());
        params.use_authority_key_identifier_extension = flaw != Flaw::NoKeyIdentifier;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        for one in names {
            params.subject_alt_names.push(match one.parse::<IpAddr>() {
                Ok(address) => SanType::IpAddress(address),
                Err(_) => SanType::DnsName(one.as_str().try_into().map_err(failed(one))?),
            });
        }
        let now = self.clock.wall();
        let (from, to) = match flaw {
            Flaw::Expired => (-30, -1),
            Flaw::NotYetValid => (2, 300),
            _ => (-1, 365),
        };
        set_validity(&mut params, shifted(now, from), shifted(now, to));
        Ok(params)
    }

    /// One that this authority has not given before, and that of another start is unlikely to have.
    fn next_serial(&self) -> SerialNumber {
        let count = self.serial.fetch_add(1, Ordering::Relaxed);
        let began = u64::try_from(self.clock.wall().as_nanosecond()).unwrap_or_default() >> 1;
        let bytes: Vec<u8> = began.to_be_bytes().into_iter().chain(count.to_be_bytes()).collect();
        SerialNumber::from_slice(&bytes)
    }
}
