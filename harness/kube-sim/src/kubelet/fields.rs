//! The downward API: what a pod may learn about itself.

use serde_json::Value;

use crate::controllers::objects::{annotation, label, list, name, namespace, text, uid};
use crate::controllers::quantity::Quantity;

/// A pod as the downward API sees it, with what only its kubelet knows yet.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PodFacts<'a> {
    pub(crate) pod: &'a Value,
    pub(crate) pod_ip: &'a str,
    pub(crate) host_ip: &'a str,
    /// What a container without limits may use: the node's allocatable cpu and memory.
    pub(crate) node_cpu: &'a str,
    pub(crate) node_memory: &'a str,
}

/// The value of a `fieldRef` path; an error that names the path when it is not supported.
pub(crate) fn field(facts: PodFacts<'_>, path: &str) -> Result<String, String> {
    let pod = facts.pod;
    let quoted = |prefix: &str| {
        let rest = path.strip_prefix(prefix)?;
        rest.strip_prefix("['")?.strip_suffix("']")
    };
    if let Some(key) = quoted("metadata.labels") {
        return Ok(label(pod, key).unwrap_or_default().to_owned());
    }
    if let Some(key) = quoted("metadata.annotations") {
        return Ok(annotation(pod, key).unwrap_or_default().to_owned());
    }
    Ok(match path {
        "metadata.name" => name(pod).to_owned(),
        "metadata.namespace" => namespace(pod).to_owned(),
        "metadata.uid" => uid(pod).to_owned(),
        "metadata.labels" => listed(pod.pointer("/metadata/labels")),
        "metadata.annotations" => listed(pod.pointer("/metadata/annotations")),
        "spec.nodeName" => text(pod, "/spec/nodeName").to_owned(),
        "spec.serviceAccountName" => text(pod, "/spec/serviceAccountName").to_owned(),
        "status.podIP" | "status.podIPs" => facts.pod_ip.to_owned(),
        "status.hostIP" | "status.hostIPs" => facts.host_ip.to_owned(),
        other => return Err(format!("unsupported fieldPath: {other}")),
    })
}

/// One `key="value"` per line, sorted, as files of the downward API have it.
fn listed(map: Option<&Value>) -> String {
    let mut lines: Vec<_> = map
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .map(|(key, value)| format!("{key}={:?}", value.as_str().unwrap_or_default()))
        .collect();
    lines.sort();
    lines.join("\n")
}

/// The value of a `resourceFieldRef` (`limits.memory`, …) of a container, divided by `divisor` and rounded up.
pub(crate) fn resource(
    facts: PodFacts<'_>,
    container: &str,
    resource: &str,
    divisor: &str,
) -> Result<String, String> {
    let (section, name) = resource.split_once('.').ok_or_else(|| unsupported(resource))?;
    if !matches!(section, "limits" | "requests") {
        return Err(unsupported(resource));
    }
    let spec = ["containers", "initContainers"]
        .into_iter()
        .flat_map(|field| list(facts.pod, &format!("/spec/{field}")))
        .find(|spec| text(spec, "/name") == container)
        .ok_or_else(|| format!("container \"{container}\" not found"))?;
    let own = spec.pointer(&format!("/resources/{section}/{name}"));
    let own = own.and_then(|value| {
        value.as_str().map(str::to_owned).or_else(|| value.as_i64().map(|n| n.to_string()))
    });
    let value = match (own, section, name) {
        (Some(own), ..) => own,
        (None, "limits", "cpu") => facts.node_cpu.to_owned(),
        (None, "limits", "memory") => facts.node_memory.to_owned(),
        (None, ..) => "0".to_owned(),
    };
    let read = |text: &str| Quantity::parse(text).ok_or_else(|| format!("\"{text}\" is not a quantity"));
    let divisor = read(if matches!(divisor, "" | "0") { "1" } else { divisor })?;
    Ok(read(&value)?.divided_up(divisor).to_string())
}

fn unsupported(resource: &str) -> String {
    format!("unsupported container resource: {resource}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn fields_and_resources_read_as_in_a_real_pod() {
        let pod = json!({
            "metadata": {"name": "p", "labels": {"b": "2", "a": "1"}, "annotations": {"x.y/z": "v"}},
            "spec": {"containers": [{"name": "c", "resources": {"limits": {"memory": "300Mi"}, "requests": {"cpu": "5m"}}}]},
        });
        let facts =
            PodFacts { pod: &pod, pod_ip: "10.1.2.3", host_ip: "h", node_cpu: "4", node_memory: "16Gi" };
        assert_eq!(field(facts, "metadata.labels").unwrap(), "a=\"1\"\nb=\"2\"");
        assert_eq!(field(facts, "metadata.annotations['x.y/z']").unwrap(), "v");
        assert_eq!(field(facts, "status.podIP").unwrap(), "10.1.2.3");
        assert!(field(facts, "spec.hostname").unwrap_err().contains("spec.hostname"));
        assert_eq!(resource(facts, "c", "limits.memory", "1Mi").unwrap(), "300");
        assert_eq!(resource(facts, "c", "requests.cpu", "").unwrap(), "1");
        assert_eq!(resource(facts, "c", "limits.cpu", "").unwrap(), "4");
    }
}
