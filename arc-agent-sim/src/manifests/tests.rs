use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::*;
use crate::images::{self, ImageRole};
use crate::role::Role;

fn settings() -> AgentSettings {
    let mut settings = AgentSettings::new("s", "AzureArcTest", "AzureArcTest1", "eastus", "t");
    settings.private_key_pem = "key".into();
    settings
}

fn of_kind<'a>(objects: &'a [Value], kind: &str) -> Vec<&'a Value> {
    objects.iter().filter(|object| object["kind"] == kind).collect()
}

fn name(object: &Value) -> &str {
    object["metadata"]["name"].as_str().unwrap()
}

#[test]
fn the_ten_deployments_of_the_page_have_the_containers_that_ready_counts() {
    let objects = objects(&settings());
    let counts: BTreeMap<&str, usize> = of_kind(&objects, "Deployment")
        .into_iter()
        .map(|object| {
            (name(object), object["spec"]["template"]["spec"]["containers"].as_array().unwrap().len())
        })
        .collect();
    assert_eq!(counts.len(), 10);
    for (name, count) in counts {
        let expected = match name {
            "clusterconnect-agent" => 3,
            "flux-logs-agent" => 1,
            _ => 2,
        };
        assert_eq!(count, expected, "{name}");
    }
}

#[test]
fn selectors_match_the_pods_and_services_find_them() {
    let objects = objects(&settings());
    for deployment in of_kind(&objects, "Deployment") {
        let spec = &deployment["spec"];
        assert_eq!(spec["selector"]["matchLabels"], spec["template"]["metadata"]["labels"]);
    }
    for service in of_kind(&objects, "Service") {
        let wanted = service["spec"]["selector"].as_object().unwrap();
        let found = of_kind(&objects, "Deployment").into_iter().any(|deployment| {
            let labels = &deployment["spec"]["template"]["metadata"]["labels"];
            wanted.iter().all(|(key, value)| labels[key] == *value)
        });
        assert!(found, "{}", name(service));
    }
}

#[test]
fn every_image_is_known_and_every_role_is_there_once() {
    let objects = objects(&settings());
    let mut roles = BTreeSet::new();
    for deployment in of_kind(&objects, "Deployment") {
        for container in deployment["spec"]["template"]["spec"]["containers"].as_array().unwrap() {
            let (image, container) =
                (container["image"].as_str().unwrap(), container["name"].as_str().unwrap());
            match images::resolve(image, container) {
                Some(ImageRole::Role(role)) => assert!(roles.insert(role) && name(deployment) == role.name()),
                Some(ImageRole::Sidecar) => {}
                other => panic!("{image}: {other:?}"),
            }
        }
    }
    assert_eq!(roles.len(), Role::all().count());
}

/// Names of ConfigMaps and Secrets that a pod mentions, and whether they exist from the start.
#[test]
fn what_pods_refer_to_exists_or_is_made_at_run_time() {
    let mut settings = settings();
    settings.proxy.https = Some("http://10.0.0.1:3128".into());
    settings.proxy.certificate = Some("pem".into());
    let objects = objects(&settings);
    let names = |kind| of_kind(&objects, kind).into_iter().map(name).collect::<BTreeSet<_>>();
    let (maps, mut secrets, accounts) = (names("ConfigMap"), names("Secret"), names("ServiceAccount"));
    secrets.insert("kube-aad-proxy-certificate");
    for deployment in of_kind(&objects, "Deployment") {
        let pod = &deployment["spec"]["template"]["spec"];
        assert!(accounts.contains(pod["serviceAccountName"].as_str().unwrap()));
        let mut volumes = BTreeSet::new();
        for volume in pod["volumes"].as_array().unwrap() {
            volumes.insert(volume["name"].as_str().unwrap());
            if let Some(secret) = volume["secret"]["secretName"].as_str() {
                assert!(secrets.contains(secret), "{secret}");
            }
            if let Some(map) = volume["configMap"]["name"].as_str() {
                assert!(maps.contains(map), "{map}");
            }
        }
        for container in pod["containers"].as_array().unwrap() {
            for source in container["envFrom"].as_array().into_iter().flatten() {
                let map = source["configMapRef"]["name"].as_str();
                let secret = source["secretRef"]["name"].as_str();
                assert!(map.is_none_or(|map| maps.contains(map)));
                assert!(secret.is_none_or(|secret| secrets.contains(secret)));
            }
            for mount in container["volumeMounts"].as_array().into_iter().flatten() {
                assert!(volumes.contains(mount["name"].as_str().unwrap()), "{mount}");
            }
        }
    }
}

#[test]
fn pods_satisfy_the_restricted_security_standard() {
    for deployment in of_kind(&objects(&settings()), "Deployment") {
        let pod = &deployment["spec"]["template"]["spec"];
        assert_eq!(pod["securityContext"]["runAsNonRoot"], true);
        assert_eq!(pod["securityContext"]["seccompProfile"]["type"], "RuntimeDefault");
        for container in pod["containers"].as_array().unwrap() {
            assert_eq!(container["securityContext"]["allowPrivilegeEscalation"], false);
            assert_eq!(container["securityContext"]["capabilities"]["drop"][0], "ALL");
        }
        for volume in pod["volumes"].as_array().unwrap() {
            assert!(volume.get("hostPath").is_none());
        }
    }
}

#[test]
fn objects_come_after_what_they_need() {
    let objects = objects(&settings());
    let first = |kind: &str| objects.iter().position(|object| object["kind"] == kind).unwrap();
    let last = |kind: &str| objects.iter().rposition(|object| object["kind"] == kind).unwrap();
    assert_eq!(first("Namespace"), 0);
    assert!(last("CustomResourceDefinition") < first("ConnectedCluster"));
    assert!(last("ServiceAccount") < first("Deployment"));
    assert!(last("ConfigMap") < first("Deployment") && last("Secret") < first("Deployment"));
}

#[test]
fn crds_are_those_that_a_forced_delete_knows_and_more() {
    let crds = custom_resource_definitions();
    let names: BTreeSet<&str> = crds.iter().map(name).collect();
    for known in [
        "arccertificates.clusterconfig.azure.com",
        "azureclusteridentityrequests.clusterconfig.azure.com",
        "azureextensionidentities.clusterconfig.azure.com",
        "connectedclusters.arc.azure.com",
        "customlocationsettings.clusterconfig.azure.com",
        "extensionconfigs.clusterconfig.azure.com",
        "gitconfigs.clusterconfig.azure.com",
    ] {
        assert!(names.contains(known), "{known}");
    }
    assert_eq!(names.len(), crds.len());
}

#[test]
fn schemas_are_structural() {
    fn check(schema: &Value, path: &str) {
        assert!(schema["type"].is_string(), "{path} has no type");
        for (name, field) in schema["properties"].as_object().into_iter().flatten() {
            check(field, &format!("{path}.{name}"));
        }
        if schema["type"] == "array" {
            check(&schema["items"], &format!("{path}[]"));
        }
    }
    for crd in custom_resource_definitions() {
        for version in crd["spec"]["versions"].as_array().unwrap() {
            check(&version["schema"]["openAPIV3Schema"], name(&crd));
        }
    }
}

#[test]
fn the_objects_read_as_the_kinds_they_claim_to_be() {
    use k8s_openapi::api::apps::v1::Deployment;
    use k8s_openapi::api::core::v1::{ConfigMap, Secret, Service};
    use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;

    for object in objects(&settings()) {
        let read = match object["kind"].as_str().unwrap() {
            "Deployment" => round_trip::<Deployment>(&object),
            "Secret" => round_trip::<Secret>(&object),
            "ConfigMap" => round_trip::<ConfigMap>(&object),
            "Service" => round_trip::<Service>(&object),
            "CustomResourceDefinition" => round_trip::<CustomResourceDefinition>(&object),
            _ => continue,
        };
        assert_eq!(read, object, "{}", name(&object));
    }
}

/// What is not a field of the kind gets lost on the way.
fn round_trip<T: serde::Serialize + serde::de::DeserializeOwned>(object: &Value) -> Value {
    serde_json::to_value(serde_json::from_value::<T>(object.clone()).unwrap()).unwrap()
}

#[test]
fn proxy_settings_become_secrets_only_when_given() {
    assert!(of_kind(&objects(&settings()), "Secret").iter().all(|secret| name(secret) != "proxy-config"));
    let mut behind = settings();
    behind.proxy.http = Some("http://proxy:3128".into());
    let objects = objects(&behind);
    let secret =
        of_kind(&objects, "Secret").into_iter().find(|secret| name(secret) == "proxy-config").unwrap();
    let keys: Vec<&String> = secret["data"].as_object().unwrap().keys().collect();
    assert_eq!(keys, ["HTTP_PROXY"]);
}

#[test]
fn the_key_is_not_shown() {
    let mut settings = settings();
    settings.private_key_pem = "very secret".into();
    assert!(!format!("{settings:?}").contains("very secret"));
}

fn crds_folder() -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/charts/azure-arc-k8sagents/crds")
}

#[test]
fn the_charts_crds_are_the_native_ones() {
    let mut found = BTreeSet::new();
    for crd in custom_resource_definitions() {
        let file = crds_folder().join(format!("{}.yaml", name(&crd)));
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(&file, serde_saphyr::to_string(&crd).unwrap()).unwrap();
        }
        let text = std::fs::read_to_string(&file).unwrap();
        assert_eq!(serde_saphyr::from_str::<Value>(&text).unwrap(), crd, "{}", file.display());
        found.insert(file);
    }
    let files: BTreeSet<_> = crds_folder().read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(files, found);
}
