//! The cloud metadata document, `GET /metadata/endpoints`: how clients learn the addresses of a cloud.
//!
//! Two forms, by how the caller addressed us. As `management.azure.com`: the public cloud's document, without
//! `dataplaneEndpoints`. As any address or name of our own: a custom cloud whose every endpoint is that address, with
//! `dataplaneEndpoints`, so that the Arc extension of the Azure CLI passes them on to the agents. No URL of the custom
//! cloud ends in a slash, because clients join them by plain concatenation.

use serde_json::{Value, json};

use super::params::Params;
use super::reply::{self, SurfaceReply};
use super::{Surface, SurfaceRequest};

/// The version from which on the document is one object instead of a list of clouds.
const OBJECT_SINCE: &str = "2022-09-01";

/// The version from which on the document is a list of whole clouds instead of the first, small form.
const LIST_SINCE: &str = "2018-05-01";

/// Answers a request for the document. No token is needed.
pub(crate) fn answer(request: SurfaceRequest<'_>) -> SurfaceReply {
    if request.method != http::Method::GET {
        return reply::not_modelled(Surface::Metadata, request);
    }
    let params = Params::parse(request.query.as_bytes());
    let Some(version) = params.get("api-version") else {
        let message = "The api-version query parameter (?api-version=) is required for all requests.";
        return SurfaceReply::error(400, "MissingApiVersionParameter", message);
    };
    let document = if request.is_custom_cloud() { custom(request.base_url) } else { public() };
    let date = version.get(..10).unwrap_or(version);
    let body = if date >= OBJECT_SINCE {
        document
    } else if date >= LIST_SINCE {
        Value::Array(vec![document])
    } else {
        small(&document)
    };
    SurfaceReply::json(200, &body)
}

fn public() -> Value {
    json!({
        "portal": "https://portal.azure.com",
        "authentication": {
            "loginEndpoint": "https://login.microsoftonline.com",
            "audiences": ["https://management.core.windows.net/", "https://management.azure.com/"],
            "tenant": "common",
            "identityProvider": "AAD",
        },
        "media": "https://rest.media.azure.net",
        "graphAudience": "https://graph.windows.net/",
        "graph": "https://graph.windows.net/",
        "name": "AzureCloud",
        "suffixes": {
            "acrLoginServer": "azurecr.io",
            "keyVaultDns": "vault.azure.net",
            "mhsmDns": "managedhsm.azure.net",
            "sqlServerHostname": "database.windows.net",
            "storage": "core.windows.net",
        },
        "batch": "https://batch.core.windows.net/",
        "resourceManager": "https://management.azure.com/",
        "vmImageAliasDoc": "https://raw.githubusercontent.com/Azure/azure-rest-api-specs/master/arm-compute/quickstart-templates/aliases.json",
        "sqlManagement": "https://management.core.windows.net:8443/",
        "microsoftGraphResourceId": "https://graph.microsoft.com/",
        "gallery": "https://gallery.azure.com/",
    })
}

fn custom(base: &str) -> Value {
    let base = base.trim_end_matches('/');
    json!({
        "portal": base,
        "authentication": {
            "loginEndpoint": base,
            "audiences": ["https://management.core.windows.net/", "https://management.azure.com/"],
            "tenant": "common",
            "identityProvider": "AAD",
        },
        "graphAudience": base,
        "graph": base,
        "name": "Dryarc",
        "suffixes": {"relayEndpointSuffix": ".servicebus.windows.net"},
        "resourceManager": base,
        "microsoftGraphResourceId": base,
        "dataplaneEndpoints": {
            "arcConfigEndpoint": base,
            "arcGlobalNotificationServiceEndpoint": base,
            "arcHybridIdentityServiceEndpoint": base,
        },
    })
}

/// The form of 2015-01-01, which older SDKs ask for.
fn small(document: &Value) -> Value {
    let field = |name: &str| document.get(name).cloned().unwrap_or_default();
    let authentication = |name: &str| document["authentication"].get(name).cloned().unwrap_or_default();
    json!({
        "galleryEndpoint": document.get("gallery").cloned().unwrap_or_else(|| field("resourceManager")),
        "graphEndpoint": field("graph"),
        "portalEndpoint": field("portal"),
        "authentication": {
            "loginEndpoint": authentication("loginEndpoint"),
            "audiences": authentication("audiences"),
        },
    })
}

#[cfg(test)]
mod tests {
    use crate::profile::Profile;
    use crate::surfaces::testing::Call;
    use crate::world::World;

    async fn get(url: &str) -> super::SurfaceReply {
        Call::new("GET", url).send(&World::for_tests(Profile::default())).await
    }

    #[tokio::test]
    async fn the_public_cloud_has_no_data_plane_endpoints_and_the_custom_one_no_trailing_slashes() {
        let url = "/metadata/endpoints?api-version=2022-09-01";
        let public = get(&format!("https://management.azure.com{url}")).await.value();
        assert!(public.get("dataplaneEndpoints").is_none());
        assert_eq!(public["authentication"]["loginEndpoint"], "https://login.microsoftonline.com");
        let custom = get(&format!("https://127.0.0.1:8443{url}")).await.value();
        for field in ["resourceManager", "microsoftGraphResourceId"] {
            assert_eq!(custom[field], "https://127.0.0.1:8443");
        }
        let endpoints = custom["dataplaneEndpoints"].as_object().unwrap();
        assert_eq!(endpoints.len(), 3);
        assert!(endpoints.values().all(|endpoint| endpoint == "https://127.0.0.1:8443"));
        assert!(custom["suffixes"]["relayEndpointSuffix"].is_string());
    }

    #[tokio::test]
    async fn older_versions_have_older_forms() {
        let url = "https://management.azure.com/metadata/endpoints";
        let list = get(&format!("{url}?api-version=2020-06-01")).await.value();
        assert_eq!(list[0]["name"], "AzureCloud");
        let small = get(&format!("{url}?api-version=2015-01-01")).await.value();
        assert_eq!(small["portalEndpoint"], "https://portal.azure.com");
        let missing = get(url).await;
        assert_eq!(
            (missing.status, missing.value()["error"]["code"].clone()),
            (400, "MissingApiVersionParameter".into())
        );
    }
}
