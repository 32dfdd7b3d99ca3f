use super::*;
use serde_json::Value;

fn parsed(bytes: &Bytes) -> Value {
    serde_json::from_slice(bytes).unwrap()
}

#[test]
fn the_index_leads_to_a_document_for_every_group_version() {
    let (schemas, registry) = (Schemas::new(), Registry::builtin());
    let index = parsed(&schemas.openapi_v3_index(&registry));
    let paths = index["paths"].as_object().unwrap();
    assert!(paths.contains_key("api/v1") && paths.contains_key("apis/apps/v1"));
    for (path, entry) in paths {
        let url = entry["serverRelativeURL"].as_str().unwrap();
        assert!(url.starts_with(&format!("/openapi/v3/{path}?hash=")), "{url}");
        let document = schemas.openapi_v3(&registry, path).unwrap();
        assert!(!parsed(&document)["components"]["schemas"].as_object().unwrap().is_empty());
    }
    assert!(schemas.openapi_v3(&registry, "apis/none/v1").is_none());
}

#[test]
fn a_document_has_what_kubectl_looks_for() {
    let document = parsed(&Schemas::new().openapi_v3(&Registry::builtin(), "apis/apps/v1").unwrap());
    let item = &document["paths"]["/apis/apps/v1/namespaces/{namespace}/deployments/{name}"];
    let patch = &item["patch"];
    assert_eq!(
        patch["x-kubernetes-group-version-kind"],
        json!({"group": "apps", "kind": "Deployment", "version": "v1"})
    );
    assert!(patch["parameters"].as_array().unwrap().iter().any(|one| one["name"] == "fieldValidation"));
    assert!(patch["requestBody"]["content"]["application/strategic-merge-patch+json"].is_object());
    let schemas = &document["components"]["schemas"];
    let spec = &schemas["io.k8s.api.apps.v1.Deployment"]["properties"]["spec"];
    assert_eq!(spec["allOf"][0]["$ref"], "#/components/schemas/io.k8s.api.apps.v1.DeploymentSpec");
    assert!(spec["description"].is_string());
    let containers = &schemas["io.k8s.api.core.v1.PodSpec"]["properties"]["containers"];
    assert_eq!(containers["x-kubernetes-patch-merge-key"], "name");
    assert!(schemas.get("io.k8s.api.batch.v1.Job").is_none(), "only what the group version needs");
}

#[test]
fn custom_kinds_are_published_with_their_metadata() {
    let registry = Registry::builtin();
    registry.set_definitions([&json!({
        "spec": {"group": "arc.example.com", "scope": "Namespaced", "names": {"kind": "Thing", "plural": "things"},
            "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": {
                "description": "A thing.", "type": "object", "properties": {"spec": {"type": "object",
                "properties": {"size": {"type": "integer", "description": "How big."}}}}}}}]},
        "status": {"conditions": [{"type": "Established", "status": "True"}]}})]);
    let schemas = Schemas::new();
    let document = parsed(&schemas.openapi_v3(&registry, "apis/arc.example.com/v1").unwrap());
    let thing = &document["components"]["schemas"]["com.example.arc.v1.Thing"];
    assert_eq!(
        thing["x-kubernetes-group-version-kind"],
        json!([{"group": "arc.example.com", "kind": "Thing", "version": "v1"}])
    );
    assert_eq!(thing["properties"]["spec"]["properties"]["size"]["description"], "How big.");
    let patch = &document["paths"]["/apis/arc.example.com/v1/namespaces/{namespace}/things/{name}"]["patch"];
    assert!(patch["requestBody"]["content"].get("application/strategic-merge-patch+json").is_none());
    assert!(document["components"]["schemas"]["io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"].is_object());
    registry.set_definitions([]);
    assert!(schemas.openapi_v3(&registry, "apis/arc.example.com/v1").is_none());
}

#[test]
fn the_v2_document_speaks_v2() {
    let document = parsed(&Schemas::new().openapi_v2(&Registry::builtin()));
    let definitions = &document["definitions"];
    assert_eq!(definitions["io.k8s.apimachinery.pkg.util.intstr.IntOrString"]["type"], "string");
    let spec = &definitions["io.k8s.api.apps.v1.Deployment"]["properties"]["spec"];
    assert_eq!(spec["$ref"], "#/definitions/io.k8s.api.apps.v1.DeploymentSpec");
    let post = &document["paths"]["/api/v1/namespaces/{namespace}/pods"]["post"];
    assert_eq!(post["parameters"][0]["schema"]["$ref"], "#/definitions/io.k8s.api.core.v1.Pod");
    assert!(!document.to_string().contains("components/schemas"));
}
