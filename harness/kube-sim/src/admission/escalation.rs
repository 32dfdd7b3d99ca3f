//! Nobody hands out rights that they do not have: roles and bindings are held against the caller's own rules, unless
//! the caller may `escalate` roles, or `bind` the role in question.

use serde_json::{Value, json};
use sim_core::ledger::Txn;

use crate::api::{Caller, meta};
use crate::auth::{Attributes, allows_in, role_rules_in, rules_in};
use crate::registry::Kind;
use crate::status::Status;

const GROUP: &str = "rbac.authorization.k8s.io";

/// Refuses a role with rules, or a binding of a role with rules, that the caller lacks.
pub(super) fn check(
    txn: &Txn<'_>,
    caller: &Caller,
    kind: &Kind,
    before: Option<&Value>,
    object: &Value,
) -> Result<(), Status> {
    if kind.group != GROUP || caller.is_master() {
        return Ok(());
    }
    let namespace = meta::namespace(object).unwrap_or_default();
    let rules = match kind.kind.as_str() {
        "Role" | "ClusterRole" => {
            let unchanged = before.is_some_and(|before| {
                before["rules"] == object["rules"] && before["aggregationRule"] == object["aggregationRule"]
            });
            let wanted = attributes("escalate", &kind.plural, meta::name(object), namespace);
            if unchanged || allows_in(txn, caller, &wanted) {
                return Ok(());
            }
            if object["aggregationRule"].is_object() {
                // What it will gather is not known: only who may do everything may ask for it.
                vec![
                    json!({"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}),
                    json!({"verbs": ["*"], "nonResourceURLs": ["*"]}),
                ]
            } else {
                object["rules"].as_array().cloned().unwrap_or_default()
            }
        }
        "RoleBinding" | "ClusterRoleBinding" => {
            let unchanged = before.is_some_and(|before| {
                before["subjects"] == object["subjects"] && before["roleRef"] == object["roleRef"]
            });
            let cluster = meta::text(object, "/roleRef/kind") == "ClusterRole";
            let resource = if cluster { "clusterroles" } else { "roles" };
            let wanted = attributes("bind", resource, meta::text(object, "/roleRef/name"), namespace);
            if unchanged || allows_in(txn, caller, &wanted) {
                return Ok(());
            }
            role_rules_in(txn, object, namespace)
        }
        _ => return Ok(()),
    };
    let held = rules_in(txn, caller, namespace);
    let lacking = lacking(&rules, &held);
    if lacking.is_empty() {
        return Ok(());
    }
    let groups = caller.groups.iter().map(|group| format!("{group:?}")).collect::<Vec<_>>().join(" ");
    let why = format!(
        "user {:?} (groups=[{groups}]) is attempting to grant RBAC permissions not currently held:\n{}",
        caller.user,
        lacking.join("\n")
    );
    Err(Status::refused(kind, meta::name(object), &why))
}

fn attributes<'a>(verb: &'a str, resource: &'a str, name: &'a str, namespace: &'a str) -> Attributes<'a> {
    Attributes { verb, group: GROUP, resource, name, namespace, ..Attributes::default() }
}

fn texts<'a>(rule: &'a Value, field: &str) -> Vec<&'a str> {
    rule[field].as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

/// One right: what it is about, and the verb.
type Right = (About, String);

/// Fields of a rule with one value each.
type About = Vec<(&'static str, String)>;

/// The single rights that a rule is made of.
fn rights(rule: &Value) -> Vec<Right> {
    let mut rights = Vec::new();
    for verb in texts(rule, "verbs") {
        for url in texts(rule, "nonResourceURLs") {
            rights.push((vec![("NonResourceURLs", url.to_owned())], verb.to_owned()));
        }
        for group in texts(rule, "apiGroups") {
            for resource in texts(rule, "resources") {
                let base = vec![("APIGroups", group.to_owned()), ("Resources", resource.to_owned())];
                let names = texts(rule, "resourceNames");
                if names.is_empty() {
                    rights.push((base.clone(), verb.to_owned()));
                }
                for name in names {
                    let mut named = base.clone();
                    named.push(("ResourceNames", name.to_owned()));
                    rights.push((named, verb.to_owned()));
                }
            }
        }
    }
    rights
}

fn covers(held: &Value, (about, verb): &Right) -> bool {
    let has = |field: &str, fits: &dyn Fn(&str) -> bool| texts(held, field).into_iter().any(fits);
    let part = |name: &str| about.iter().find(|(own, _)| *own == name).map(|(_, value)| value.as_str());
    if !has("verbs", &|own| own == "*" || own == verb) {
        return false;
    }
    if let Some(url) = part("NonResourceURLs") {
        return has("nonResourceURLs", &|own| {
            own == url || own.strip_suffix('*').is_some_and(|prefix| url.starts_with(prefix))
        });
    }
    let (group, resource) = (part("APIGroups").unwrap_or_default(), part("Resources").unwrap_or_default());
    let below = resource.split_once('/').map(|(_, sub)| format!("*/{sub}"));
    let names = texts(held, "resourceNames");
    has("apiGroups", &|own| own == "*" || own == group)
        && has("resources", &|own| own == "*" || own == resource || below.as_deref() == Some(own))
        && (names.is_empty() || part("ResourceNames").is_some_and(|name| names.contains(&name)))
}

/// The rights in `wanted` that no held rule covers, as the real server lists them: verbs of one thing together.
fn lacking(wanted: &[Value], held: &[Value]) -> Vec<String> {
    let mut grouped: Vec<(About, Vec<String>)> = Vec::new();
    for right in wanted.iter().flat_map(rights) {
        if held.iter().any(|rule| covers(rule, &right)) {
            continue;
        }
        let (about, verb) = right;
        match grouped.iter_mut().find(|(known, _)| *known == about) {
            Some((_, verbs)) if verbs.contains(&verb) => {}
            Some((_, verbs)) => verbs.push(verb),
            None => grouped.push((about, vec![verb])),
        }
    }
    let mut lines: Vec<_> = grouped
        .into_iter()
        .map(|(about, verbs)| {
            let mut parts: Vec<_> = about.iter().map(|(name, value)| format!("{name}:[{value:?}]")).collect();
            let verbs = verbs.iter().map(|verb| format!("{verb:?}")).collect::<Vec<_>>().join(" ");
            parts.push(format!("Verbs:[{verbs}]"));
            format!("{{{}}}", parts.join(", "))
        })
        .collect();
    lines.sort();
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_caller_lacks_is_listed_by_thing() {
        let wanted = [
            json!({"verbs": ["get", "list"], "apiGroups": [""], "resources": ["secrets", "pods"]}),
            json!({"verbs": ["get"], "apiGroups": ["apps"], "resources": ["deployments"], "resourceNames": ["a"]}),
        ];
        let held = [json!({"verbs": ["*"], "apiGroups": [""], "resources": ["pods"]})];
        assert_eq!(
            lacking(&wanted, &held),
            [
                "{APIGroups:[\"\"], Resources:[\"secrets\"], Verbs:[\"get\" \"list\"]}",
                "{APIGroups:[\"apps\"], Resources:[\"deployments\"], ResourceNames:[\"a\"], Verbs:[\"get\"]}",
            ]
        );
        let all = [json!({"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]})];
        assert!(lacking(&wanted, &all).is_empty());
    }
}
