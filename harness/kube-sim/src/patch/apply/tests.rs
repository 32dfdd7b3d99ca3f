use super::*;
use crate::registry::Registry;
use crate::schema::Schemas;

fn of(group: &str, kind: &str) -> ObjectType {
    Schemas::new().of(&Registry::builtin().by_kind(group, kind).unwrap())
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + second).unwrap()
}

fn manager(name: &str) -> Manager<'_> {
    Manager { name, api_version: "apps/v1", subresource: "" }
}

fn deployment(replicas: Option<i64>, containers: &Value) -> Value {
    let mut object = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"},
        "spec": {"template": {"spec": {"containers": containers}}}});
    if let Some(replicas) = replicas {
        object["spec"]["replicas"] = json!(replicas);
    }
    object
}

#[test]
fn the_first_apply_owns_what_it_names() {
    let of = of("apps", "Deployment");
    let applied = deployment(
        Some(2),
        &json!([{"name": "a", "image": "a:1", "args": ["x"], "ports": [{"containerPort": 80}]}]),
    );
    let object = apply(&of, None, &applied, &manager("me"), false, at(0)).unwrap();
    assert_eq!(
        object["metadata"]["managedFields"],
        json!([{"manager": "me", "operation": "Apply", "apiVersion": "apps/v1", "time": "2023-11-14T22:13:20Z",
        "fieldsType": "FieldsV1", "fieldsV1": {"f:spec": {"f:replicas": {}, "f:template": {"f:spec": {
            "f:containers": {"k:{\"name\":\"a\"}": {".": {}, "f:args": {}, "f:image": {}, "f:name": {},
                "f:ports": {"k:{\"containerPort\":80,\"protocol\":\"TCP\"}": {".": {}, "f:containerPort": {}}}
            }}}}}}}])
    );
}

#[test]
fn what_is_no_longer_applied_goes_and_what_others_own_stays() {
    let of = of("apps", "Deployment");
    let both = json!([{"name": "a", "image": "a:1"}, {"name": "b", "image": "b:1"}]);
    let object = apply(&of, None, &deployment(Some(2), &both), &manager("me"), false, at(0)).unwrap();
    let shared = deployment(Some(2), &json!([]));
    let object = apply(&of, Some(&object), &shared, &manager("other"), false, at(1)).unwrap();
    let one = json!([{"name": "b", "image": "b:2"}]);
    let object = apply(&of, Some(&object), &deployment(None, &one), &manager("me"), false, at(2)).unwrap();
    assert_eq!(object["spec"]["template"]["spec"]["containers"], one);
    assert_eq!(object["spec"]["replicas"], 2);
    let again =
        apply(&of, Some(&object), &deployment(None, &json!([])), &manager("other"), false, at(3)).unwrap();
    assert!(again["spec"].get("replicas").is_none());
}

#[test]
fn a_conflict_is_named_and_force_takes_over() {
    let of = of("apps", "Deployment");
    let object = apply(&of, None, &deployment(Some(2), &json!([])), &manager("one"), false, at(0)).unwrap();
    let wanted = deployment(Some(3), &json!([]));
    let error = apply(&of, Some(&object), &wanted, &manager("two"), false, at(1)).unwrap_err();
    assert_eq!(error.to_string(), "Apply failed with 1 conflict: conflict with \"one\": .spec.replicas");
    let ApplyError::Conflicts { causes, .. } = error else { panic!("not a conflict") };
    assert_eq!(
        (causes[0].field.as_str(), causes[0].reason.as_str()),
        (".spec.replicas", "FieldManagerConflict")
    );
    let object = apply(&of, Some(&object), &wanted, &manager("two"), true, at(1)).unwrap();
    assert_eq!(object["spec"]["replicas"], 3);
    assert_eq!(object["metadata"]["managedFields"].as_array().unwrap().len(), 1);
}

#[test]
fn the_same_value_is_shared_without_conflict_and_a_repeat_changes_nothing() {
    let of = of("apps", "Deployment");
    let wanted = deployment(Some(2), &json!([]));
    let object = apply(&of, None, &wanted, &manager("one"), false, at(0)).unwrap();
    let object = apply(&of, Some(&object), &wanted, &manager("two"), false, at(1)).unwrap();
    assert_eq!(object["metadata"]["managedFields"].as_array().unwrap().len(), 2);
    let again = apply(&of, Some(&object), &wanted, &manager("two"), false, at(9)).unwrap();
    assert_eq!(again, object);
}

#[test]
fn an_update_takes_fields_and_conflicts_tell_when() {
    let of = of("apps", "Deployment");
    let object = apply(&of, None, &deployment(Some(2), &json!([])), &manager("one"), false, at(0)).unwrap();
    let mut scaled = object.clone();
    scaled["spec"]["replicas"] = json!(5);
    let by = Manager { subresource: "scale", ..manager("kubectl") };
    track_update(&of, &Value::Null, Some(&object), &mut scaled, &by, at(60));
    let entries = scaled["metadata"]["managedFields"].as_array().unwrap();
    assert_eq!(entries.len(), 1);
    assert_eq!(entries[0]["fieldsV1"], json!({"f:spec": {"f:replicas": {}}}));
    assert_eq!(entries[0]["subresource"], "scale");
    let wanted = deployment(Some(2), &json!([]));
    let error = apply(&of, Some(&scaled), &wanted, &manager("one"), false, at(70)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "Apply failed with 1 conflict: conflict with \"kubectl\" with subresource \"scale\" using apps/v1: \
         .spec.replicas"
    );
}

#[test]
fn a_created_object_is_its_creator_s_with_the_dots() {
    let of = of("", "ConfigMap");
    let mut object = json!({"apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "c", "namespace": "d", "uid": "u", "labels": {"a": "b"}}, "data": {"k": "v"}});
    let by = Manager { name: "kubectl-create", api_version: "v1", subresource: "" };
    track_update(&of, &json!({}), None, &mut object, &by, at(0));
    assert_eq!(
        object["metadata"]["managedFields"][0]["fieldsV1"],
        json!({"f:data": {".": {}, "f:k": {}}, "f:metadata": {"f:labels": {".": {}, "f:a": {}}}})
    );
}

#[test]
fn an_object_nobody_tracked_belongs_to_before_first_apply() {
    let of = of("", "ConfigMap");
    let live =
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"k": "v"}});
    let applied =
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"k": "w"}});
    let by = Manager { name: "me", api_version: "v1", subresource: "" };
    let error = apply(&of, Some(&live), &applied, &by, false, at(0)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "Apply failed with 1 conflict: conflict with \"before-first-apply\" using v1: .data.k"
    );
}

#[test]
fn kubectl_moves_from_client_side_to_server_side_apply_without_conflict() {
    let of = of("", "ConfigMap");
    let last =
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"k": "v"}});
    let mut live = last.clone();
    live["metadata"]["annotations"] = json!({LAST_APPLIED: last.to_string()});
    let by = Manager { name: "kubectl-client-side-apply", api_version: "v1", subresource: "" };
    track_update(&of, &json!({}), None, &mut live, &by, at(0));
    let applied =
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"k": "w"}});
    let by = Manager { name: "kubectl", api_version: "v1", subresource: "" };
    let object = apply(&of, Some(&live), &applied, &by, false, at(1)).unwrap();
    assert_eq!(object["data"]["k"], "w");
    assert!(object["metadata"]["annotations"][LAST_APPLIED].as_str().unwrap().contains("\"k\":\"w\""));
}

#[test]
fn live_items_keep_their_place_among_applied_ones() {
    let of = of("", "Pod");
    let live = json!({"spec": {"containers": [{"name": "side"}, {"name": "a"}, {"name": "b"}]}});
    let applied = json!({"spec": {"containers": [{"name": "b"}, {"name": "a"}, {"name": "new"}]}});
    let merged = walk::merge(of.root(), Some(&live), &applied);
    let names: Vec<_> = merged["spec"]["containers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["side", "b", "a", "new"]);
}

#[test]
fn nothing_panics_on_nonsense() {
    let of = of("apps", "Deployment");
    let nonsense = [
        json!(null),
        json!([1]),
        json!("x"),
        json!({"metadata": 1, "spec": []}),
        json!({"metadata": {"managedFields": [{"fieldsV1": {"f:spec": 1, "k:{": {}, "x": {}}}, 3], "annotations": []}}),
        json!({"spec": {"template": {"spec": {"containers": [1, null, {"name": {"a": 1}}, {"name": "x", "ports": {}}]}}}}),
    ];
    for live in &nonsense {
        for applied in &nonsense {
            let by = manager("kubectl");
            let _ = apply(&of, Some(live), applied, &by, true, at(0));
            track_update(&of, &Value::Null, Some(live), &mut applied.clone(), &by, at(0));
            let _ = crate::patch::strategic_merge(&of, live, applied);
            let _ = crate::patch::json_patch(live, applied);
            let _ = crate::patch::merge_patch(live, applied);
        }
    }
}
