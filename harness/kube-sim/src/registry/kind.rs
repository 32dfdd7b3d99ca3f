//! What the server knows about one kind.

use std::sync::Arc;

use serde_json::Value;

use crate::rules::Rules;

/// A part of an object, or an action on it, that has a path of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Sub {
    /// The object itself.
    Main,
    /// `status`.
    Status,
    /// `scale`, shown as `autoscaling/v1 Scale`.
    Scale,
    /// `finalize` of namespaces.
    Finalize,
    /// `binding` of pods: binds to a node.
    Binding,
    /// `eviction` of pods.
    Eviction,
    /// `log` of pods.
    Log,
    /// `token` of service accounts.
    Token,
    /// `approval` of certificate signing requests.
    Approval,
    /// `ephemeralcontainers` of pods.
    EphemeralContainers,
    /// `resize` of pods.
    Resize,
    /// `exec` of pods; not modelled.
    Exec,
    /// `attach` of pods; not modelled.
    Attach,
    /// `portforward` of pods; not modelled.
    PortForward,
    /// `proxy` of pods, services and nodes; not modelled.
    Proxy,
}

impl Sub {
    /// All but [`Sub::Main`].
    pub const NAMED: [Self; 14] = [
        Self::Status,
        Self::Scale,
        Self::Finalize,
        Self::Binding,
        Self::Eviction,
        Self::Log,
        Self::Token,
        Self::Approval,
        Self::EphemeralContainers,
        Self::Resize,
        Self::Exec,
        Self::Attach,
        Self::PortForward,
        Self::Proxy,
    ];

    /// The path segment; empty for the object itself.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Main => "",
            Self::Status => "status",
            Self::Scale => "scale",
            Self::Finalize => "finalize",
            Self::Binding => "binding",
            Self::Eviction => "eviction",
            Self::Log => "log",
            Self::Token => "token",
            Self::Approval => "approval",
            Self::EphemeralContainers => "ephemeralcontainers",
            Self::Resize => "resize",
            Self::Exec => "exec",
            Self::Attach => "attach",
            Self::PortForward => "portforward",
            Self::Proxy => "proxy",
        }
    }

    /// The subresource of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::NAMED.into_iter().find(|sub| sub.name() == name)
    }
}

/// Where a custom resource keeps what `scale` shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScalePaths {
    /// JSON path of the wanted count, `.spec.replicas`.
    pub spec: String,
    /// JSON path of the present count.
    pub status: String,
    /// JSON path of the selector's text, if any.
    pub selector: Option<String>,
}

/// What a custom resource has beyond a built-in kind.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Custom {
    /// The structural schema of this version (`openAPIV3Schema`).
    pub schema: Option<Value>,
    /// `additionalPrinterColumns` of this version.
    pub printer_columns: Vec<Value>,
    /// What `scale` shows, if the definition has it.
    pub scale: Option<ScalePaths>,
    /// JSON paths that field selectors may name.
    pub selectable_fields: Vec<String>,
    /// A deprecation warning for every request.
    pub warning: Option<String>,
    /// The rules of the schema.
    pub rules: Rules,
}

/// One kind in one version.
#[derive(Debug, Clone, PartialEq)]
pub struct Kind {
    /// API group; empty for the core group.
    pub group: String,
    /// Version: `v1`.
    pub version: String,
    /// `Deployment`.
    pub kind: String,
    /// `DeploymentList`.
    pub list_kind: String,
    /// `deployments`.
    pub plural: String,
    /// `deployment`.
    pub singular: String,
    /// `deploy`.
    pub short_names: Vec<String>,
    /// `all`.
    pub categories: Vec<String>,
    /// Whether objects live in namespaces.
    pub namespaced: bool,
    /// False for kinds that are only asked (`SubjectAccessReview`): create, and nothing is stored.
    pub stored: bool,
    /// Whether writes of anything but metadata and status count in `metadata.generation`.
    pub generation: bool,
    /// Subresources, without [`Sub::Main`].
    pub subresources: Vec<Sub>,
    /// False for kinds that a CustomResourceDefinition made.
    pub builtin: bool,
    /// What custom resources have beyond that.
    pub custom: Option<Arc<Custom>>,
    /// Ledger table of this kind, the same for all versions: `apps/deployments`, `core/pods`.
    pub(super) table: String,
}

impl Kind {
    /// Ledger table of the objects; keys are `namespace/name`, or `name` for cluster-wide kinds.
    #[must_use]
    pub fn table(&self) -> &str {
        &self.table
    }

    /// `apps/v1`, or `v1` for the core group.
    #[must_use]
    pub fn api_version(&self) -> String {
        if self.group.is_empty() { self.version.clone() } else { format!("{}/{}", self.group, self.version) }
    }

    /// `Deployment.apps`, or `Pod` for the core group.
    #[must_use]
    pub fn qualified(&self) -> String {
        if self.group.is_empty() { self.kind.clone() } else { format!("{}.{}", self.kind, self.group) }
    }

    /// Whether the kind has this subresource; [`Sub::Main`] always.
    #[must_use]
    pub fn has(&self, sub: Sub) -> bool {
        sub == Sub::Main || self.subresources.contains(&sub)
    }

    /// The key of an object in [`Kind::table`].
    #[must_use]
    pub fn key(&self, namespace: Option<&str>, name: &str) -> String {
        match namespace {
            Some(namespace) if self.namespaced => format!("{namespace}/{name}"),
            _ => name.to_owned(),
        }
    }

    /// Whether this is the kind of this group and name, in any version.
    #[must_use]
    pub fn is(&self, group: &str, kind: &str) -> bool {
        self.group == group && self.kind == kind
    }

    /// Verbs that discovery lists for the object itself.
    #[must_use]
    pub fn verbs(&self) -> &'static [&'static str] {
        match (self.group.as_str(), self.kind.as_str()) {
            _ if !self.stored => &["create"],
            ("", "ComponentStatus") => &["get", "list"],
            _ if self.custom.is_some() => {
                &["delete", "deletecollection", "get", "list", "patch", "create", "update", "watch"]
            }
            ("", "Namespace") => &["create", "delete", "get", "list", "patch", "update", "watch"],
            _ => &["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"],
        }
    }
}
