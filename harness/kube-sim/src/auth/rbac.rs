//! Role-based access control over the stored roles and bindings.

use serde_json::{Value, json};
use sim_core::ledger::{Row, Txn, View};

use crate::api::{Api, Caller, LabelSelector, meta};

const ROLES: &str = "rbac.authorization.k8s.io/roles";
const CLUSTER_ROLES: &str = "rbac.authorization.k8s.io/clusterroles";
const BINDINGS: &str = "rbac.authorization.k8s.io/rolebindings";
const CLUSTER_BINDINGS: &str = "rbac.authorization.k8s.io/clusterrolebindings";

/// Where roles and bindings are read: between transactions, or within one.
trait Roles {
    fn get(&self, table: &str, key: &str) -> Option<&Row>;
    fn all<'a>(&'a self, table: &'a str, prefix: &'a str) -> Box<dyn Iterator<Item = &'a Row> + 'a>;
}

impl Roles for View<'_> {
    fn get(&self, table: &str, key: &str) -> Option<&Row> {
        Self::get(self, table, key)
    }

    fn all<'a>(&'a self, table: &'a str, prefix: &'a str) -> Box<dyn Iterator<Item = &'a Row> + 'a> {
        Box::new(self.scan(table, prefix).map(|(_, row)| row))
    }
}

impl Roles for Txn<'_> {
    fn get(&self, table: &str, key: &str) -> Option<&Row> {
        Self::get(self, table, key)
    }

    fn all<'a>(&'a self, table: &'a str, prefix: &'a str) -> Box<dyn Iterator<Item = &'a Row> + 'a> {
        Box::new(self.scan(table, prefix).map(|(_, row)| row))
    }
}

/// What a caller wants to do. Empty texts mean "none"; `path` is set for requests that name no resource.
#[derive(Debug, Clone, Copy, Default)]
pub struct Attributes<'a> {
    /// `get`, `list`, `create`, …
    pub verb: &'a str,
    /// API group.
    pub group: &'a str,
    /// Plural name.
    pub resource: &'a str,
    /// `status`, `log`, …
    pub subresource: &'a str,
    /// Object name.
    pub name: &'a str,
    /// Namespace; empty at the cluster scope.
    pub namespace: &'a str,
    /// URL path of a request that names no resource.
    pub path: Option<&'a str>,
}

impl Attributes<'_> {
    fn full_resource(&self) -> String {
        if self.subresource.is_empty() {
            self.resource.to_owned()
        } else {
            format!("{}/{}", self.resource, self.subresource)
        }
    }
}

/// Why somebody has a rule.
#[derive(Clone, Copy)]
struct Grant<'a> {
    binding: &'a Value,
    subject: &'a Value,
}

impl Grant<'_> {
    /// In the words of a real server.
    fn reason(self) -> String {
        let name = |object: &Value, own: &str| {
            let (name, stated) = (meta::text(object, "/name"), meta::text(object, "/namespace"));
            let namespace = if stated.is_empty() { own } else { stated };
            if namespace.is_empty() { format!("{name:?}") } else { format!("\"{name}/{namespace}\"") }
        };
        let Self { binding, subject } = self;
        let metadata = &binding["metadata"];
        let space = meta::text(metadata, "/namespace");
        let scope = if space.is_empty() { "ClusterRoleBinding" } else { "RoleBinding" };
        let (role, subject_kind) = (&binding["roleRef"], meta::text(subject, "/kind"));
        let (role_kind, role_name) = (meta::text(role, "/kind"), meta::text(role, "/name"));
        let own = if subject_kind == "ServiceAccount" { space } else { "" };
        format!(
            "RBAC: allowed by {scope} {} of {role_kind} {role_name:?} to {subject_kind} {}",
            name(metadata, ""),
            name(subject, own)
        )
    }
}

/// Whether `caller` may do this.
#[must_use]
pub fn allows(api: &Api, caller: &Caller, wanted: &Attributes<'_>) -> bool {
    caller.is_master() || api.ledger().read(|view| found(view, caller, wanted, |_| ()).is_some())
}

/// The reason for which `caller` may do this, in the words of a real server; empty for those who may do anything.
#[must_use]
pub(super) fn reason(api: &Api, caller: &Caller, wanted: &Attributes<'_>) -> Option<String> {
    if caller.is_master() {
        return Some(String::new());
    }
    api.ledger().read(|view| found(view, caller, wanted, |grant| grant.reason()))
}

/// As [`allows`], within a transaction.
pub(crate) fn allows_in(txn: &Txn<'_>, caller: &Caller, wanted: &Attributes<'_>) -> bool {
    caller.is_master() || found(txn, caller, wanted, |_| ()).is_some()
}

/// What `tell` makes of the first grant that covers what is wanted.
fn found<T>(
    roles: &impl Roles,
    caller: &Caller,
    wanted: &Attributes<'_>,
    tell: impl Fn(Grant<'_>) -> T,
) -> Option<T> {
    let mut found = None;
    visit(roles, caller, wanted.namespace, &mut |rule, grant| {
        found = covers(rule, wanted).then(|| tell(grant));
        found.is_some()
    });
    found
}

/// The rules that a caller has in a namespace, cluster-wide ones included, within a transaction.
pub(crate) fn rules_in(txn: &Txn<'_>, caller: &Caller, namespace: &str) -> Vec<Value> {
    let mut rules = Vec::new();
    visit(txn, caller, namespace, &mut |rule, _| {
        rules.push(rule.clone());
        false
    });
    rules
}

/// The rules of the role that a binding names, within a transaction.
pub(crate) fn role_rules_in(txn: &Txn<'_>, binding: &Value, namespace: &str) -> Vec<Value> {
    role_rules(txn, binding, namespace).into_iter().cloned().collect()
}

/// The rules that a caller has in a namespace, cluster-wide ones included.
#[must_use]
pub fn rules_for(api: &Api, caller: &Caller, namespace: &str) -> Vec<Value> {
    if caller.is_master() {
        return vec![
            json!({"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}),
            json!({"verbs": ["*"], "nonResourceURLs": ["*"]}),
        ];
    }
    api.ledger().read(|view| {
        let mut rules = Vec::new();
        visit(view, caller, namespace, &mut |rule, _| {
            rules.push(rule.clone());
            false
        });
        rules
    })
}

/// What the real server says to a caller who may not do this.
#[must_use]
pub fn denial(caller: &Caller, wanted: &Attributes<'_>) -> String {
    let user = &caller.user;
    if let Some(path) = wanted.path {
        return format!("forbidden: User \"{user}\" cannot {} path \"{path}\"", wanted.verb);
    }
    let Attributes { verb, group, resource, name, namespace, .. } = *wanted;
    let qualified = if group.is_empty() { resource.to_owned() } else { format!("{resource}.{group}") };
    let named = if name.is_empty() { String::new() } else { format!(" \"{name}\"") };
    let scope = if namespace.is_empty() {
        "at the cluster scope".to_owned()
    } else {
        format!("in the namespace \"{namespace}\"")
    };
    let full = wanted.full_resource();
    format!(
        "{qualified}{named} is forbidden: User \"{user}\" cannot {verb} resource \"{full}\" in API group \"{group}\" {scope}"
    )
}

/// Shows every rule that binds `caller`, until `stop` says so.
fn visit(
    view: &impl Roles,
    caller: &Caller,
    namespace: &str,
    stop: &mut impl FnMut(&Value, Grant<'_>) -> bool,
) {
    let mut shown = |row: &Row, namespace: &str| {
        let binding: &Value = &row.value;
        let Some(subject) = subject(binding, caller, namespace) else { return false };
        let grant = Grant { binding, subject };
        role_rules(view, binding, namespace).into_iter().any(|rule| stop(rule, grant))
    };
    if view.all(CLUSTER_BINDINGS, "").any(|row| shown(row, "")) || namespace.is_empty() {
        return;
    }
    let prefix = format!("{namespace}/");
    for row in view.all(BINDINGS, &prefix) {
        if shown(row, namespace) {
            return;
        }
    }
}

/// The first subject of a binding that `caller` is.
fn subject<'a>(binding: &'a Value, caller: &Caller, namespace: &str) -> Option<&'a Value> {
    let subjects = binding["subjects"].as_array();
    subjects.into_iter().flatten().find(|subject| {
        let name = meta::text(subject, "/name");
        match meta::text(subject, "/kind") {
            "User" => name == caller.user,
            "Group" => caller.groups.iter().any(|group| group == name),
            "ServiceAccount" => {
                let stated = meta::text(subject, "/namespace");
                let stated = if stated.is_empty() { namespace } else { stated };
                caller.service_account() == Some((stated, name))
            }
            _ => false,
        }
    })
}

/// The rules of the role that a binding names; those of an aggregated role are gathered as they are now.
fn role_rules<'a>(view: &'a impl Roles, binding: &Value, namespace: &str) -> Vec<&'a Value> {
    let name = meta::text(binding, "/roleRef/name");
    let row = match meta::text(binding, "/roleRef/kind") {
        "ClusterRole" => view.get(CLUSTER_ROLES, name),
        "Role" if !namespace.is_empty() => view.get(ROLES, &format!("{namespace}/{name}")),
        _ => None,
    };
    let Some(row) = row else { return Vec::new() };
    let mut rules: Vec<&Value> = row.value["rules"].as_array().into_iter().flatten().collect();
    let selectors = row.value["aggregationRule"]["clusterRoleSelectors"].as_array();
    let selectors: Vec<_> = selectors.into_iter().flatten().map(LabelSelector::of).collect();
    if !selectors.is_empty() {
        let chosen = view
            .all(CLUSTER_ROLES, "")
            .filter(|row| selectors.iter().any(|selector| selector.matches(&row.value)));
        rules.extend(chosen.flat_map(|row| row.value["rules"].as_array().into_iter().flatten()));
    }
    rules
}

fn lists(rule: &Value, field: &str, fits: impl Fn(&str) -> bool) -> bool {
    rule[field].as_array().is_some_and(|list| list.iter().filter_map(Value::as_str).any(fits))
}

fn covers(rule: &Value, wanted: &Attributes<'_>) -> bool {
    if !lists(rule, "verbs", |verb| verb == "*" || verb == wanted.verb) {
        return false;
    }
    if let Some(path) = wanted.path {
        return lists(rule, "nonResourceURLs", |url| {
            url == path || url.strip_suffix('*').is_some_and(|prefix| path.starts_with(prefix))
        });
    }
    let full = wanted.full_resource();
    let below = format!("*/{}", wanted.subresource);
    let names = rule["resourceNames"].as_array().is_none_or(Vec::is_empty);
    lists(rule, "apiGroups", |group| group == "*" || group == wanted.group)
        && lists(rule, "resources", |resource| {
            resource == "*" || resource == full || (!wanted.subresource.is_empty() && resource == below)
        })
        && (names || lists(rule, "resourceNames", |name| !wanted.name.is_empty() && name == wanted.name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_cover_what_they_name_and_nothing_else() {
        let rule = json!({"verbs": ["get", "list"], "apiGroups": [""], "resources": ["pods", "*/scale"],
            "resourceNames": ["a"]});
        let wanted =
            Attributes { verb: "get", resource: "pods", name: "a", namespace: "x", ..Default::default() };
        assert!(covers(&rule, &wanted));
        assert!(!covers(&rule, &Attributes { name: "b", ..wanted }));
        assert!(!covers(&rule, &Attributes { name: "", ..wanted }));
        assert!(!covers(&rule, &Attributes { subresource: "log", ..wanted }));
        assert!(covers(&rule, &Attributes { subresource: "scale", ..wanted }));
        assert!(!covers(&rule, &Attributes { group: "apps", ..wanted }));
        let paths = json!({"verbs": ["get"], "nonResourceURLs": ["/healthz/*", "/version"]});
        let path = |path| Attributes { verb: "get", path: Some(path), ..Default::default() };
        assert!(covers(&paths, &path("/version")) && covers(&paths, &path("/healthz/etcd")));
        assert!(!covers(&paths, &path("/versions")));
    }

    #[test]
    fn a_permission_is_explained_by_its_binding() {
        let binding = json!({"metadata": {"name": "robots", "namespace": "n"}, "roleRef": {"kind": "Role", "name": "reader"}});
        let robot = json!({"kind": "ServiceAccount", "name": "robot"});
        assert_eq!(
            Grant { binding: &binding, subject: &robot }.reason(),
            r#"RBAC: allowed by RoleBinding "robots/n" of Role "reader" to ServiceAccount "robot/n""#
        );
        let binding =
            json!({"metadata": {"name": "all"}, "roleRef": {"kind": "ClusterRole", "name": "view"}});
        let group = json!({"kind": "Group", "name": "system:authenticated"});
        assert_eq!(
            Grant { binding: &binding, subject: &group }.reason(),
            r#"RBAC: allowed by ClusterRoleBinding "all" of ClusterRole "view" to Group "system:authenticated""#
        );
    }

    #[test]
    fn a_denial_reads_like_the_real_one() {
        let wanted = Attributes {
            verb: "list",
            group: "apps",
            resource: "deployments",
            namespace: "n",
            ..Default::default()
        };
        let caller = Caller { user: "jane".into(), ..Caller::default() };
        assert_eq!(
            denial(&caller, &wanted),
            "deployments.apps is forbidden: User \"jane\" cannot list resource \"deployments\" in API group \"apps\" in the namespace \"n\""
        );
    }
}
