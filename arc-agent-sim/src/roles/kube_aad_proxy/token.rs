//! Who a token of Entra ID is for.

use std::sync::{Mutex, PoisonError};

use arm_wire::agent::CONNECT_AUDIENCES;
use bytes::Bytes;
use http::Request;
use jsonwebtoken::DecodingKey;
use serde::Deserialize;

use super::proof::{self, claims, signature_only};
use crate::agent::Agent;
use crate::error::CallError;
use crate::protocol::jwk::{Jwk, Jwks};

/// Beginnings of the issuers of Entra ID's tokens, both versions.
const ISSUERS: [&str; 2] = ["https://sts.windows.net/", "https://login.microsoftonline.com/"];

/// What a token says, as far as it matters here.
#[derive(Debug, Deserialize)]
struct Claims {
    #[serde(default)]
    iss: String,
    #[serde(default)]
    aud: String,
    #[serde(default)]
    oid: String,
    #[serde(default)]
    upn: Option<String>,
    #[serde(default)]
    tid: String,
    #[serde(default)]
    exp: i64,
    #[serde(default)]
    cnf: Option<Confirmation>,
}

#[derive(Debug, Deserialize)]
struct Confirmation {
    kid: String,
}

/// Whether a bearer token comes from Entra ID; the cluster's own tokens have another issuer.
pub(super) fn is_of_entra(token: &str) -> bool {
    claims::<Claims>(token).is_some_and(|claims| ISSUERS.iter().any(|issuer| claims.iss.starts_with(issuer)))
}

/// Checks tokens, with the keys that the tenant publishes.
#[derive(Debug, Default)]
pub(super) struct Verifier(Mutex<Vec<Jwk>>);

/// Whose token it is.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct User {
    /// Name of the user in the cluster: the principal name of a person, the object id of an application.
    pub(super) name: String,
    pub(super) oid: String,
}

impl Verifier {
    /// Who shows this proof of possession.
    ///
    /// # Errors
    /// Why it is nobody, for people.
    pub(super) async fn user(&self, agent: &Agent, shown: &str) -> Result<User, String> {
        let now = agent.clock.wall().as_second();
        let (token, key) = proof::open(shown, now)?;
        let id = jsonwebtoken::decode_header(&token)
            .map_err(|_| "the access token is unreadable")?
            .kid
            .ok_or("the access token names no key")?;
        let signer = self.key(agent, &id).await?;
        let signer = DecodingKey::from_rsa_components(&signer.n, &signer.e)
            .map_err(|error| format!("the tenant's key '{id}': {error}"))?;
        let claims = jsonwebtoken::decode::<Claims>(&token, &signer, &signature_only())
            .map_err(|_| "the access token is not signed by the tenant")?
            .claims;
        check(&claims, &agent.config.tenant, &key, now)?;
        Ok(User { name: claims.upn.unwrap_or_else(|| claims.oid.clone()), oid: claims.oid })
    }

    async fn key(&self, agent: &Agent, id: &str) -> Result<Jwk, String> {
        let known = |keys: &[Jwk]| keys.iter().find(|key| key.kid.as_deref() == Some(id)).cloned();
        if let Some(key) = known(&self.0.lock().unwrap_or_else(PoisonError::into_inner)) {
            return Ok(key);
        }
        let fresh = published(agent).await.map_err(|error| format!("the tenant's keys: {error}"))?;
        let found = known(&fresh).ok_or_else(|| format!("the tenant publishes no key '{id}'"));
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = fresh;
        found
    }
}

fn check(claims: &Claims, tenant: &str, key: &str, now: i64) -> Result<(), String> {
    if !claims.tid.eq_ignore_ascii_case(tenant) {
        return Err(format!("the access token is of tenant '{}', not of '{tenant}'", claims.tid));
    }
    if !CONNECT_AUDIENCES.contains(&claims.aud.as_str()) {
        return Err(format!("the access token is for '{}'", claims.aud));
    }
    if claims.exp <= now {
        return Err("the access token has expired".into());
    }
    match &claims.cnf {
        Some(cnf) if cnf.kid == key => Ok(()),
        Some(_) => Err("the access token is bound to another key".into()),
        None => Err("the access token is bound to no key".into()),
    }
}

async fn published(agent: &Agent) -> Result<Vec<Jwk>, CallError> {
    let url = format!("{}/{}/discovery/v2.0/keys", agent.config.active_directory, agent.config.tenant);
    let request = Request::get(&url)
        .body(Bytes::new())
        .map_err(|error| CallError::Unreadable(url.clone(), error.to_string()))?;
    let published: Jwks = agent.fetch_json(request).await?;
    Ok(published.keys)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_counts_for_its_tenant_its_audience_its_time_and_its_key_only() {
        let claims = |change: fn(&mut Claims)| {
            let mut claims = Claims {
                iss: format!("{}t/", ISSUERS[0]),
                aud: CONNECT_AUDIENCES[0].into(),
                oid: "o".into(),
                upn: None,
                tid: "T".into(),
                exp: 100,
                cnf: Some(Confirmation { kid: "k".into() }),
            };
            change(&mut claims);
            check(&claims, "t", "k", 99)
        };
        assert_eq!(claims(|_| {}), Ok(()));
        for (change, why) in [
            ((|claims| claims.tid = "x".into()) as fn(&mut Claims), "tenant"),
            (|claims| claims.aud = "https://management.azure.com".into(), "is for"),
            (|claims| claims.exp = 99, "expired"),
            (|claims| claims.cnf = None, "no key"),
            (|claims| claims.cnf = Some(Confirmation { kid: "x".into() }), "another key"),
        ] {
            assert!(claims(change).unwrap_err().contains(why), "{why}");
        }
    }
}
