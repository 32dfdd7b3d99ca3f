use super::*;

fn defaulted(group: &str, kind: &str, mut object: Value) -> Value {
    apply(group, kind, &mut object);
    let once = object.clone();
    apply(group, kind, &mut object);
    assert_eq!(object, once, "defaulting twice is defaulting once");
    object
}

#[test]
fn a_deployment_gets_what_a_real_server_gives_it() {
    let object = defaulted(
        "apps",
        "Deployment",
        json!({"metadata": {"name": "web"}, "spec": {"selector": {"matchLabels": {"a": "b"}},
            "template": {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [
                {"name": "c", "image": "nginx", "ports": [{"containerPort": 80}],
                 "readinessProbe": {"httpGet": {"port": 80}}}]}}}}),
    );
    assert_eq!(
        object["spec"]["strategy"],
        json!({"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "25%", "maxSurge": "25%"}})
    );
    assert_eq!(
        (&object["spec"]["replicas"], &object["spec"]["progressDeadlineSeconds"]),
        (&json!(1), &json!(600))
    );
    let pod = &object["spec"]["template"]["spec"];
    assert_eq!((&pod["restartPolicy"], &pod["dnsPolicy"]), (&json!("Always"), &json!("ClusterFirst")));
    assert!(pod.get("enableServiceLinks").is_none());
    let container = &pod["containers"][0];
    assert_eq!(container["imagePullPolicy"], "Always");
    assert_eq!(container["ports"][0]["protocol"], "TCP");
    assert_eq!(
        container["readinessProbe"],
        json!({"httpGet": {"port": 80, "path": "/", "scheme": "HTTP"}, "timeoutSeconds": 1, "periodSeconds": 10,
            "successThreshold": 1, "failureThreshold": 3})
    );
}

#[test]
fn pull_policy_follows_the_tag() {
    for (image, policy) in [
        ("nginx", "Always"),
        ("nginx:latest", "Always"),
        ("host:5000/nginx", "Always"),
        ("nginx:1.2", "IfNotPresent"),
        ("nginx@sha256:00", "IfNotPresent"),
    ] {
        let pod = defaulted("", "Pod", json!({"spec": {"containers": [{"name": "c", "image": image}]}}));
        assert_eq!(pod["spec"]["containers"][0]["imagePullPolicy"], policy, "{image}");
    }
}

#[test]
fn a_pod_s_requests_and_class_follow_its_limits() {
    let limits = json!({"cpu": "1", "memory": "1Gi"});
    let pod = defaulted(
        "",
        "Pod",
        json!({"spec": {"containers": [{"name": "c", "resources": {"limits": limits}}]}}),
    );
    assert_eq!(pod["spec"]["containers"][0]["resources"]["requests"], limits);
    assert_eq!(
        (&pod["status"]["qosClass"], &pod["status"]["phase"]),
        (&json!("Guaranteed"), &json!("Pending"))
    );
    let pod = defaulted("", "Pod", json!({"spec": {"containers": [{"name": "c"}], "serviceAccount": "x"}}));
    assert_eq!(pod["status"]["qosClass"], "BestEffort");
    assert_eq!(pod["spec"]["serviceAccountName"], "x");
}

#[test]
fn plain_secret_texts_become_data() {
    let secret = defaulted("", "Secret", json!({"data": {"a": "eA=="}, "stringData": {"b": "hello"}}));
    assert_eq!(secret, json!({"data": {"a": "eA==", "b": "aGVsbG8="}, "type": "Opaque"}));
}

#[test]
fn services_bindings_and_definitions() {
    let service = defaulted("", "Service", json!({"spec": {"ports": [{"port": 80}]}}));
    assert_eq!(service["spec"]["ports"], json!([{"port": 80, "protocol": "TCP", "targetPort": 80}]));
    assert_eq!(service["spec"]["type"], "ClusterIP");
    let binding = defaulted(
        "rbac.authorization.k8s.io",
        "RoleBinding",
        json!({"roleRef": {"kind": "Role", "name": "r"}, "subjects": [{"kind": "User", "name": "u"},
            {"kind": "ServiceAccount", "name": "s", "namespace": "n"}]}),
    );
    assert_eq!(binding["roleRef"]["apiGroup"], "rbac.authorization.k8s.io");
    assert_eq!(binding["subjects"][0]["apiGroup"], "rbac.authorization.k8s.io");
    assert!(binding["subjects"][1].get("apiGroup").is_none());
    let definition = defaulted(
        "apiextensions.k8s.io",
        "CustomResourceDefinition",
        json!({"spec": {"names": {"kind": "Thing", "plural": "things"}}}),
    );
    assert_eq!(definition["spec"]["names"]["listKind"], "ThingList");
    assert_eq!(definition["spec"]["conversion"], json!({"strategy": "None"}));
}

#[test]
fn a_job_is_found_by_its_uid() {
    let job = defaulted(
        "batch",
        "Job",
        json!({"metadata": {"name": "j", "uid": "u-1"}, "spec": {"template": {"spec": {"containers": []}}}}),
    );
    assert_eq!(job["spec"]["selector"]["matchLabels"], json!({"batch.kubernetes.io/controller-uid": "u-1"}));
    assert_eq!(job["spec"]["template"]["metadata"]["labels"]["job-name"], "j");
    assert_eq!((&job["spec"]["backoffLimit"], &job["spec"]["completions"]), (&json!(6), &json!(1)));
}

#[test]
fn null_is_as_good_as_missing() {
    let object = defaulted(
        "apps",
        "Deployment",
        json!({"metadata": {"name": "web", "creationTimestamp": null}, "spec": {"replicas": null, "template": {
            "metadata": {"creationTimestamp": null}, "spec": {"containers": [{"name": "c", "env": null}]}}}}),
    );
    assert_eq!(object["spec"]["replicas"], json!(1));
    assert_eq!(object["spec"]["template"]["spec"]["restartPolicy"], "Always");
}
