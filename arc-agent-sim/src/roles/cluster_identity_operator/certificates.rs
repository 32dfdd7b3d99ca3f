//! `ArcCertificate`: a serving certificate for a Service of the agents, in Secret `<name>-certificate`.
//!
//! The certificate is self-signed; who signs the real one is not published.

use jiff::{SignedDuration, Timestamp};
use kube::ResourceExt as _;
use kube::api::{Api, DynamicObject, ListParams, Patch, PatchParams};
use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, KeyPair};
use serde_json::{Value, json};

use crate::agent::Agent;
use crate::config::NAMESPACE;
use crate::error::CallError;
use crate::identity::store;

/// Life of a certificate (TLS: wall time).
const LIFE_DAYS: i64 = 90;
/// How far back validity starts, for clocks that disagree a little.
const BACKDATE: SignedDuration = SignedDuration::from_hours(24);

/// Serves every object without a certificate. Returns the list's revision.
///
/// # Errors
/// The first failure, which is also in the object's status; the others are served all the same.
pub(super) async fn reconcile(agent: &Agent, api: &Api<DynamicObject>) -> Result<String, CallError> {
    let list = api.list(&ListParams::default()).await?;
    let mut outcome = Ok(());
    for object in &list.items {
        if is_good(object, agent.clock.wall()) {
            continue;
        }
        let name = object.name_any();
        match serve(agent, &name, object).await {
            Ok(status) => set_status(api, &name, status).await?,
            Err(error) => {
                set_status(api, &name, json!({ "errorMessage": error.to_string() })).await?;
                outcome = outcome.and(Err(error));
            }
        }
    }
    outcome.map(|()| list.metadata.resource_version.unwrap_or_default())
}

fn is_good(object: &DynamicObject, now: Timestamp) -> bool {
    let status = &object.data["status"];
    let expiry = status["expirationTime"].as_str().and_then(|text| text.parse::<Timestamp>().ok());
    status["secretName"].is_string() && expiry.is_some_and(|expiry| expiry > now)
}

async fn set_status(api: &Api<DynamicObject>, name: &str, status: Value) -> Result<(), CallError> {
    api.patch_status(name, &PatchParams::default(), &Patch::Merge(json!({ "status": status }))).await?;
    Ok(())
}

async fn serve(agent: &Agent, name: &str, object: &DynamicObject) -> Result<Value, CallError> {
    let service = object.data["spec"]["serviceName"].as_str().unwrap_or(name);
    let now = agent.clock.wall();
    let (certificate, key) = self_signed(service, now)
        .map_err(|error| CallError::Unreadable(service.into(), error.to_string()))?;
    let secret = format!("{name}-certificate");
    let entries = [("tls.crt", certificate.as_str()), ("tls.key", key.as_str())];
    store::write(&store::secrets(agent), &secret, "kubernetes.io/tls", &entries).await?;
    agent.log.info(format!("Certificate for {service} written to secret {secret}"));
    let text = |at: Timestamp| at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let expiry = now.checked_add(SignedDuration::from_hours(24 * LIFE_DAYS)).unwrap_or(now);
    Ok(json!({
        "errorMessage": "",
        "lastSyncTime": text(agent.clock.now()),
        "expirationTime": text(expiry),
        "secretName": secret,
    }))
}

/// Certificate and key, PEM, for a Service of the agents' namespace.
fn self_signed(service: &str, now: Timestamp) -> Result<(String, String), rcgen::Error> {
    let names = ["", ".svc", ".svc.cluster.local"].map(|suffix| format!("{service}.{NAMESPACE}{suffix}"));
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name.push(DnType::CommonName, service);
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let day = |at: Timestamp| {
        let date = at.to_zoned(jiff::tz::TimeZone::UTC).date();
        let part = |value: i8| u8::try_from(value).unwrap_or(1);
        rcgen::date_time_ymd(i32::from(date.year()), part(date.month()), part(date.day()))
    };
    params.not_before = day(now.checked_sub(BACKDATE).unwrap_or(now));
    params.not_after = day(now.checked_add(SignedDuration::from_hours(24 * LIFE_DAYS)).unwrap_or(now));
    let key = KeyPair::generate()?;
    Ok((params.self_signed(&key)?.pem(), key.serialize_pem()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_serving_certificate_is_made_once_and_again_when_it_has_expired() {
        let now: Timestamp = "2026-01-31T10:00:00Z".parse().unwrap();
        let (certificate, key) = self_signed("kube-aad-proxy", now).unwrap();
        assert!(certificate.starts_with("-----BEGIN CERTIFICATE-----"));
        assert!(key.contains("PRIVATE KEY"));
        let mut object = crate::identity::object("v", "k", "kube-aad-proxy", json!({}));
        assert!(!is_good(&object, now));
        object.data["status"] = json!({ "secretName": "s", "expirationTime": "2026-05-01T00:00:00Z" });
        assert!(is_good(&object, now));
        assert!(!is_good(&object, "2026-05-02T00:00:00Z".parse().unwrap()));
    }
}
