//! Who calls.

use std::collections::BTreeMap;

/// The authenticated caller of one request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Caller {
    /// User name: `kubernetes-admin`, `system:serviceaccount:ns:name`.
    pub user: String,
    /// Groups, `system:authenticated` among them.
    pub groups: Vec<String>,
    /// What tells this user from an earlier one of the same name; empty when nothing does.
    pub uid: String,
    /// Whatever else the authenticator knows of the user.
    pub extra: BTreeMap<String, Vec<String>>,
    /// Field manager that writes are recorded under.
    pub manager: String,
}

impl Caller {
    /// A part of the control plane, which may do everything: `deployment-controller`, `kubelet`, …
    #[must_use]
    pub fn controller(name: &str) -> Self {
        Self {
            user: format!("system:{name}"),
            groups: vec!["system:masters".into(), "system:authenticated".into()],
            manager: name.into(),
            ..Self::default()
        }
    }

    /// Nobody in particular, who may do next to nothing.
    #[must_use]
    pub fn anonymous() -> Self {
        Self {
            user: "system:anonymous".into(),
            groups: vec!["system:unauthenticated".into()],
            ..Self::default()
        }
    }

    /// Whether authorization is skipped for this caller.
    #[must_use]
    pub fn is_master(&self) -> bool {
        self.groups.iter().any(|group| group == "system:masters")
    }

    /// Whether nobody has been authenticated.
    #[must_use]
    pub fn is_anonymous(&self) -> bool {
        self.user == "system:anonymous"
    }

    /// The namespace and name, if this is a service account.
    #[must_use]
    pub fn service_account(&self) -> Option<(&str, &str)> {
        self.user.strip_prefix("system:serviceaccount:")?.split_once(':')
    }
}
