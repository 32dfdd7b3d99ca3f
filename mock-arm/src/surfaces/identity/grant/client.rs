//! Applications and the identities of clusters: who they are, and how they prove it.

use arm_wire::agent::ASSERTION_TYPE;
use jiff::Timestamp;
use jsonwebtoken::DecodingKey;

use super::super::super::SurfaceRequest;
use super::super::super::agent_plane::identities;
use super::super::super::params::Params;
use super::super::claims::{Proof, Subject};
use super::super::refusal::Refusal;
use super::super::tenant::Tenant;
use super::assertion::{self, Expectation};
use crate::profile::FederatedCredential;
use crate::world::World;

/// Who may ask for tokens, and by which credentials.
pub(super) struct Client {
    pub(super) subject: Subject,
    secret: Option<String>,
    secret_expires: Option<Timestamp>,
    keys: Vec<DecodingKey>,
    federated: Vec<FederatedCredential>,
    expired: bool,
}

impl Client {
    /// The application or the cluster's identity with this client id.
    pub(super) fn find(world: &World, client_id: &str) -> Option<Self> {
        let tenant = world.profile.tenant.id;
        if let Some(principal) = world.profile.principal(client_id) {
            let subject = Subject {
                tenant,
                appid: principal.client_id,
                oid: principal.object_id,
                mirid: None,
                proof: Proof::Secret,
            };
            let keys = principal.certificates.iter().filter_map(|pem| key_of_certificate(pem)).collect();
            return Some(Self {
                subject,
                secret: Some(principal.secret.clone()),
                secret_expires: principal.secret_expires,
                keys,
                federated: principal.federated_credentials.clone(),
                expired: false,
            });
        }
        let identity = identities::find(world, client_id)?;
        let subject = Subject {
            tenant,
            appid: identity.client_id,
            oid: identity.object_id,
            mirid: Some(identity.arm_id),
            proof: Proof::Certificate,
        };
        let keys = vec![DecodingKey::from_rsa_der(&identity.public_key)];
        Some(Self {
            subject,
            secret: None,
            secret_expires: None,
            keys,
            federated: Vec::new(),
            expired: identity.expired,
        })
    }

    /// How the client proves itself.
    ///
    /// # Errors
    /// The [`Refusal`] that Entra ID would give.
    pub(super) fn prove(
        &self,
        world: &World,
        tenant: &Tenant,
        params: &Params,
        secret: Option<&str>,
        request: SurfaceRequest<'_>,
    ) -> Result<Proof, Refusal> {
        let app = self.subject.appid.to_string();
        if let Some(assertion) = params.get("client_assertion") {
            if params.get("client_assertion_type") != Some(ASSERTION_TYPE) {
                return Err(Refusal::Missing("client_assertion_type"));
            }
            let audiences = assertion_audiences(tenant, request);
            let expected = Expectation {
                client_id: &app,
                audiences: &audiences,
                keys: &self.keys,
                federated: &self.federated,
                now: world.clock.wall(),
            };
            assertion::check(assertion, &expected)?;
            if self.expired {
                return Err(Refusal::CertificateExpired);
            }
            return Ok(Proof::Certificate);
        }
        let given = secret.ok_or(Refusal::NoCredential)?;
        let right = self.secret.as_deref().is_some_and(|secret| {
            aws_lc_rs::constant_time::verify_slices_are_equal(secret.as_bytes(), given.as_bytes()).is_ok()
        });
        match self.secret_expires {
            _ if !right => Err(Refusal::Secret(app)),
            Some(end) if end <= world.clock.now() => Err(Refusal::SecretExpired(app)),
            _ => Ok(Proof::Secret),
        }
    }
}

/// Where an assertion may say that it is for: the endpoint as the caller addressed it, and the public cloud's names of
/// it.
fn assertion_audiences(tenant: &Tenant, request: SurfaceRequest<'_>) -> Vec<String> {
    let Tenant::Own { id, words } = tenant else { return Vec::new() };
    let mut audiences = vec![format!("https://sts.windows.net/{id}/")];
    for base in [request.base_url, "https://login.microsoftonline.com"] {
        for tenant in [id.to_string(), words.clone()] {
            for path in ["oauth2/v2.0/token", "oauth2/token", "v2.0"] {
                audiences.push(format!("{base}/{tenant}/{path}"));
            }
        }
    }
    audiences
}

/// The public key inside a PEM certificate or a PEM public key.
pub(super) fn key_of_certificate(pem: &str) -> Option<DecodingKey> {
    DecodingKey::from_rsa_pem(pem.as_bytes()).ok()
}
