//! Who is in the directory: applications, people, managed identities.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sim_core::seed::Seed;
use uuid::Uuid;

use super::{RoleGrant, draw};

/// The audience that federated tokens have unless the credential names others (Entra ID, workload identity federation).
const EXCHANGE: &str = "api://AzureADTokenExchange";

/// A service principal that may log in.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Principal {
    /// The application's (client) id; nil means "draw one".
    pub client_id: Uuid,
    /// Its client secret; empty means "draw one". It protects nothing outside of the simulation.
    pub secret: String,
    /// When the secret expires, in world time; left out, it never does.
    pub secret_expires: Option<Timestamp>,
    /// PEM certificates (or public keys) over RSA keys by which it may log in instead.
    pub certificates: Vec<String>,
    /// Tokens of other issuers by which it may log in instead.
    pub federated_credentials: Vec<FederatedCredential>,
    /// The object id of the principal; nil means "draw one".
    pub object_id: Uuid,
    /// Its display name.
    pub name: String,
    /// The roles it has from the start, where the profile has roles looked at.
    pub roles: Vec<RoleGrant>,
}

impl std::fmt::Debug for Principal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Principal")
            .field("client_id", &self.client_id)
            .field("object_id", &self.object_id)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl Principal {
    pub(super) fn fill(&mut self, seed: Seed, index: usize) {
        draw(&mut self.client_id, seed, &format!("profile/client/{index}"));
        draw(&mut self.object_id, seed, &format!("profile/object/{index}"));
        if self.secret.is_empty() {
            self.secret = drawn_secret(seed, &format!("profile/secret/{index}"));
        }
        if self.name.is_empty() {
            self.name = format!("dryarc-onboarding-{}", index + 1);
        }
    }
}

/// A token of another issuer that counts as an application's own proof, as `azure/login` uses it in pipelines.
///
/// Entra ID fetches the issuer's keys from the Internet. A world has none, so that the keys stand here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct FederatedCredential {
    /// The token's `iss`, exactly.
    pub issuer: String,
    /// The token's `sub`, exactly.
    pub subject: String,
    /// What the token's `aud` may be.
    pub audiences: Vec<String>,
    /// The issuer's keys: PEM certificates or public keys, RSA.
    pub keys: Vec<String>,
    /// The issuer's keys as the issuer publishes them (RFC 7517).
    pub jwks: Option<Value>,
}

impl Default for FederatedCredential {
    fn default() -> Self {
        Self {
            issuer: String::new(),
            subject: String::new(),
            audiences: vec![EXCHANGE.into()],
            keys: Vec::new(),
            jwks: None,
        }
    }
}

/// A person who may log in.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct User {
    /// The object id; nil means "draw one".
    pub object_id: Uuid,
    /// The name to log in with, such as `dev@contoso.com`; empty means "make one in the tenant's domain".
    pub principal_name: String,
    /// The display name.
    pub name: String,
    /// The password; empty means "draw one". It protects nothing outside of the simulation.
    pub password: String,
    /// The roles this person has from the start, where the profile has roles looked at.
    pub roles: Vec<RoleGrant>,
}

impl std::fmt::Debug for User {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("User").field("principal_name", &self.principal_name).finish_non_exhaustive()
    }
}

impl User {
    pub(super) fn fill(&mut self, seed: Seed, index: usize, domain: &str) {
        draw(&mut self.object_id, seed, &format!("profile/user/{index}"));
        if self.principal_name.is_empty() {
            self.principal_name = format!("developer{}@{domain}", index + 1);
        }
        if self.name.is_empty() {
            self.name = format!("Developer {}", index + 1);
        }
        if self.password.is_empty() {
            self.password = drawn_secret(seed, &format!("profile/password/{index}"));
        }
    }
}

/// A managed identity of the machine on which clients run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct ManagedIdentity {
    /// Client id; nil means "draw one".
    pub client_id: Uuid,
    /// Object id; nil means "draw one".
    pub object_id: Uuid,
    /// Id of the resource: for a user-assigned identity its own, else that of the machine. Empty means "a virtual machine".
    pub resource_id: String,
    /// Whether it is an identity of its own that was assigned to the machine.
    pub user_assigned: bool,
    /// The roles it has from the start, where the profile has roles looked at.
    pub roles: Vec<RoleGrant>,
}

impl ManagedIdentity {
    pub(super) fn fill(&mut self, seed: Seed, index: usize, subscription: Uuid) {
        draw(&mut self.client_id, seed, &format!("profile/managed-client/{index}"));
        draw(&mut self.object_id, seed, &format!("profile/managed-object/{index}"));
        if self.resource_id.is_empty() {
            let kind = if self.user_assigned {
                "Microsoft.ManagedIdentity/userAssignedIdentities"
            } else {
                "Microsoft.Compute/virtualMachines"
            };
            let number = index + 1;
            self.resource_id = format!(
                "/subscriptions/{subscription}/resourcegroups/dryarc/providers/{kind}/dryarc-{number}"
            );
        }
    }
}

fn drawn_secret(seed: Seed, label: &str) -> String {
    format!("dryarc~{}", seed.uuid(label).simple())
}
