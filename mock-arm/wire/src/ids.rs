//! Resource identifiers.
//!
//! ARM compares them without case and returns them with the casing the caller last used (ARM resource provider
//! contract), so a [`ResourceId`] keeps the casing and offers [`ResourceId::key`] for comparing and storing.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A text that is not a resource id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not a resource id (/subscriptions/…/resourceGroups/…/providers/Namespace/type/name)")]
pub struct IdError(pub String);

/// The id of a resource within a resource group, such as
/// `/subscriptions/S/resourceGroups/G/providers/Microsoft.Kubernetes/connectedClusters/C`.
///
/// Extension resources (a second `/providers/`) and ids outside of a group are not modelled.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ResourceId {
    /// The subscription, as written.
    pub subscription: String,
    /// The resource group, as written.
    pub group: String,
    /// The provider namespace, as written.
    pub namespace: String,
    /// Types and names from the outermost inwards; never empty.
    pub segments: Vec<(String, String)>,
}

impl ResourceId {
    /// The full type, such as `Microsoft.Kubernetes/connectedClusters`.
    #[must_use]
    pub fn resource_type(&self) -> String {
        let mut text = self.namespace.clone();
        for (kind, _) in &self.segments {
            text.push('/');
            text.push_str(kind);
        }
        text
    }

    /// The innermost name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.segments.last().map_or("", |(_, name)| name)
    }

    /// The id in lower case: equal for ids that ARM holds to be equal.
    #[must_use]
    pub fn key(&self) -> String {
        self.to_string().to_ascii_lowercase()
    }

    /// Whether ARM holds both to be the same.
    #[must_use]
    pub fn same(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl fmt::Display for ResourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "/subscriptions/{}/resourceGroups/{}/providers/{}",
            self.subscription, self.group, self.namespace
        )?;
        self.segments.iter().try_for_each(|(kind, name)| write!(f, "/{kind}/{name}"))
    }
}

impl FromStr for ResourceId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let parse = || {
            let mut parts = text.strip_prefix('/')?.split('/');
            let mut labelled = |label: &str| {
                let found = parts.next()?;
                let value = parts.next()?;
                (found.eq_ignore_ascii_case(label) && !value.is_empty()).then(|| value.to_owned())
            };
            let subscription = labelled("subscriptions")?;
            let group = labelled("resourceGroups")?;
            let namespace = labelled("providers")?;
            let rest: Vec<&str> = parts.collect();
            let whole =
                !rest.is_empty() && rest.len().is_multiple_of(2) && rest.iter().all(|part| !part.is_empty());
            let extension = rest.iter().step_by(2).any(|part| part.eq_ignore_ascii_case("providers"));
            let pair = |pair: &[&str]| Some((pair.first()?.to_string(), pair.get(1)?.to_string()));
            let segments = rest.chunks(2).map(pair).collect::<Option<Vec<_>>>()?;
            (whole && !extension).then_some(Self { subscription, group, namespace, segments })
        };
        parse().ok_or_else(|| IdError(text.into()))
    }
}

impl Serialize for ResourceId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ResourceId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_keep_their_casing_and_compare_without_it() {
        let text = "/subscriptions/S/resourcegroups/G/providers/Microsoft.Kubernetes/connectedClusters/C1";
        let id: ResourceId = text.parse().unwrap();
        assert_eq!(id.to_string(), text.replace("resourcegroups", "resourceGroups"));
        assert_eq!(id.resource_type(), "Microsoft.Kubernetes/connectedClusters");
        assert_eq!(id.name(), "C1");
        assert!(id.same(&text.to_uppercase().replace("/SUBSCRIPTIONS", "/subscriptions").parse().unwrap()));
    }

    #[test]
    fn what_is_not_a_resource_is_refused() {
        for text in [
            "",
            "/",
            "/subscriptions/s",
            "/subscriptions/s/resourceGroups/g",
            "/subscriptions/s/resourceGroups/g/providers/N/type",
            "/subscriptions/s/resourceGroups//providers/N/type/x",
            "/subscriptions/s/resourceGroups/g/providers/N/t/x/providers/M/u/y",
        ] {
            assert!(text.parse::<ResourceId>().is_err(), "{text}");
        }
    }
}
