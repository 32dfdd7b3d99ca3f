//! Nodes, namespaces, events, configuration and policies.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::age::since;
use super::texts::int_or_string;
use super::{Cells, Print, age, count, list, name, number, text};

pub(super) fn layout(group: &str, kind: &str) -> Option<(&'static str, Print)> {
    Some(match (group, kind) {
        ("", "Node") => (
            "Name@,Status,Roles,Age,Version,Internal-IP*,External-IP*,OS-Image*,Kernel-Version*,Container-Runtime*",
            node,
        ),
        ("", "Namespace") => ("Name@,Status,Age", namespace),
        ("" | "events.k8s.io", "Event") => {
            ("Last Seen,Type,Reason,Object,Subobject*,Source*,Message,First Seen*,Count*,Name@*", event)
        }
        ("", "ComponentStatus") => ("Name@,Status,Message,Error", component),
        ("", "Secret") => ("Name@,Type,Data,Age", secret),
        ("", "ConfigMap") => ("Name@,Data,Age", config_map),
        ("", "ServiceAccount") => ("Name@,Secrets,Age", service_account),
        ("", "ResourceQuota") => ("Name@,Request,Limit,Age", quota),
        ("coordination.k8s.io", "Lease") => ("Name@,Holder,Age", lease),
        ("policy", "PodDisruptionBudget") => {
            ("Name@,Min Available,Max Unavailable,Allowed Disruptions#,Age", disruption_budget)
        }
        ("autoscaling", "HorizontalPodAutoscaler") => {
            ("Name@,Reference,Targets,MinPods,MaxPods,Replicas,Age", autoscaler)
        }
        ("autoscaling", "Scale") => ("Name,Desired#,Available#,Age", scale),
        ("scheduling.k8s.io", "PriorityClass") => {
            ("Name@,Value#,Global-Default?,Age,PreemptionPolicy", priority_class)
        }
        ("node.k8s.io", "RuntimeClass") => ("Name@,Handler,Age", runtime_class),
        (
            "admissionregistration.k8s.io",
            "MutatingWebhookConfiguration" | "ValidatingWebhookConfiguration",
        ) => ("Name@,Webhooks#,Age", webhooks),
        ("admissionregistration.k8s.io", "ValidatingAdmissionPolicy") => {
            ("Name@,Validations#,ParamKind,Age", admission_policy)
        }
        ("admissionregistration.k8s.io", "ValidatingAdmissionPolicyBinding") => {
            ("Name@,PolicyName,ParamRef,Age", admission_binding)
        }
        ("apiregistration.k8s.io", "APIService") => ("Name@,Service,Available,Age", api_service),
        ("flowcontrol.apiserver.k8s.io", "FlowSchema") => {
            ("Name@,PriorityLevel,MatchingPrecedence,DistinguisherMethod,Age,MissingPL", flow_schema)
        }
        ("flowcontrol.apiserver.k8s.io", "PriorityLevelConfiguration") => {
            ("Name@,Type,NominalConcurrencyShares,Queues,HandSize,QueueLengthLimit,Age", priority_level)
        }
        _ => return None,
    })
}

fn component(it: &Value, _now: Timestamp) -> Cells {
    let healthy = list(&it["conditions"]).iter().find(|one| one["type"] == "Healthy");
    let of = |field: &str| healthy.map_or("", |one| text(&one[field], ""));
    let status = match of("status") {
        "True" => "Healthy",
        "False" => "Unhealthy",
        _ => "Unknown",
    };
    vec![name(it), json!(status), json!(of("message")), json!(of("error"))]
}

fn condition<'a>(it: &'a Value, kind: &str) -> Option<&'a Value> {
    list(&it["status"]["conditions"]).iter().find(|one| one["type"] == kind)
}

fn node(it: &Value, now: Timestamp) -> Cells {
    let mut status = match condition(it, "Ready").map(|ready| &ready["status"]) {
        Some(state) if state == "True" => "Ready".to_owned(),
        Some(_) => "NotReady".to_owned(),
        None => "Unknown".to_owned(),
    };
    if it["spec"]["unschedulable"] == true {
        status.push_str(",SchedulingDisabled");
    }
    let info = &it["status"]["nodeInfo"];
    let address = |kind: &str| {
        let found = list(&it["status"]["addresses"]).iter().find(|one| one["type"] == kind);
        found.map_or("<none>", |one| text(&one["address"], ""))
    };
    vec![
        name(it),
        json!(status),
        json!(roles(it)),
        age(it, now),
        json!(text(&info["kubeletVersion"], "")),
        json!(address("InternalIP")),
        json!(address("ExternalIP")),
        json!(text(&info["osImage"], "<unknown>")),
        json!(text(&info["kernelVersion"], "<unknown>")),
        json!(text(&info["containerRuntimeVersion"], "<unknown>")),
    ]
}

fn roles(it: &Value) -> String {
    let labels = it["metadata"]["labels"].as_object();
    let mut roles: Vec<&str> = labels
        .into_iter()
        .flatten()
        .filter_map(|(key, value)| match key.strip_prefix("node-role.kubernetes.io/") {
            Some(role) => Some(role),
            None if key == "kubernetes.io/role" => value.as_str(),
            None => None,
        })
        .filter(|role| !role.is_empty())
        .collect();
    roles.sort_unstable();
    roles.dedup();
    if roles.is_empty() { "<none>".into() } else { roles.join(",") }
}

fn namespace(it: &Value, now: Timestamp) -> Cells {
    vec![name(it), json!(text(&it["status"]["phase"], "")), age(it, now)]
}

/// Events in either form: `core/v1` or `events.k8s.io/v1`.
fn event(it: &Value, now: Timestamp) -> Cells {
    let either = |core: &str, new: &str| if it[core].is_null() { it[new].clone() } else { it[core].clone() };
    let object = either("involvedObject", "regarding");
    let source = either("source", "deprecatedSource");
    let series = &it["series"];
    let first = match either("firstTimestamp", "deprecatedFirstTimestamp") {
        Value::Null => since(&it["eventTime"], now),
        time => since(&time, now),
    };
    let last = match (series.is_object(), either("lastTimestamp", "deprecatedLastTimestamp")) {
        (true, _) => since(&series["lastObservedTime"], now),
        (false, Value::Null) => first.clone(),
        (false, time) => since(&time, now),
    };
    let stated = either("count", "deprecatedCount");
    let counted = if series.is_object() { number(&series["count"]) } else { number(&stated).max(1) };
    let kind = text(&object["kind"], "").to_lowercase();
    let target = match text(&object["name"], "") {
        "" => kind,
        name => format!("{kind}/{name}"),
    };
    let controller = either("reportingComponent", "reportingController");
    let component = text(&source["component"], text(&controller, "")).to_owned();
    let from = match text(&source["host"], text(&it["reportingInstance"], "")) {
        "" => component,
        host => format!("{component}, {host}"),
    };
    vec![
        json!(last),
        json!(text(&it["type"], "")),
        json!(text(&it["reason"], "")),
        json!(target),
        json!(text(&object["fieldPath"], "")),
        json!(from),
        json!(text(&either("message", "note"), "").trim()),
        json!(first),
        json!(counted),
        name(it),
    ]
}

fn secret(it: &Value, now: Timestamp) -> Cells {
    vec![name(it), json!(text(&it["type"], "")), json!(count(&it["data"])), age(it, now)]
}

fn config_map(it: &Value, now: Timestamp) -> Cells {
    vec![name(it), json!(count(&it["data"]) + count(&it["binaryData"])), age(it, now)]
}

fn service_account(it: &Value, now: Timestamp) -> Cells {
    vec![name(it), json!(count(&it["secrets"])), age(it, now)]
}

fn quota(it: &Value, now: Timestamp) -> Cells {
    let (mut requests, mut limits) = (Vec::new(), Vec::new());
    let mut hard: Vec<_> = it["status"]["hard"].as_object().into_iter().flatten().collect();
    hard.sort_by_key(|(resource, _)| *resource);
    for (resource, limit) in hard {
        let used = int_or_string(&it["status"]["used"][resource], "0");
        let side = if resource.starts_with("limits.") { &mut limits } else { &mut requests };
        side.push(format!("{resource}: {used}/{}", int_or_string(limit, "0")));
    }
    vec![name(it), json!(requests.join(", ")), json!(limits.join(", ")), age(it, now)]
}

fn lease(it: &Value, now: Timestamp) -> Cells {
    vec![name(it), json!(text(&it["spec"]["holderIdentity"], "")), age(it, now)]
}

fn disruption_budget(it: &Value, now: Timestamp) -> Cells {
    vec![
        name(it),
        json!(int_or_string(&it["spec"]["minAvailable"], "N/A")),
        json!(int_or_string(&it["spec"]["maxUnavailable"], "N/A")),
        json!(number(&it["status"]["disruptionsAllowed"])),
        age(it, now),
    ]
}

fn autoscaler(it: &Value, now: Timestamp) -> Cells {
    let (spec, status) = (&it["spec"], &it["status"]);
    let target = &spec["scaleTargetRef"];
    vec![
        name(it),
        json!(format!("{}/{}", text(&target["kind"], ""), text(&target["name"], ""))),
        json!(metrics(it)),
        json!(int_or_string(&spec["minReplicas"], "<unset>")),
        json!(number(&spec["maxReplicas"])),
        json!(number(&status["currentReplicas"])),
        age(it, now),
    ]
}

/// `cpu: 20%/80%`: what is and what should be, for the first two metrics. `autoscaling/v1` knows the processor only.
fn metrics(it: &Value) -> String {
    const MOST: usize = 2;
    let percent = |value: &Value| value.as_i64().map(|value| format!("{value}%"));
    if let Some(target) = percent(&it["spec"]["targetCPUUtilizationPercentage"]) {
        let current = percent(&it["status"]["currentCPUUtilizationPercentage"]);
        return format!("cpu: {}/{target}", current.as_deref().unwrap_or("<unknown>"));
    }
    let specs = list(&it["spec"]["metrics"]);
    let one = |(index, metric): (usize, &Value)| {
        let kind = text(&metric["type"], "");
        let field = format!(
            "{}{}",
            kind.get(..1).unwrap_or_default().to_lowercase(),
            kind.get(1..).unwrap_or_default()
        );
        let (wanted, current) =
            (&metric[&field]["target"], &it["status"]["currentMetrics"][index][&field]["current"]);
        let prefix = match kind {
            "Resource" | "ContainerResource" => format!("{}: ", text(&metric[&field]["name"], "")),
            _ => String::new(),
        };
        let average = wanted["averageValue"].as_str();
        let utilization = kind.ends_with("Resource") && average.is_none();
        let shown = match (average, utilization) {
            (Some(_), _) => current["averageValue"].as_str().map(ToOwned::to_owned),
            (None, true) => percent(&current["averageUtilization"]),
            (None, false) => current["value"].as_str().map(ToOwned::to_owned),
        };
        let goal = match (average, utilization) {
            (Some(value), _) => value.to_owned(),
            (None, true) => percent(&wanted["averageUtilization"]).unwrap_or_else(|| "<auto>".into()),
            (None, false) => text(&wanted["value"], "").to_owned(),
        };
        let suffix = if average.is_some() && matches!(kind, "External" | "Object") { " (avg)" } else { "" };
        format!("{prefix}{}/{goal}{suffix}", shown.as_deref().unwrap_or("<unknown>"))
    };
    let all: Vec<String> = specs.iter().enumerate().map(one).collect();
    match all.len() {
        0 => "<none>".into(),
        many if many > MOST => format!("{} + {} more...", all[..MOST].join(", "), many - MOST),
        _ => all.join(", "),
    }
}

fn scale(it: &Value, now: Timestamp) -> Cells {
    vec![
        name(it),
        json!(number(&it["spec"]["replicas"])),
        json!(number(&it["status"]["replicas"])),
        age(it, now),
    ]
}

fn priority_class(it: &Value, now: Timestamp) -> Cells {
    vec![
        name(it),
        json!(number(&it["value"])),
        json!(it["globalDefault"] == true),
        age(it, now),
        json!(text(&it["preemptionPolicy"], "")),
    ]
}

fn runtime_class(it: &Value, now: Timestamp) -> Cells {
    vec![name(it), json!(text(&it["handler"], "")), age(it, now)]
}

fn webhooks(it: &Value, now: Timestamp) -> Cells {
    vec![name(it), json!(count(&it["webhooks"])), age(it, now)]
}

fn admission_policy(it: &Value, now: Timestamp) -> Cells {
    let kind = &it["spec"]["paramKind"];
    let kind = match kind {
        Value::Null => "<unset>".to_owned(),
        kind => format!("{}/{}", text(&kind["apiVersion"], ""), text(&kind["kind"], "")),
    };
    vec![name(it), json!(count(&it["spec"]["validations"])), json!(kind), age(it, now)]
}

fn admission_binding(it: &Value, now: Timestamp) -> Cells {
    let reference = &it["spec"]["paramRef"];
    let parameters = match text(&reference["name"], "") {
        "" => "<unset>".to_owned(),
        name => format!("{}/{name}", text(&reference["namespace"], "*")),
    };
    vec![name(it), json!(text(&it["spec"]["policyName"], "")), json!(parameters), age(it, now)]
}

fn api_service(it: &Value, now: Timestamp) -> Cells {
    let service = &it["spec"]["service"];
    let service = match service {
        Value::Null => "Local".to_owned(),
        service => format!("{}/{}", text(&service["namespace"], ""), text(&service["name"], "")),
    };
    let available = condition(it, "Available").map_or_else(
        || "Unknown".to_owned(),
        |one| match (text(&one["status"], ""), text(&one["reason"], "")) {
            ("True", _) => "True".to_owned(),
            (status, reason) => format!("{status} ({reason})"),
        },
    );
    vec![name(it), json!(service), json!(available), age(it, now)]
}

fn flow_schema(it: &Value, now: Timestamp) -> Cells {
    let spec = &it["spec"];
    let dangling = condition(it, "Dangling").map_or("?", |one| text(&one["status"], ""));
    vec![
        name(it),
        json!(text(&spec["priorityLevelConfiguration"]["name"], "")),
        json!(number(&spec["matchingPrecedence"])),
        json!(text(&spec["distinguisherMethod"]["type"], "<none>")),
        age(it, now),
        json!(dangling),
    ]
}

fn priority_level(it: &Value, now: Timestamp) -> Cells {
    let limited = &it["spec"]["limited"];
    let queuing = &limited["limitResponse"]["queuing"];
    let or_none = |value: &Value| if value.is_null() { json!("<none>") } else { value.clone() };
    vec![
        name(it),
        json!(text(&it["spec"]["type"], "")),
        or_none(&limited["nominalConcurrencyShares"]),
        or_none(&queuing["queues"]),
        or_none(&queuing["handSize"]),
        or_none(&queuing["queueLengthLimit"]),
        age(it, now),
    ]
}
