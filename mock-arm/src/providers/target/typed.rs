//! A path below `/providers/{ns}`.

use std::borrow::Cow;
use std::fmt::Write as _;

use super::Name;
use crate::store;

/// A path below `/providers/{ns}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Typed<'a> {
    /// The subscription id, if any.
    pub subscription: Option<&'a str>,
    /// The group's name, if any.
    pub group: Option<Name<'a>>,
    /// The resource that this one extends (a second `/providers/` in the path), if any.
    pub host: Option<Box<Typed<'a>>>,
    /// The namespace.
    pub namespace: &'a str,
    /// Types and names in turn.
    pub path: Vec<Name<'a>>,
}

impl Typed<'_> {
    /// The type without the namespace, such as `connectedClusters` or `connectedClusters/extensions`.
    #[must_use]
    pub fn type_name(&self) -> Cow<'_, str> {
        match self.path.as_slice() {
            [only] | [only, _] => Cow::Borrowed(only),
            path => {
                let types: Vec<&str> = path.iter().step_by(2).map(AsRef::as_ref).collect();
                Cow::Owned(types.join("/"))
            }
        }
    }

    /// The innermost name; empty for a collection.
    #[must_use]
    pub fn name(&self) -> &str {
        if self.path.len().is_multiple_of(2) { self.path.last().map_or("", AsRef::as_ref) } else { "" }
    }

    /// The innermost name of what the path names, or of what it lists below: the resource that an action works on has
    /// one too.
    #[must_use]
    pub fn named(&self) -> &str {
        let pairs = self.path.len() / 2;
        pairs.checked_sub(1).and_then(|last| self.path.get(last * 2 + 1)).map_or("", AsRef::as_ref)
    }

    /// The id of what the path names, in the casing of the path but for `resourceGroups`; the type at the end of a list or
    /// the word of an action is left out.
    #[must_use]
    pub fn id(&self) -> String {
        let mut id = match &self.host {
            Some(host) => host.id(),
            None => self.container(),
        };
        let named = self.path.len() / 2 * 2;
        let _ = write!(id, "/providers/{}", self.namespace);
        self.path.iter().take(named).for_each(|part| {
            id.push('/');
            id.push_str(part);
        });
        id
    }

    /// The id of the subscription or group it lies in; empty for the tenant.
    #[must_use]
    pub fn container(&self) -> String {
        let mut id = String::new();
        if let Some(subscription) = self.subscription {
            let _ = write!(id, "/subscriptions/{subscription}");
        }
        if let Some(group) = &self.group {
            let _ = write!(id, "/resourceGroups/{group}");
        }
        id
    }

    /// The ledger key of the resource that the path names.
    #[must_use]
    pub fn key(&self) -> String {
        let named = self.path.len() / 2 * 2;
        let mut key = match &self.host {
            Some(host) => {
                let mut key = host.key();
                key.push_str("/providers");
                key
            }
            None => store::key(&[
                self.subscription.unwrap_or_default(),
                self.group.as_deref().unwrap_or_default(),
            ]),
        };
        key.push('/');
        key.push_str(&self.namespace.to_ascii_lowercase());
        for part in self.path.iter().take(named) {
            key.push('/');
            key.push_str(&part.to_ascii_lowercase());
        }
        key
    }

    /// The full type and name as ARM's errors write it: `Microsoft.Kubernetes/connectedClusters/c`.
    #[must_use]
    pub fn full_name(&self) -> String {
        let path: Vec<&str> = self.path.iter().map(AsRef::as_ref).collect();
        format!("{}/{}", self.namespace, path.join("/"))
    }
}
