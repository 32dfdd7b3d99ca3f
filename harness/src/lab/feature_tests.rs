use http::Method;
use serde_json::{Value, json};

use super::*;
use crate::driver::{Code, FeatureOptions, Stage};

const HYBRID: &str = "Microsoft.HybridCompute";

fn run(test: impl AsyncFn(Lab)) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(Box::pin(async {
        let lab = Lab::start(LabOptions::default()).await.unwrap();
        lab.azure().register(HYBRID).await.unwrap();
        let registered =
            async || lab.azure().provider(HYBRID).await.unwrap()["registrationState"] == "Registered";
        lab.until(Duration::from_secs(1200), registered).await.unwrap();
        lab.azure().create_group("arc", LOCATION).await.unwrap();
        test(lab).await;
    }));
}

fn options(features: FeatureOptions) -> OnboardOptions {
    OnboardOptions { features, checks: false, ..OnboardOptions::new("edge", "arc") }
}

/// Makes something of `Microsoft.HybridCompute` and returns its id.
async fn made(lab: &Lab, kind: &str, name: &str, location: &str) -> String {
    let subscription = &lab.azure().credentials().subscription;
    let id = format!("/subscriptions/{subscription}/resourceGroups/arc/providers/{HYBRID}/{kind}/{name}");
    let body = json!({ "location": location, "properties": {} });
    lab.azure().rest(Method::PUT, &id, "2025-02-19-preview", Some(&body), true).await.unwrap();
    id
}

async fn deployments(lab: &Lab) -> Vec<String> {
    let list = lab.cluster.get("/apis/apps/v1/namespaces/azure-arc/deployments").await.unwrap();
    let name = |it: &Value| it["metadata"]["name"].as_str().unwrap().to_owned();
    list["items"].as_array().unwrap().iter().map(name).collect()
}

#[test]
fn private_link_needs_a_scope_in_the_clusters_region_and_leaves_cluster_connect_out() {
    run(async |lab| {
        let linked = |scope: &str| {
            options(FeatureOptions {
                private_link: Some(true),
                private_link_scope: Some(scope.into()),
                ..FeatureOptions::default()
            })
        };
        let near = made(&lab, "privateLinkScopes", "near", "eastus").await;
        let far = made(&lab, "privateLinkScopes", "far", "westeurope").await;
        let error = lab.onboard_with(&linked(&near.replace("near", "none"))).await.unwrap_err();
        assert_eq!((error.stage, error.code), (Stage::PrivateLink, Code::INVALID_ARGUMENT), "{error}");
        let error = lab.onboard_with(&linked(&far)).await.unwrap_err();
        assert_eq!((error.stage, error.code), (Stage::PrivateLink, Code::SCOPE_LOCATION), "{error}");
        let onboarded = lab.onboard_with(&linked(&near)).await.unwrap();
        let properties = &onboarded.resource["properties"];
        assert_eq!(properties["privateLinkState"], "Enabled");
        assert_eq!(properties["privateLinkScopeResourceId"], near);
        let all = deployments(&lab).await;
        assert!(all.contains(&"config-agent".into()), "{all:?}");
        assert!(!all.contains(&"clusterconnect-agent".into()), "{all:?}");
        let error = lab.onboard_with(&linked(&near)).await.unwrap_err();
        assert!(error.what.contains("not modelled"), "{error}");
        lab.close().await;
    });
}

#[test]
fn a_gateway_is_tied_to_the_resource_and_then_switched_on_there() {
    run(async |lab| {
        let through = |gateway: &str| {
            options(FeatureOptions { gateway: Some(gateway.into()), ..FeatureOptions::default() })
        };
        let id = made(&lab, "gateways", "w", "eastus").await;
        let onboarded = lab.onboard_with(&through(&id)).await.unwrap();
        assert_eq!(onboarded.resource["properties"]["gateway"], json!({ "enabled": true }));
        let path = format!("{}/providers/{HYBRID}/settings/default", lab.azure().cluster_id("arc", "edge"));
        let (_, link) =
            lab.azure().rest(Method::GET, &path, "2025-02-19-preview", None, false).await.unwrap();
        assert_eq!(link["properties"]["gatewayProperties"]["gatewayResourceId"], id);
        lab.offboard("edge", "arc").await.unwrap();
        let error = lab.onboard_with(&through(&id.replace("/w", "/none"))).await.unwrap_err();
        assert_eq!((error.stage, error.code), (Stage::Gateway, Code::INVALID_GATEWAY), "{error}");
        lab.close().await;
    });
}

#[test]
fn workload_identity_and_the_issuer_are_written_and_their_outcome_is_waited_for() {
    run(async |lab| {
        let mut wanted = options(FeatureOptions {
            oidc_issuer: true,
            workload_identity: true,
            ..FeatureOptions::default()
        });
        wanted.distribution = Some("gke".into());
        let error = lab.onboard_with(&wanted).await.unwrap_err();
        assert!(error.what.starts_with("Self hosted issuer is required"), "{error}");
        wanted.distribution = None;
        let properties = lab.onboard_with(&wanted).await.unwrap().resource["properties"].clone();
        assert_eq!(properties["oidcIssuerProfile"]["enabled"], true);
        assert_eq!(properties["securityProfile"]["workloadIdentity"]["enabled"], true);
        let key = "/apis/clusterconfig.azure.com/v1beta1/namespaces/azure-arc/signingkeys/signingkey";
        assert!(lab.cluster.find(key).await.unwrap().is_some());
        lab.close().await;
    });
}

async fn document(lab: &Lab, url: &str) -> Value {
    let request = http::Request::get(url).body(bytes::Bytes::new()).unwrap();
    let reply = lab.net().http().send(request).await.unwrap();
    assert_eq!(reply.status(), 200, "{url}");
    serde_json::from_slice(reply.body()).unwrap()
}

#[test]
fn the_agents_report_the_clusters_issuer_whose_documents_azure_publishes() {
    run(async |lab| {
        let wanted = options(FeatureOptions { oidc_issuer: true, ..FeatureOptions::default() });
        lab.onboard_with(&wanted).await.unwrap();
        let issuer = async || {
            let cluster = lab.azure().cluster("arc", "edge", ApiVersion::CLUSTERS.0).await.unwrap().unwrap();
            cluster["properties"]["oidcIssuerProfile"]["issuerUrl"].as_str().map(str::to_owned)
        };
        assert_eq!(issuer().await, None);
        lab.until(Duration::from_secs(1200), async || issuer().await.is_some()).await.unwrap();
        let issuer = issuer().await.unwrap();
        let configuration = document(&lab, &format!("{issuer}.well-known/openid-configuration")).await;
        assert_eq!(configuration["issuer"], issuer);
        let published = document(&lab, configuration["jwks_uri"].as_str().unwrap()).await;
        let own = lab.cluster.get("/openid/v1/jwks").await.unwrap();
        assert!(!own["keys"].as_array().unwrap().is_empty());
        assert_eq!(published, own);
        lab.close().await;
    });
}
