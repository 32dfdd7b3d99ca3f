//! Tokens of other issuers as proof of an application (workload identity federation; Microsoft Entra documentation).

use jsonwebtoken::DecodingKey;
use jsonwebtoken::jwk::JwkSet;

use super::super::refusal::Refusal;
use super::assertion::{Claims, is_signed_by};
use super::client::key_of_certificate;
use crate::profile::FederatedCredential;

/// Checks a foreign token against an application's federated credentials: issuer, subject, audience, then the signature by a key of
/// the issuer. Its times are the caller's to check.
///
/// # Errors
/// The [`Refusal`] of the first thing that no credential matches.
pub(super) fn check(
    token: &str,
    claims: &Claims,
    credentials: &[FederatedCredential],
) -> Result<(), Refusal> {
    let Claims { iss: issuer, sub: subject, aud: audience, .. } = claims;
    if credentials.is_empty() {
        return Err(Refusal::Federated {
            issuer: issuer.clone(),
            subject: subject.clone(),
            audience: audience.clone(),
        });
    }
    let same = |one: &&FederatedCredential| one.issuer.trim_end_matches('/') == issuer.trim_end_matches('/');
    let of_issuer: Vec<_> = credentials.iter().filter(same).collect();
    if of_issuer.is_empty() {
        return Err(Refusal::FederatedIssuer(issuer.clone()));
    }
    let of_subject: Vec<_> = of_issuer.into_iter().filter(|one| one.subject == *subject).collect();
    if of_subject.is_empty() {
        return Err(Refusal::FederatedSubject(subject.clone()));
    }
    let of_audience = of_subject.into_iter().find(|one| one.audiences.iter().any(|known| known == audience));
    let Some(credential) = of_audience else { return Err(Refusal::FederatedAudience(audience.clone())) };
    if keys(credential).iter().any(|key| is_signed_by(token, key)) {
        return Ok(());
    }
    Err(Refusal::FederatedSignature)
}

/// The issuer's keys, as far as they can be read.
fn keys(credential: &FederatedCredential) -> Vec<DecodingKey> {
    let published = credential.jwks.clone().and_then(|jwks| serde_json::from_value::<JwkSet>(jwks).ok());
    let published = published.into_iter().flat_map(|set| set.keys);
    let published = published.filter_map(|key| DecodingKey::from_jwk(&key).ok());
    credential.keys.iter().filter_map(|pem| key_of_certificate(pem)).chain(published).collect()
}
