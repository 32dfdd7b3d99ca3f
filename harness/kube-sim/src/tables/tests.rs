use super::*;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + seconds).unwrap()
}

fn cells(group: &str, kind: &str, mut object: Value) -> Vec<String> {
    object["metadata"]["creationTimestamp"] = json!(at(0).to_string());
    let kind = TableKind { group, kind, printer_columns: None };
    let table = table(&kind, &[object], &json!({"resourceVersion": "7"}), at(75), IncludeObject::Metadata);
    let row = &table["rows"][0];
    assert_eq!(count(&table["columnDefinitions"]), count(&row["cells"]), "one cell per column");
    assert_eq!(row["object"]["kind"], "PartialObjectMetadata");
    list(&row["cells"])
        .iter()
        .map(|cell| cell.as_str().map_or_else(|| cell.to_string(), ToOwned::to_owned))
        .collect()
}

fn pod(status: Value, mut extra: Value) -> Vec<String> {
    extra["metadata"]["name"] = json!("p");
    extra["status"] = status;
    if extra["spec"]["containers"].is_null() {
        extra["spec"]["containers"] = json!([{"name": "a"}, {"name": "b"}]);
    }
    cells("", "Pod", extra)
}

#[test]
fn a_running_pod_with_its_wide_columns() {
    let status = json!({"phase": "Running", "podIPs": [{"ip": "10.1.0.4"}], "containerStatuses": [
        {"name": "a", "ready": true, "restartCount": 2, "state": {"running": {}},
         "lastState": {"terminated": {"finishedAt": at(15).to_string()}}},
        {"name": "b", "ready": true, "restartCount": 0, "state": {"running": {}}}]});
    let row = pod(status, json!({"spec": {"nodeName": "n1"}}));
    assert_eq!(row, ["p", "2/2", "Running", "2 (60s ago)", "75s", "10.1.0.4", "n1", "<none>", "<none>"]);
}

#[test]
fn pod_states_are_named_as_kubectl_shows_them() {
    let one =
        |state: Value| json!({"phase": "Running", "containerStatuses": [{"name": "a", "state": state}]});
    let status = |status: Value| pod(status, json!({}))[2].clone();
    assert_eq!(status(json!({"phase": "Pending"})), "Pending");
    assert_eq!(status(one(json!({"waiting": {"reason": "ContainerCreating"}}))), "ContainerCreating");
    assert_eq!(status(one(json!({"waiting": {"reason": "CrashLoopBackOff"}}))), "CrashLoopBackOff");
    assert_eq!(status(one(json!({"terminated": {"reason": "Completed", "exitCode": 0}}))), "Completed");
    assert_eq!(status(one(json!({"terminated": {"exitCode": 3}}))), "ExitCode:3");
    assert_eq!(status(one(json!({"terminated": {"exitCode": 137, "signal": 9}}))), "Signal:9");
    assert_eq!(status(json!({"phase": "Failed", "reason": "Evicted"})), "Evicted");
}

#[test]
fn pods_that_initialize_or_end() {
    let spec = json!({"initContainers": [{"name": "i"}, {"name": "j"}], "containers": [{"name": "a"}]});
    let init = |state: Value| {
        pod(
            json!({"phase": "Pending", "initContainerStatuses": [{"name": "i", "state": state}]}),
            json!({"spec": spec}),
        )[2]
        .clone()
    };
    assert_eq!(init(json!({"running": {}})), "Init:0/2");
    assert_eq!(init(json!({"waiting": {"reason": "ImagePullBackOff"}})), "Init:ImagePullBackOff");
    assert_eq!(init(json!({"terminated": {"reason": "Error", "exitCode": 1}})), "Init:Error");
    let ending = json!({"metadata": {"deletionTimestamp": at(1).to_string()}});
    assert_eq!(pod(json!({"phase": "Running"}), ending.clone())[2], "Terminating");
    assert_eq!(pod(json!({"phase": "Succeeded", "reason": "Completed"}), ending)[2], "Completed");
    let half = json!({"phase": "Running", "conditions": [{"type": "Ready", "status": "False"}], "containerStatuses": [
        {"name": "a", "state": {"terminated": {"reason": "Completed", "exitCode": 0}}},
        {"name": "b", "ready": true, "state": {"running": {}}}]});
    assert_eq!(&pod(half, json!({}))[1..3], ["1/2", "NotReady"]);
}

#[test]
fn workloads_show_counts_images_and_selectors() {
    let spec = json!({"replicas": 2, "selector": {"matchLabels": {"app": "web", "a": "b"}},
        "template": {"spec": {"containers": [{"name": "c", "image": "i:1"}, {"name": "d", "image": "j:2"}]}}});
    let deployment = json!({"metadata": {"name": "web"}, "spec": spec,
        "status": {"readyReplicas": 1, "updatedReplicas": 2, "availableReplicas": 1}});
    assert_eq!(
        cells("apps", "Deployment", deployment),
        ["web", "1/2", "2", "1", "75s", "c,d", "i:1,j:2", "a=b,app=web"]
    );
    let job = json!({"metadata": {"name": "j"}, "spec": {"completions": 3}, "status": {"succeeded": 3,
        "startTime": at(5).to_string(), "completionTime": at(17).to_string(),
        "conditions": [{"type": "Complete", "status": "True"}]}});
    assert_eq!(&cells("batch", "Job", job)[..5], ["j", "Complete", "3/3", "12s", "75s"]);
    let cron = json!({"metadata": {"name": "c"}, "spec": {"schedule": "* * * * *", "suspend": false}});
    let row = cells("batch", "CronJob", cron);
    assert_eq!(&row[..7], ["c", "* * * * *", "<none>", "False", "0", "<none>", "75s"]);
}

#[test]
fn services_nodes_and_events() {
    let service = json!({"metadata": {"name": "s"}, "spec": {"type": "ClusterIP", "clusterIPs": ["10.0.0.1"],
        "ports": [{"port": 443, "protocol": "TCP"}, {"port": 80, "nodePort": 30080, "protocol": "TCP"}]}});
    let row = cells("", "Service", service);
    assert_eq!(row, ["s", "ClusterIP", "10.0.0.1", "<none>", "443/TCP,80:30080/TCP", "75s", "<none>"]);
    let node = json!({"metadata": {"name": "n", "labels": {"node-role.kubernetes.io/control-plane": ""}},
        "spec": {"unschedulable": true}, "status": {"conditions": [{"type": "Ready", "status": "True"}],
        "addresses": [{"type": "InternalIP", "address": "10.0.0.9"}], "nodeInfo": {"kubeletVersion": "v1.34.4"}}});
    assert_eq!(
        &cells("", "Node", node)[..7],
        ["n", "Ready,SchedulingDisabled", "control-plane", "75s", "v1.34.4", "10.0.0.9", "<none>"]
    );
    let event = json!({"metadata": {"name": "e"}, "type": "Normal", "reason": "Started", "message": "Started it\n",
        "involvedObject": {"kind": "Pod", "name": "p", "fieldPath": "spec.containers{a}"}, "count": 4,
        "firstTimestamp": at(0).to_string(), "lastTimestamp": at(65).to_string(),
        "source": {"component": "kubelet", "host": "n"}});
    assert_eq!(
        cells("", "Event", event),
        [
            "10s",
            "Normal",
            "Started",
            "pod/p",
            "spec.containers{a}",
            "kubelet, n",
            "Started it",
            "75s",
            "4",
            "e"
        ]
    );
}

#[test]
fn kinds_without_a_printer_show_when_they_were_made() {
    let role = json!({"metadata": {"name": "r"}});
    assert_eq!(cells("rbac.authorization.k8s.io", "Role", role), ["r", "2023-11-14T22:13:20Z"]);
}

#[test]
fn every_printer_has_as_many_cells_as_columns() {
    for kind in crate::registry::Registry::builtin().all() {
        cells(&kind.group, &kind.kind, json!({"metadata": {"name": "x"}}));
    }
    cells("autoscaling", "Scale", json!({"metadata": {"name": "x"}}));
}

#[test]
fn custom_kinds_show_their_columns_or_their_age() {
    let object = json!({"metadata": {"name": "x", "creationTimestamp": at(0).to_string()},
        "spec": {"size": 3, "map": {"a": 1}}, "status": {"phase": "Ok", "at": at(60).to_string()}});
    let columns = [
        json!({"name": "Size", "type": "integer", "jsonPath": ".spec.size"}),
        json!({"name": "Map", "type": "string", "jsonPath": ".spec.map", "priority": 1}),
        json!({"name": "Since", "type": "date", "jsonPath": ".status.at"}),
        json!({"name": "Gone", "type": "string", "jsonPath": ".status.gone"}),
    ];
    let show = |columns: &[Value]| {
        let kind = TableKind { group: "g", kind: "K", printer_columns: Some(columns) };
        table(&kind, std::slice::from_ref(&object), &json!({}), at(75), IncludeObject::None)
    };
    let shown = show(&columns);
    assert_eq!(shown["rows"][0]["cells"], json!(["x", 3, "{\"a\":1}", "15s", null]));
    assert_eq!(shown["columnDefinitions"][2]["priority"], 1);
    assert_eq!(show(&[])["rows"][0]["cells"], json!(["x", "75s"]));
}
