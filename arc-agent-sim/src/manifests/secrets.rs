//! Secrets that exist from installation on. The others are made by the agents at run time.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::{AgentSettings, NAMESPACE};

/// The onboarding key, under `privateKey`.
pub(super) const ONBOARDING_KEY: &str = "azure-arc-connect-privatekey";
/// Proxy variables, loaded as environment.
pub(super) const PROXY: &str = "proxy-config";
/// Certificates to trust, under `proxy-cert.crt`.
pub(super) const PROXY_CERTIFICATE: &str = "proxy-cert";
/// The key of the certificates, and the name of the file.
pub(super) const PROXY_CERTIFICATE_FILE: &str = "proxy-cert.crt";

pub(super) fn all(settings: &AgentSettings) -> Vec<Value> {
    let proxy = &settings.proxy;
    let mut all = Vec::new();
    if !settings.private_key_pem.is_empty() {
        all.push(onboarding(&settings.private_key_pem));
    }
    if proxy.is_enabled() {
        all.push(secret(PROXY, &proxy.variables().collect::<Vec<_>>()));
    }
    if let Some(certificate) = &proxy.certificate {
        all.push(secret(PROXY_CERTIFICATE, &[(PROXY_CERTIFICATE_FILE, certificate)]));
    }
    all
}

/// The Secret with the onboarding key, PKCS#1 PEM. From agent 1.35.3 on whoever onboards makes it before the release is
/// installed, so that the key never goes through Helm's values.
#[must_use]
pub fn onboarding(private_key_pem: &str) -> Value {
    secret(ONBOARDING_KEY, &[("privateKey", private_key_pem)])
}

fn secret(name: &str, entries: &[(&str, &str)]) -> Value {
    secret_in(NAMESPACE, name, entries)
}

/// A Secret with these entries.
pub(super) fn secret_in(namespace: &str, name: &str, entries: &[(&str, &str)]) -> Value {
    let data: Map<String, Value> =
        entries.iter().map(|(key, value)| ((*key).to_owned(), STANDARD.encode(value).into())).collect();
    json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": { "name": name, "namespace": namespace },
        "type": "Opaque",
        "data": data,
    })
}
