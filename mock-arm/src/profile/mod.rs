//! What a simulated cloud consists of: the data that describes a world's Azure side.
//!
//! A profile is a file people write: unknown keys are errors, everything has a default. Identifiers that are left out
//! are drawn from the world's seed when the cloud starts ([`Profile::filled`]).

mod authorization;
mod directory;
mod operations;
mod registration;
mod throttling;

use std::collections::BTreeMap;
use std::path::PathBuf;

pub use authorization::{Permissions, RoleGrant};
pub use directory::{FederatedCredential, ManagedIdentity, Principal, User};
pub use operations::{Fate, OperationProfile, Style};
pub use registration::{Registration, RegistrationOutcome};
use serde::{Deserialize, Serialize};
use sim_core::seed::Seed;
pub use throttling::{Bucket, ProviderLimit, Throttling};
use uuid::Uuid;

/// A directory (tenant) of the simulated Entra ID.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Tenant {
    /// Its id; nil means "draw one".
    pub id: Uuid,
    /// The name that `az account tenant list` shows.
    pub display_name: String,
    /// Its first domain.
    pub default_domain: String,
}

impl Default for Tenant {
    fn default() -> Self {
        Self {
            id: Uuid::nil(),
            display_name: "Dryarc".into(),
            default_domain: "dryarc.onmicrosoft.com".into(),
        }
    }
}

/// A subscription of the tenant.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Subscription {
    /// Its id; nil means "draw one".
    pub id: Uuid,
    /// Its display name.
    pub name: String,
}

/// What the Arc service hands out as the current agent release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Release {
    /// Version of the agents.
    pub agent_version: String,
    /// Repository of the agents' chart in the registry, without host and tag.
    pub registry_path: String,
    /// Further versions that the registry has.
    pub versions: Vec<String>,
    /// Further values of the agents' chart, by name (`systemDefaultValues.…`), which the data plane hands out beside those that
    /// follow from the connected cluster.
    pub values: BTreeMap<String, String>,
    /// Program that the registry serves as the helm client; none means that it has no helm client.
    pub helm_client: Option<PathBuf>,
    /// Program that the registry serves as the cluster connect proxy; none means that it has none.
    pub connect_proxy: Option<PathBuf>,
}

impl Default for Release {
    fn default() -> Self {
        Self {
            agent_version: "1.37.2".into(),
            registry_path: "azurearck8s/batch1/stable/azure-arc-k8sagents".into(),
            versions: ["1.36.1", "1.35.3", "1.34.2", "1.33.0"].map(String::from).into(),
            values: BTreeMap::new(),
            helm_client: None,
            connect_proxy: None,
        }
    }
}

/// Whether callers must show a token.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Authentication {
    /// Tokens are required and checked.
    #[default]
    Required,
    /// No token is looked at; every caller is the first principal.
    None,
}

/// The cloud of one world.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Profile {
    /// The directory.
    pub tenant: Tenant,
    /// Subscriptions; empty means one with a drawn id.
    pub subscriptions: Vec<Subscription>,
    /// Service principals; empty means one with drawn ids.
    pub principals: Vec<Principal>,
    /// People who may log in; empty means one with drawn id and password.
    pub users: Vec<User>,
    /// Managed identities of the machine on which clients run; empty means one that the machine itself has.
    pub managed_identities: Vec<ManagedIdentity>,
    /// World seconds for which Entra ID signs with one key; six weeks if left out. Entra ID publishes no interval.
    pub key_rotation_seconds: Option<u64>,
    /// Regions that exist, by name (`eastus`); empty means every known one.
    pub regions: Vec<String>,
    /// Registration by namespace; names compare without case. `*` is the rule for all others.
    pub registration: BTreeMap<String, Registration>,
    /// Long-running operations by type and verb, such as `Microsoft.Kubernetes/connectedClusters/write`; names compare
    /// without case.
    pub operations: BTreeMap<String, OperationProfile>,
    /// World seconds for which the result of an operation can be read after its end. The real service keeps results for a
    /// time that it does not publish.
    pub operation_retention_seconds: Option<u64>,
    /// Let a PUT or PATCH change the agents' key of a connected cluster instead of refusing it.
    pub accept_key_changes: bool,
    /// How features register; the default is that of [`Registration`].
    pub features: Registration,
    /// How often callers may ask.
    pub throttling: Throttling,
    /// Whether roles are looked at.
    pub permissions: Permissions,
    /// World seconds until a role assignment, or its removal, takes effect.
    pub permission_delay_seconds: u64,
    /// World seconds for which lists do not show a new resource yet; zero means that a list shows what was written. What is
    /// deleted leaves lists at once.
    pub list_lag_seconds: u64,
    /// The agents' release.
    pub release: Release,
    /// Whether tokens are checked.
    pub authentication: Authentication,
    /// Refuse API versions that the type does not list instead of serving the nearest known one.
    pub strict: bool,
}

fn draw(id: &mut Uuid, seed: Seed, label: &str) {
    if id.is_nil() {
        *id = seed.uuid(label);
    }
}

fn without_case<'a, T>(map: &'a BTreeMap<String, T>, name: &str) -> Option<&'a T> {
    map.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

impl Profile {
    /// The profile with every identifier that was left open drawn from `seed`, and at least one subscription and one
    /// service principal. Filling a filled profile changes nothing.
    #[must_use]
    pub fn filled(mut self, seed: Seed) -> Self {
        draw(&mut self.tenant.id, seed, "profile/tenant");
        if self.subscriptions.is_empty() {
            self.subscriptions.push(Subscription::default());
        }
        for (index, subscription) in self.subscriptions.iter_mut().enumerate() {
            draw(&mut subscription.id, seed, &format!("profile/subscription/{index}"));
            if subscription.name.is_empty() {
                subscription.name = format!("Dryarc subscription {}", index + 1);
            }
        }
        if self.principals.is_empty() {
            self.principals.push(Principal::default());
        }
        if self.users.is_empty() {
            self.users.push(User::default());
        }
        if self.managed_identities.is_empty() {
            self.managed_identities.push(ManagedIdentity::default());
        }
        let subscription = self.subscriptions.first().map(|one| one.id).unwrap_or_default();
        for (index, principal) in self.principals.iter_mut().enumerate() {
            principal.fill(seed, index);
        }
        for (index, user) in self.users.iter_mut().enumerate() {
            user.fill(seed, index, &self.tenant.default_domain);
        }
        for (index, identity) in self.managed_identities.iter_mut().enumerate() {
            identity.fill(seed, index, subscription);
        }
        self
    }

    /// How `namespace` registers.
    #[must_use]
    pub fn registration(&self, namespace: &str) -> Registration {
        without_case(&self.registration, namespace)
            .or_else(|| self.registration.get("*"))
            .copied()
            .unwrap_or_default()
    }

    /// What this profile says about an operation such as `Microsoft.Kubernetes/connectedClusters/write`.
    #[must_use]
    pub fn operation(&self, name: &str) -> OperationProfile {
        without_case(&self.operations, name).copied().unwrap_or_default()
    }

    /// World time for which the result of an operation can be read after its end: an hour unless the profile says
    /// otherwise.
    #[must_use]
    pub fn operation_retention(&self) -> std::time::Duration {
        std::time::Duration::from_secs(self.operation_retention_seconds.unwrap_or(3600))
    }

    /// The subscription with this id, if the tenant has it.
    #[must_use]
    pub fn subscription(&self, id: &str) -> Option<&Subscription> {
        let id = Uuid::try_parse(id).ok()?;
        self.subscriptions.iter().find(|subscription| subscription.id == id)
    }

    /// The principal with this client id.
    #[must_use]
    pub fn principal(&self, client_id: &str) -> Option<&Principal> {
        let id = Uuid::try_parse(client_id).ok()?;
        self.principals.iter().find(|principal| principal.client_id == id)
    }

    /// The person with this name; names compare without case.
    #[must_use]
    pub fn user(&self, name: &str) -> Option<&User> {
        self.users.iter().find(|user| user.principal_name.eq_ignore_ascii_case(name))
    }

    /// Object id and first roles of whoever is called `id`: an application by its client id, anybody else by the object id.
    #[must_use]
    pub fn member(&self, id: Uuid) -> Option<(Uuid, &[RoleGrant])> {
        let application = self.principals.iter().find(|one| one.client_id == id);
        let person = || self.users.iter().find(|one| one.object_id == id);
        let machine = || self.managed_identities.iter().find(|one| one.object_id == id);
        application
            .map(|one| (one.object_id, one.roles.as_slice()))
            .or_else(|| person().map(|one| (one.object_id, one.roles.as_slice())))
            .or_else(|| machine().map(|one| (one.object_id, one.roles.as_slice())))
    }

    /// World time for which Entra ID signs with one key.
    #[must_use]
    pub fn key_rotation(&self) -> std::time::Duration {
        const SIX_WEEKS: u64 = 42 * 24 * 3600;
        std::time::Duration::from_secs(self.key_rotation_seconds.unwrap_or(SIX_WEEKS).max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_is_drawn_from_the_seed_and_what_is_given_stays() {
        let given = Uuid::from_u128(7);
        let profile = Profile {
            subscriptions: vec![Subscription { id: given, name: "mine".into() }, Subscription::default()],
            ..Profile::default()
        };
        let filled = profile.clone().filled(Seed::new(1));
        assert_eq!(filled.subscriptions[0].id, given);
        assert!(!filled.subscriptions[1].id.is_nil());
        assert_eq!(filled, profile.clone().filled(Seed::new(1)));
        assert_ne!(filled.tenant.id, profile.filled(Seed::new(2)).tenant.id);
        assert_eq!(filled, filled.clone().filled(Seed::new(3)));
    }

    #[test]
    fn an_unknown_key_in_a_profile_is_an_error() {
        assert!(serde_json::from_str::<Profile>(r#"{"tennant":{}}"#).is_err());
        let text = r#"{"registration":{"microsoft.kubernetes":{"seconds":600,"outcome":"stuck"}}}"#;
        let profile: Profile = serde_json::from_str(text).unwrap();
        let registration = profile.registration("Microsoft.Kubernetes");
        assert_eq!((registration.seconds, registration.outcome), (600, RegistrationOutcome::Stuck));
        assert_eq!(profile.registration("Microsoft.Compute").seconds, 71);
    }
}
