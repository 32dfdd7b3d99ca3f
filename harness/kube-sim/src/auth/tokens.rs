//! Service account tokens: RS256 JWTs that live by wall time.
//!
//! The signing key is made in the background; a cluster is ready before it, and whoever needs a token first waits.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use aws_lc_rs::digest;
use jiff::Timestamp;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde_json::{Value, json};
use sim_core::keys::{Bits, KeySource, RsaKey};

use crate::api::{Api, Caller, meta};
use crate::status::Status;

/// The issuer, and the audience of the API server itself.
pub(crate) const ISSUER: &str = "https://kubernetes.default.svc.cluster.local";

/// How many verified tokens are remembered.
const REMEMBERED: usize = 1024;

/// What a token is wanted for.
#[derive(Debug, Clone, Default)]
pub struct TokenAsk {
    /// The account's namespace.
    pub namespace: String,
    /// The account's name.
    pub account: String,
    /// For whom it is meant; empty: the API server.
    pub audiences: Vec<String>,
    /// How long it lives, in wall time; `None`: an hour.
    pub lifetime: Option<Duration>,
    /// Name and uid of the pod that it dies with.
    pub pod: Option<(String, String)>,
}

/// Issues and verifies tokens. Cheap to clone.
#[derive(Clone)]
pub struct TokenService(Arc<Inner>);

struct Inner {
    api: Api,
    keys: KeySource,
    label: String,
    ready: OnceLock<Arc<RsaKey>>,
    /// Claims of tokens whose signature has been checked, by digest of the token.
    verified: Mutex<HashMap<Vec<u8>, Arc<Value>>>,
}

impl fmt::Debug for TokenService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenService").field("label", &self.0.label).finish_non_exhaustive()
    }
}

impl TokenService {
    /// A service whose key has the label `kube/{cluster}/service-account`; starts making it. Call within a runtime.
    #[must_use]
    pub fn new(api: Api, keys: KeySource, cluster: &str) -> Self {
        let label = format!("kube/{cluster}/service-account");
        keys.prefetch(&label, Bits::Rsa2048);
        Self(Arc::new(Inner { api, keys, label, ready: OnceLock::new(), verified: Mutex::default() }))
    }

    async fn key(&self) -> Result<Arc<RsaKey>, Status> {
        self.0.keys.rsa(&self.0.label, Bits::Rsa2048).await.map_err(Status::internal)
    }

    fn wall(&self) -> Timestamp {
        self.0.api.clock().wall()
    }

    /// Waits until the signing key is there.
    ///
    /// # Errors
    /// 500 when it cannot be made.
    pub async fn ready(&self) -> Result<(), Status> {
        let key = self.key().await?;
        // Whoever came first has stored the same key.
        let _ = self.0.ready.set(key);
        Ok(())
    }

    /// A token for a service account, and the wall time at which it expires.
    ///
    /// # Errors
    /// 404 when there is no such account, 500 when the key cannot be made.
    pub async fn issue(&self, ask: &TokenAsk) -> Result<(String, Timestamp), Status> {
        self.ready().await?;
        self.issue_now(ask)
    }

    /// As [`TokenService::issue`], without waiting.
    ///
    /// # Errors
    /// 503 while [`TokenService::ready`] waits.
    pub fn issue_now(&self, ask: &TokenAsk) -> Result<(String, Timestamp), Status> {
        let key = self.0.ready.get().ok_or_else(|| {
            Status::unavailable("the signing key of service account tokens is still being made; try again")
        })?;
        let kind = self.0.api.kind("", "ServiceAccount")?;
        let account = self.0.api.get(&kind, Some(&ask.namespace), &ask.account)?;
        let now = self.wall();
        let lifetime = ask.lifetime.unwrap_or(Duration::from_secs(3600)).max(Duration::from_secs(600));
        let expiry = now.checked_add(lifetime).unwrap_or(now);
        let audiences =
            if ask.audiences.is_empty() { vec![ISSUER.to_owned()] } else { ask.audiences.clone() };
        let mut bound = json!({
            "namespace": ask.namespace,
            "serviceaccount": {"name": ask.account, "uid": meta::uid(&account)},
        });
        if let Some((name, uid)) = &ask.pod {
            bound["pod"] = json!({"name": name, "uid": uid});
        }
        let claims = json!({
            "aud": audiences, "exp": expiry.as_second(), "iat": now.as_second(), "iss": ISSUER,
            "kubernetes.io": bound, "nbf": now.as_second(),
            "sub": format!("system:serviceaccount:{}:{}", ask.namespace, ask.account),
        });
        let header = Header { kid: Some(key_id(key)), ..Header::new(Algorithm::RS256) };
        let signer = EncodingKey::from_rsa_pem(key.pkcs8_pem().as_bytes()).map_err(Status::internal)?;
        let token = jsonwebtoken::encode(&header, &claims, &signer).map_err(Status::internal)?;
        Ok((token, expiry))
    }

    /// Who shows this token to a reader of `audiences` (empty: the API server); `None` when it is not to be believed:
    /// signature, times, audience, or the account or pod that it is bound to.
    pub async fn verify(&self, token: &str, audiences: &[String]) -> Option<(Caller, Vec<String>)> {
        let claims = self.claims(token).await?;
        let now = self.wall().as_second();
        let own = [ISSUER.to_owned()];
        let wanted = if audiences.is_empty() { &own[..] } else { audiences };
        let stated = claims["aud"].as_array()?;
        let common: Vec<String> = wanted.iter().filter(|one| stated.contains(&json!(one))).cloned().collect();
        let in_time = claims["exp"].as_i64()? > now && claims["nbf"].as_i64()? <= now + 5;
        if common.is_empty() || !in_time || !self.still_bound(&claims["kubernetes.io"]) {
            return None;
        }
        let user = meta::text(&claims, "/sub").to_owned();
        let namespace = meta::text(&claims["kubernetes.io"], "/namespace");
        let groups = vec![
            "system:serviceaccounts".into(),
            format!("system:serviceaccounts:{namespace}"),
            "system:authenticated".into(),
        ];
        Some((Caller { user, groups, ..Caller::default() }, common))
    }

    async fn claims(&self, token: &str) -> Option<Arc<Value>> {
        let digest = digest::digest(&digest::SHA256, token.as_bytes()).as_ref().to_vec();
        let remembered = || self.0.verified.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(claims) = remembered().get(&digest) {
            return Some(claims.clone());
        }
        let key = self.key().await.ok()?;
        let mut validation = Validation::new(Algorithm::RS256);
        validation.set_issuer(&[ISSUER]);
        // Times and audience are checked at every use, because what is remembered here outlives this check.
        validation.validate_exp = false;
        validation.validate_aud = false;
        let (modulus, exponent) = key.jwk_parts();
        let reader = DecodingKey::from_rsa_components(&modulus, &exponent).ok()?;
        let claims = Arc::new(jsonwebtoken::decode::<Value>(token, &reader, &validation).ok()?.claims);
        let mut verified = remembered();
        if verified.len() >= REMEMBERED {
            verified.clear();
        }
        verified.insert(digest, claims.clone());
        Some(claims)
    }

    fn still_bound(&self, bound: &Value) -> bool {
        let namespace = meta::text(bound, "/namespace");
        self.0.api.ledger().read(|view| {
            let is = |table: &str, part: &str| {
                let key = format!("{namespace}/{}", meta::text(&bound[part], "/name"));
                view.get(table, &key)
                    .is_some_and(|row| meta::uid(&row.value) == meta::text(&bound[part], "/uid"))
            };
            is("core/serviceaccounts", "serviceaccount") && (bound["pod"].is_null() || is("core/pods", "pod"))
        })
    }

    /// The public key as a JSON Web Key Set.
    ///
    /// # Errors
    /// 500 when the key cannot be made.
    pub async fn jwks(&self) -> Result<Value, Status> {
        let key = self.key().await?;
        let (modulus, exponent) = key.jwk_parts();
        Ok(json!({"keys": [{
            "use": "sig", "kty": "RSA", "kid": key_id(&key), "alg": "RS256", "n": modulus, "e": exponent,
        }]}))
    }
}

fn key_id(key: &RsaKey) -> String {
    use base64::Engine as _;
    let digest = digest::digest(&digest::SHA256, key.public_pkcs1_der());
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(digest.as_ref())
}
