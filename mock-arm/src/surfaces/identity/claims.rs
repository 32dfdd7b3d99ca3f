//! What an access token says.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::profile::User;

/// How long a token lives, in seconds of wall time: what Entra ID grants applications for Resource Manager.
pub const TOKEN_LIFE: i64 = 3599;

/// How far back a token's start lies, for clocks that disagree a little (Entra ID does the same).
const BACKDATE: i64 = 300;

/// How a caller proved itself, as the claim `appidacr` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// By a client secret.
    Secret,
    /// By a signed assertion.
    Certificate,
    /// Not at all: a person uses a public client.
    None,
}

/// The claims of a version 1.0 access token for an application, a managed identity or a person. Times are seconds of wall time
/// since 1970. Claims that only Microsoft's own services read (`aio`, `rh`, `xms_tcdt`, …) are not modelled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// The resource that the token is for, in the form in which it was asked for.
    pub aud: String,
    /// `https://sts.windows.net/{tenant}/`.
    pub iss: String,
    /// Issued at.
    pub iat: i64,
    /// Valid from.
    pub nbf: i64,
    /// Valid until.
    pub exp: i64,
    /// Application (client) id.
    pub appid: Uuid,
    /// `1` for a secret, `2` for a certificate, `0` for a public client.
    pub appidacr: String,
    /// The identity provider: the issuer.
    pub idp: String,
    /// `app` or `user`.
    pub idtyp: String,
    /// Object id of the service principal or of the person.
    pub oid: Uuid,
    /// The object id again; Entra ID derives a person's from it.
    pub sub: Uuid,
    /// The tenant.
    pub tid: Uuid,
    /// Unique per token.
    #[serde(default)]
    pub uti: String,
    /// `1.0`.
    pub ver: String,
    /// ARM id of the resource whose managed identity this is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub xms_mirid: Option<String>,
    /// What the application may do for a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scp: Option<String>,
    /// A person's display name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// A person's name to log in with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upn: Option<String>,
    /// The same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unique_name: Option<String>,
    /// The key that the bearer has to prove possession of (RFC 7800); the token is good for nothing without.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cnf: Option<Value>,
}

/// Issuer of every access token of a tenant.
#[must_use]
pub fn issuer(tenant: Uuid) -> String {
    format!("https://sts.windows.net/{tenant}/")
}

/// Who a token is for, and what for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// The tenant.
    pub tenant: Uuid,
    /// Application (client) id.
    pub appid: Uuid,
    /// Object id of the service principal.
    pub oid: Uuid,
    /// ARM id of the resource whose managed identity this is.
    pub mirid: Option<String>,
    /// How it proved itself.
    pub proof: Proof,
}

impl Claims {
    /// The claims of a token for `audience`, valid for [`TOKEN_LIFE`] seconds from the wall time `now`.
    #[must_use]
    pub fn new(subject: &Subject, audience: &str, now: Timestamp) -> Self {
        let now = now.as_second();
        let issuer = issuer(subject.tenant);
        let proof = match subject.proof {
            Proof::Secret => "1",
            Proof::Certificate => "2",
            Proof::None => "0",
        };
        Self {
            aud: audience.into(),
            iss: issuer.clone(),
            iat: now - BACKDATE,
            nbf: now - BACKDATE,
            exp: now + TOKEN_LIFE,
            appid: subject.appid,
            appidacr: proof.into(),
            idp: issuer,
            idtyp: "app".into(),
            oid: subject.oid,
            sub: subject.oid,
            tid: subject.tenant,
            uti: String::new(),
            ver: "1.0".into(),
            xms_mirid: subject.mirid.clone(),
            scp: None,
            name: None,
            upn: None,
            unique_name: None,
            cnf: None,
        }
    }

    /// The claims of a token for a person who uses the application `appid`.
    #[must_use]
    pub fn of_person(tenant: Uuid, appid: Uuid, user: &User, audience: &str, now: Timestamp) -> Self {
        let subject = Subject { tenant, appid, oid: user.object_id, mirid: None, proof: Proof::None };
        Self {
            idtyp: "user".into(),
            scp: Some("user_impersonation".into()),
            name: Some(user.name.clone()),
            upn: Some(user.principal_name.clone()),
            unique_name: Some(user.principal_name.clone()),
            ..Self::new(&subject, audience, now)
        }
    }
}
