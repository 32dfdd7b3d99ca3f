//! The hybrid identity service: discovery, then the identity certificate.

use arm_wire::agent::{self, Discovery, IdentityReply};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::Request;
use jiff::Timestamp;

use super::key::OnboardingKey;
use crate::agent::Agent;
use crate::error::CallError;

/// Asks which regional service is ours.
pub(crate) async fn discover(agent: &Agent) -> Result<String, CallError> {
    let url = agent::discovery_url(&agent.config.identity_service(), &agent.config.region);
    let found: Discovery = agent.fetch_json(get(&url)?).await?;
    Ok(found.url)
}

/// Asks the regional service for the identity of this cluster.
pub(crate) async fn identity(
    agent: &Agent,
    base: &str,
    key: &OnboardingKey,
) -> Result<IdentityReply, CallError> {
    let request = identity_request(base, &agent.config.arm_id(), key, agent.clock.wall())?;
    agent.fetch_json(request).await
}

/// The request, signed with the onboarding key at wall time `now`.
fn identity_request(
    base: &str,
    arm_id: &str,
    key: &OnboardingKey,
    now: Timestamp,
) -> Result<Request<Bytes>, CallError> {
    let date = now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let signature = STANDARD.encode(key.sign_pss(agent::identity_message(&date, arm_id).as_bytes())?);
    let url = agent::identity_url(base, arm_id);
    Request::get(&url)
        .header(agent::DATE_HEADER, date)
        .header(agent::SIGNED_MESSAGE_HEADER, agent::signed_message(&signature))
        .body(Bytes::new())
        .map_err(|error| CallError::Unreadable(url, error.to_string()))
}

fn get(url: &str) -> Result<Request<Bytes>, CallError> {
    Request::get(url)
        .body(Bytes::new())
        .map_err(|error| CallError::Unreadable(url.to_owned(), error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_lc_rs::signature::{RSA_PSS_2048_8192_SHA256, UnparsedPublicKey};

    #[tokio::test]
    async fn the_identity_request_is_signed_as_the_protocol_says() {
        let rsa = crate::protocol::key::tests::rsa().await;
        let key = OnboardingKey::from_pem(rsa.pkcs1_pem().as_bytes()).unwrap();
        let id = "/subscriptions/S/resourceGroups/g/providers/Microsoft.Kubernetes/connectedClusters/N";
        let now = "2026-01-02T03:04:05.6Z".parse().unwrap();
        let request = identity_request("https://eus.his.arc.azure.com", id, &key, now).unwrap();
        assert_eq!(request.uri().host(), Some("eus.his.arc.azure.com"));
        let header = |name| request.headers().get(name).unwrap().to_str().unwrap();
        let date = header(agent::DATE_HEADER);
        assert_eq!(date, "2026-01-02T03:04:05Z");
        let signature = agent::signature_of(header(agent::SIGNED_MESSAGE_HEADER)).unwrap();
        let message = agent::identity_message(date, id);
        UnparsedPublicKey::new(&RSA_PSS_2048_8192_SHA256, rsa.public_pkcs1_der())
            .verify(message.as_bytes(), &STANDARD.decode(signature).unwrap())
            .unwrap();
    }
}
