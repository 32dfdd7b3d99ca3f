use serde_json::json;

use super::*;
use crate::defaults;
use crate::registry::Registry;
use crate::schema::Schemas;

fn wrong(group: &str, kind: &str, mut object: Value, old: Option<Value>) -> Vec<String> {
    defaults::apply(group, kind, &mut object);
    let old = old.map(|mut old| {
        defaults::apply(group, kind, &mut old);
        old
    });
    let causes = validate(group, kind, &object, old.as_ref());
    causes.iter().map(|cause| format!("{}: {}", cause.field, cause.message)).collect()
}

fn deployment() -> Value {
    json!({"metadata": {"name": "web"}, "spec": {"selector": {"matchLabels": {"app": "web"}}, "template": {
        "metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}}})
}

#[test]
fn a_good_deployment_passes_and_may_change_its_template() {
    assert!(wrong("apps", "Deployment", deployment(), None).is_empty());
    let mut changed = deployment();
    changed["spec"]["template"]["spec"]["containers"][0]["image"] = json!("j");
    assert!(wrong("apps", "Deployment", changed, Some(deployment())).is_empty());
}

#[test]
fn selectors_must_match_and_stay() {
    let mut other = deployment();
    other["spec"]["template"]["metadata"]["labels"] = json!({"app": "db"});
    assert_eq!(
        wrong("apps", "Deployment", other, None),
        [
            "spec.template.metadata.labels: Invalid value: {\"app\":\"db\"}: `selector` does not match template `labels`"
        ]
    );
    let mut moved = deployment();
    moved["spec"]["selector"]["matchLabels"] = json!({"app": "db"});
    moved["spec"]["template"]["metadata"]["labels"] = json!({"app": "db"});
    assert_eq!(
        wrong("apps", "Deployment", moved, Some(deployment())),
        ["spec.selector: Invalid value: {\"matchLabels\":{\"app\":\"db\"}}: field is immutable"]
    );
    let mut none = deployment();
    none["spec"]["selector"] = Value::Null;
    assert_eq!(
        wrong("apps", "Deployment", none, None),
        [
            "spec.selector: Required value",
            "spec.template.metadata.labels: Invalid value: {\"app\":\"web\"}: `selector` does not match template `labels`"
        ]
    );
}

#[test]
fn names_and_labels_are_explained() {
    let mut object = deployment();
    object["metadata"]["name"] = json!("Web_1");
    assert_eq!(
        wrong("apps", "Deployment", object, None),
        [
            "metadata.name: Invalid value: \"Web_1\": a lowercase RFC 1123 subdomain must consist of lower case \
          alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. \
          'example.com', regex used for validation is \
          '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
        ]
    );
    let dotted = json!({"metadata": {"name": "a.b"}});
    assert_eq!(
        wrong("", "Namespace", dotted, None),
        ["metadata.name: Invalid value: \"a.b\": must not contain dots"]
    );
    let labelled = json!({"metadata": {"name": "c", "labels": {"a/b/c": "x", "k": "-"}}});
    assert_eq!(wrong("", "ConfigMap", labelled, None).len(), 2);
    assert_eq!(
        wrong("", "ConfigMap", json!({"metadata": {}}), None),
        ["metadata.name: Required value: name or generateName is required"]
    );
}

#[test]
fn finalizers_of_built_in_kinds_have_a_domain_and_others_need_none() {
    let odd = json!({"metadata": {"name": "a", "finalizers": ["odd"]}});
    let why = "metadata.finalizers[0]: Invalid value: \"odd\": name is neither a standard finalizer name nor is it fully qualified";
    assert_eq!(wrong("", "ConfigMap", odd.clone(), None), [why]);
    assert_eq!(wrong("coordination.k8s.io", "Lease", odd.clone(), None), [why]);
    assert_eq!(wrong("gateway.networking.k8s.io", "Gateway", odd.clone(), None), [""; 0]);
    assert_eq!(wrong("example.com", "Thing", odd, None), [""; 0]);
}

#[test]
fn pods_are_checked_in_depth() {
    let pod = json!({"metadata": {"name": "p"}, "spec": {"volumes": [{"name": "v"}], "containers": [
        {"name": "A", "volumeMounts": [{"name": "w", "mountPath": "/w"}], "ports": [{"containerPort": 70000}],
         "env": [{"name": "a=b"}], "livenessProbe": {}},
        {"name": "b", "image": "i"}, {"name": "b", "image": "i", "imagePullPolicy": "Sometimes"}]}});
    let found = wrong("", "Pod", pod, None);
    for wanted in [
        "spec.containers[0].image: Required value",
        "spec.containers[0].ports[0].containerPort: Invalid value: 70000: must be between 1 and 65535, inclusive",
        "spec.containers[0].volumeMounts[0].name: Not found: \"w\"",
        "spec.containers[0].livenessProbe: Required value: must specify a handler type",
        "spec.containers[2].name: Duplicate value: \"b\"",
        "spec.containers[2].imagePullPolicy: Unsupported value: \"Sometimes\": supported values: \"Always\", \
         \"IfNotPresent\", \"Never\"",
    ] {
        assert!(found.iter().any(|one| one == wanted), "{wanted} not in {found:#?}");
    }
    assert!(found.iter().any(|one| one.starts_with("spec.containers[0].name: Invalid value: \"A\"")));
}

#[test]
fn pods_may_be_bound_and_get_new_images_and_little_else() {
    let pod = json!({"metadata": {"name": "p"}, "spec": {"containers": [{"name": "a", "image": "i"}]}});
    let mut bound = pod.clone();
    bound["spec"]["nodeName"] = json!("n");
    bound["spec"]["containers"][0]["image"] = json!("j:1");
    bound["spec"]["containers"][0]["imagePullPolicy"] = json!("Always");
    assert!(wrong("", "Pod", bound.clone(), Some(pod.clone())).is_empty());
    let mut moved = bound.clone();
    moved["spec"]["nodeName"] = json!("m");
    assert!(
        wrong("", "Pod", moved, Some(bound))[0].starts_with("spec: Forbidden: pod updates may not change")
    );
}

#[test]
fn services_secrets_and_bindings() {
    let service = json!({"metadata": {"name": "1s"}, "spec": {"ports": [{"port": 0}, {"port": 80}]}});
    let found = wrong("", "Service", service, None);
    assert!(found[0].starts_with("metadata.name: Invalid value: \"1s\": a DNS-1035 label"));
    assert!(found.contains(&"spec.ports[0].name: Required value".to_owned()));
    let secret = json!({"metadata": {"name": "s"}, "type": "kubernetes.io/tls", "data": {"a b": ""}});
    let found = wrong("", "Secret", secret, None);
    assert!(found[0].starts_with("data[a b]: Invalid value: \"a b\": a valid config key"));
    assert_eq!(&found[1..], ["data[tls.crt]: Required value", "data[tls.key]: Required value"]);
    let binding = |role: &str| {
        json!({"metadata": {"name": "b"}, "roleRef": {"kind": "ClusterRole", "name": role, "apiGroup": "rbac.authorization.k8s.io"},
            "subjects": [{"kind": "ServiceAccount", "name": "s"}]})
    };
    assert_eq!(
        wrong("rbac.authorization.k8s.io", "ClusterRoleBinding", binding("x"), Some(binding("y"))),
        [
            "subjects[0].namespace: Required value",
            "roleRef: Invalid value: {\"APIGroup\":\"rbac.authorization.k8s.io\",\"Kind\":\"ClusterRole\",\"Name\":\"x\"}: \
          cannot change roleRef"
        ]
    );
}

#[test]
fn unknown_fields_and_wrong_types_are_found() {
    let kind = Registry::builtin().by_kind("apps", "Deployment").unwrap();
    let of = Schemas::new().of(&kind);
    let mut object = deployment();
    object["spec"]["replica"] = json!(1);
    object["spec"]["template"]["spec"]["containers"][0]["img"] = json!("x");
    object["metadata"]["labels"] = json!({"any": "thing"});
    assert_eq!(
        unknown_fields(&of, &object),
        ["unknown field \"spec.template.spec.containers[0].img\"", "unknown field \"spec.replica\""]
    );
    assert_eq!(type_error(&of, &kind, &deployment()), None);
    object["spec"]["replicas"] = json!("two");
    assert_eq!(
        type_error(&of, &kind, &object).unwrap(),
        "json: cannot unmarshal string into Go struct \
         field DeploymentSpec.spec.replicas of type int32"
    );
}

#[test]
fn directives_of_a_patch_are_no_unknown_fields() {
    let kind = Registry::builtin().by_kind("apps", "Deployment").unwrap();
    let patch = json!({"metadata": {"$deleteFromPrimitiveList/finalizers": ["a"]}, "spec": {
        "strategy": {"$retainKeys": ["type"], "type": "Recreate"}, "template": {"spec": {
            "$setElementOrder/containers": [{"name": "a"}], "containers": [{"name": "b", "$patch": "delete"}], "$x": 1}}}});
    let found = unknown_fields(&Schemas::new().of(&kind), &patch);
    assert_eq!(found, ["unknown field \"spec.template.spec.$x\""]);
}

#[test]
fn duplicate_fields_are_found_in_the_text() {
    let text = br#"{"a": {"b": 1, "b": 2, "c": [{"d": 1, "d": 2}]}, "a": null}"#;
    assert_eq!(
        duplicate_fields(text),
        ["duplicate field \"a.b\"", "duplicate field \"a.c[0].d\"", "duplicate field \"a\""]
    );
    assert!(duplicate_fields(b"{\"a\": [1, 2.5, \"x\", true, null, -3]}").is_empty());
    assert!(duplicate_fields(b"not json").is_empty());
}

#[test]
fn nothing_panics_on_nonsense() {
    for kind in Registry::builtin().all() {
        for nonsense in [
            json!({}),
            json!({"metadata": 1, "spec": []}),
            json!({"metadata": {"labels": []}, "spec": {"template": 3, "ports": {}}}),
        ] {
            let mut object = nonsense.clone();
            defaults::apply(&kind.group, &kind.kind, &mut object);
            let _ = validate(&kind.group, &kind.kind, &object, Some(&nonsense));
            let _ = validate(&kind.group, &kind.kind, &nonsense, None);
        }
    }
}
