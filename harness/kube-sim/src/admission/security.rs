//! Pod Security: the levels `baseline` and `restricted` that a namespace's labels ask for, in the words of the real
//! plug-in. Versions are read and shown, but the rules are those of v1.34; audit has nobody to tell.

mod checks;

use serde_json::Value;
use sim_core::ledger::Txn;

use crate::api::{Api, meta};
use crate::registry::Kind;
use crate::status::Status;

const NAMESPACES: &str = "core/namespaces";

/// How much pods may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Level {
    Privileged,
    Baseline,
    Restricted,
}

impl Level {
    /// A level by its name; a name that is none counts as the strictest where it is enforced, as nothing elsewhere.
    fn named(name: &str, other: Self) -> Self {
        match name {
            "privileged" => Self::Privileged,
            "baseline" => Self::Baseline,
            "restricted" => Self::Restricted,
            _ => other,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Privileged => "privileged",
            Self::Baseline => "baseline",
            Self::Restricted => "restricted",
        }
    }
}

/// A level and the version that it is meant in.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Wanted {
    level: Level,
    version: String,
}

fn wanted(namespace: &Value, mode: &str, other: Level) -> Option<Wanted> {
    let label = |suffix: &str| {
        let found =
            namespace["metadata"]["labels"].get(format!("pod-security.kubernetes.io/{mode}{suffix}"))?;
        found.as_str().map(ToOwned::to_owned)
    };
    let level = Level::named(&label("")?, other);
    Some(Wanted { level, version: label("-version").unwrap_or_else(|| "latest".into()) })
}

/// What a pod specification violates; `None` when nothing.
fn violation(wanted: &Wanted, metadata: &Value, spec: &Value) -> Option<String> {
    let mut found = Vec::new();
    if wanted.level >= Level::Baseline {
        checks::baseline(metadata, spec, wanted.level == Level::Restricted, &mut found);
    }
    if wanted.level == Level::Restricted {
        checks::restricted(spec, &mut found);
    }
    if found.is_empty() {
        return None;
    }
    Some(format!(
        "violate{{}} PodSecurity \"{}:{}\": {}",
        wanted.level.name(),
        wanted.version,
        found.join(", ")
    ))
}

/// Refuses a pod that its namespace's enforced level does not allow.
pub(super) fn enforce(txn: &Txn<'_>, kind: &Kind, pod: &Value) -> Result<(), Status> {
    if !kind.is("", "Pod") {
        return Ok(());
    }
    let namespace = txn.get(NAMESPACES, meta::namespace(pod).unwrap_or_default());
    let wanted = namespace.and_then(|row| wanted(&row.value, "enforce", Level::Restricted));
    let found = wanted.and_then(|wanted| violation(&wanted, &pod["metadata"], &pod["spec"]));
    match found {
        None => Ok(()),
        Some(found) => Err(Status::refused(kind, meta::name(pod), &found.replacen("{}", "s", 1))),
    }
}

/// Metadata and specification of the pods that an object makes.
fn template<'a>(kind: &Kind, object: &'a Value) -> Option<(&'a Value, &'a Value)> {
    let of = |pointer: &str| {
        let template = object.pointer(pointer)?;
        Some((&template["metadata"], &template["spec"]))
    };
    match (kind.group.as_str(), kind.kind.as_str()) {
        ("", "Pod") => of(""),
        ("", "ReplicationController")
        | ("apps", "Deployment" | "ReplicaSet" | "StatefulSet" | "DaemonSet")
        | ("batch", "Job") => of("/spec/template"),
        ("", "PodTemplate") => of("/template"),
        ("batch", "CronJob") => of("/spec/jobTemplate/spec/template"),
        _ => None,
    }
}

/// What the namespace's labels have callers warned of.
pub(super) fn warnings(api: &Api, kind: &Kind, object: &Value) -> Vec<String> {
    let Some((metadata, spec)) = template(kind, object) else { return Vec::new() };
    let namespace = meta::namespace(object).unwrap_or_default();
    let row = api.ledger().read(|view| view.get(NAMESPACES, namespace).map(|row| row.value.clone()));
    let Some(namespace) = row else { return Vec::new() };
    let enforced = wanted(&namespace, "enforce", Level::Restricted);
    let stated = wanted(&namespace, "warn", Level::Privileged);
    let found = stated.or(enforced).and_then(|wanted| violation(&wanted, metadata, spec));
    found.map(|found| format!("would {}", found.replacen("{}", "", 1))).into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn found(level: Level, spec: &Value) -> String {
        let wanted = Wanted { level, version: "latest".into() };
        violation(&wanted, &json!({}), spec).unwrap_or_default()
    }

    #[test]
    fn violations_read_as_the_real_plug_in_words_them() {
        let plain = json!({"containers": [{"name": "c"}]});
        assert_eq!(found(Level::Baseline, &plain), "");
        assert_eq!(
            found(Level::Restricted, &plain),
            "violate{} PodSecurity \"restricted:latest\": allowPrivilegeEscalation != false (container \"c\" must set \
             securityContext.allowPrivilegeEscalation=false), unrestricted capabilities (container \"c\" must set \
             securityContext.capabilities.drop=[\"ALL\"]), runAsNonRoot != true (pod or container \"c\" must set \
             securityContext.runAsNonRoot=true), seccompProfile (pod or container \"c\" must set \
             securityContext.seccompProfile.type to \"RuntimeDefault\" or \"Localhost\")"
        );
        let bad = json!({"hostNetwork": true, "volumes": [{"name": "v", "hostPath": {"path": "/"}}], "containers": [
            {"name": "a", "securityContext": {"privileged": true}, "ports": [{"hostPort": 80}]},
            {"name": "b", "securityContext": {"capabilities": {"add": ["SYS_ADMIN"]}}}]});
        assert_eq!(
            found(Level::Baseline, &bad),
            "violate{} PodSecurity \"baseline:latest\": non-default capabilities (container \"b\" must not include \
             \"SYS_ADMIN\" in securityContext.capabilities.add), host namespaces (hostNetwork=true), hostPath volumes \
             (volume \"v\"), hostPort (container \"a\" uses hostPort 80), privileged (container \"a\" must not set \
             securityContext.privileged=true)"
        );
    }

    #[test]
    fn a_careful_pod_is_allowed_everywhere() {
        let good = json!({"securityContext": {"runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}},
            "volumes": [{"name": "v", "emptyDir": {}}],
            "containers": [{"name": "c", "securityContext": {"allowPrivilegeEscalation": false,
                "capabilities": {"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]}}}]});
        assert_eq!(found(Level::Restricted, &good), "");
    }
}
