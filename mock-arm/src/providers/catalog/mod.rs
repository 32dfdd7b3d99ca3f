//! What namespaces there are, with their types, regions and API versions: data, not code.
//!
//! A type in here is known, so that clients can list it; whether it is modelled is a matter of the
//! [`super::Registry`].

mod arc;
mod coverage;
mod neighbours;
pub mod regions;

use arm_wire::provider::{Authorization, ProviderObject, ResourceType};

use crate::store::registrations::Registration;

/// Whether a subscription must register a namespace before it can use it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// It must.
    RegistrationRequired,
    /// It is always registered.
    RegistrationFree,
}

/// Where a type can be created.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Where {
    /// In no region: it has no location.
    Global,
    /// In these, by display name.
    In(&'static [&'static str]),
    /// In every region.
    Everywhere,
}

/// A resource type that a namespace offers.
#[derive(Debug, Clone, Copy)]
pub struct TypeEntry {
    /// Its name without the namespace.
    pub name: &'static str,
    /// Where it can be created.
    pub locations: Where,
    /// Its API versions, newest first.
    pub versions: &'static [&'static str],
    /// The version for tools without a preference.
    pub default: Option<&'static str>,
    /// Words joined by a comma and a blank.
    pub capabilities: &'static str,
}

/// A namespace.
#[derive(Debug, Clone, Copy)]
pub struct Namespace {
    /// Its name, in the official casing.
    pub name: &'static str,
    /// Whether it must be registered.
    pub access: Access,
    /// Applications that act for it, with the role each gets.
    pub authorizations: &'static [(&'static str, Option<&'static str>)],
    /// Its types.
    pub types: &'static [TypeEntry],
}

const ARC: &[Namespace] = &[arc::KUBERNETES, arc::KUBERNETES_CONFIGURATION, arc::EXTENDED_LOCATION];

/// All namespaces: those of Azure Arc-enabled Kubernetes first.
pub fn namespaces() -> impl Iterator<Item = &'static Namespace> {
    ARC.iter().chain(neighbours::NAMESPACES)
}

/// The API versions of Resource Manager itself, newest first.
#[must_use]
pub fn core_versions() -> &'static [&'static str] {
    neighbours::RESOURCES
}

/// The namespace of this name; names compare without case.
#[must_use]
pub fn find(name: &str) -> Option<&'static Namespace> {
    namespaces().find(|namespace| namespace.name.eq_ignore_ascii_case(name))
}

impl Namespace {
    /// The type of this name; names compare without case.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&'static TypeEntry> {
        self.types.iter().find(|entry| entry.name.eq_ignore_ascii_case(name))
    }

    /// The state of a namespace that nobody has touched.
    #[must_use]
    pub fn initial(&self, registered: bool) -> Registration {
        if registered || self.access == Access::RegistrationFree {
            Registration::Registered
        } else {
            Registration::NotRegistered
        }
    }

    /// The object that clients read; `state` is absent without a subscription.
    #[must_use]
    pub fn object(&self, subscription: Option<&str>, state: Option<Registration>) -> ProviderObject {
        let scope = subscription.map(|id| format!("/subscriptions/{id}")).unwrap_or_default();
        let authorization = |(application, role): &(&str, Option<&str>)| Authorization {
            application_id: (*application).into(),
            role_definition_id: role.map(str::to_owned),
        };
        ProviderObject {
            id: format!("{scope}/providers/{}", self.name),
            namespace: self.name.into(),
            authorizations: self.authorizations.iter().map(authorization).collect(),
            resource_types: self.types.iter().map(TypeEntry::object).collect(),
            registration_state: state.map(|state| state.as_str().into()),
            registration_policy: match self.access {
                Access::RegistrationRequired => "RegistrationRequired".into(),
                Access::RegistrationFree => "RegistrationFree".into(),
            },
        }
    }
}

impl TypeEntry {
    /// Display names of the regions that have it.
    #[must_use]
    pub fn regions(&self) -> Vec<&'static str> {
        match self.locations {
            Where::Global => Vec::new(),
            Where::In(displays) => displays.to_vec(),
            Where::Everywhere => regions::REGIONS.iter().map(|region| region.display).collect(),
        }
    }

    fn object(&self) -> ResourceType {
        let owned = |texts: &[&str]| texts.iter().map(ToString::to_string).collect();
        ResourceType {
            resource_type: self.name.into(),
            locations: owned(&self.regions()),
            api_versions: owned(self.versions),
            default_api_version: self.default.map(str::to_owned),
            capabilities: Some(self.capabilities.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_region_of_every_type_exists() {
        for entry in namespaces().flat_map(|namespace| namespace.types) {
            for display in entry.regions() {
                let region = regions::find(display);
                assert_eq!(region.map(|region| region.display), Some(display), "{}", entry.name);
            }
            assert!(!entry.versions.is_empty(), "{}", entry.name);
        }
    }

    #[test]
    fn a_namespace_is_found_without_case_and_keeps_its_own() {
        let namespace = find("microsoft.kubernetes").unwrap();
        let object = namespace.object(Some("s"), Some(namespace.initial(false)));
        assert_eq!(object.id, "/subscriptions/s/providers/Microsoft.Kubernetes");
        assert_eq!(object.registration_state.as_deref(), Some("NotRegistered"));
        assert_eq!(object.resource_types[0].locations.len(), 34);
        assert_eq!(object.resource_types[0].default_api_version.as_deref(), Some("2024-01-01"));
    }
}
