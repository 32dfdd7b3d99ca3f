//! How clients find their way in Entra ID: OpenID configuration and instance discovery.

use serde_json::json;

use super::super::SurfaceRequest;
use super::super::params::Params;
use super::super::reply::SurfaceReply;
use super::refusal::Refusal;
use super::tenant::Tenant;
use crate::world::World;

/// Which generation of endpoints a document speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Version {
    /// `/oauth2/token`, with `resource`.
    V1,
    /// `/oauth2/v2.0/token`, with `scope`.
    V2,
}

/// The OpenID configuration of a tenant, or of `common` and `organizations`. Endpoints that people's logins would need
/// are named, and refuse by name when they are called.
pub(crate) fn openid_configuration(
    tenant: &Tenant,
    version: Version,
    request: SurfaceRequest<'_>,
) -> SurfaceReply {
    let base = request.base_url;
    let segment = tenant.segment();
    let (oauth, keys, issuer) = match version {
        Version::V1 => {
            ("oauth2", "discovery/keys", format!("https://sts.windows.net/{}/", tenant.issuer_segment()))
        }
        Version::V2 => {
            ("oauth2/v2.0", "discovery/v2.0/keys", format!("{base}/{}/v2.0", tenant.issuer_segment()))
        }
    };
    let graph = if request.is_custom_cloud() { base } else { "https://graph.microsoft.com" };
    SurfaceReply::json(
        200,
        &json!({
            "token_endpoint": format!("{base}/{segment}/{oauth}/token"),
            "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt", "client_secret_basic"],
            "jwks_uri": format!("{base}/{segment}/{keys}"),
            "response_modes_supported": ["query", "fragment", "form_post"],
            "subject_types_supported": ["pairwise"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "response_types_supported": ["code", "id_token", "code id_token", "id_token token"],
            "scopes_supported": ["openid", "profile", "email", "offline_access"],
            "issuer": issuer,
            "request_uri_parameter_supported": false,
            "userinfo_endpoint": format!("{graph}/oidc/userinfo"),
            "authorization_endpoint": format!("{base}/{segment}/{oauth}/authorize"),
            "device_authorization_endpoint": format!("{base}/{segment}/{oauth}/devicecode"),
            "http_logout_supported": true,
            "frontchannel_logout_supported": true,
            "end_session_endpoint": format!("{base}/{segment}/{oauth}/logout"),
            "claims_supported": ["sub", "iss", "aud", "exp", "iat", "tid", "ver"],
            "tenant_region_scope": null,
            "cloud_instance_name": "microsoftonline.com",
            "cloud_graph_host_name": "graph.windows.net",
            "msgraph_host": "graph.microsoft.com",
        }),
    )
}

/// Names of the public cloud's authority.
const PUBLIC: [&str; 4] =
    ["login.microsoftonline.com", "login.windows.net", "login.microsoft.com", "sts.windows.net"];

/// Instance discovery: whether an authority is one, and where its OpenID configuration is. Authorities are the public
/// cloud's and the name by which the caller addressed us; MSAL drops the port of the authority it asks about, so that
/// one is answered with the address that the caller used.
pub(crate) fn instance(world: &World, request: SurfaceRequest<'_>) -> SurfaceReply {
    let params = Params::parse(request.query.as_bytes());
    let Some(endpoint) = params.get("authorization_endpoint") else {
        return Refusal::Missing("authorization_endpoint").reply(world, request);
    };
    let endpoint = endpoint.parse::<http::Uri>().unwrap_or_default();
    let host = endpoint.host().unwrap_or_default().to_ascii_lowercase();
    let segment = endpoint.path().trim_start_matches('/').split('/').next().unwrap_or_default();
    let base = if request.is_custom_cloud() && host == request.host {
        request.base_url.to_owned()
    } else if PUBLIC.contains(&host.as_str()) || host.ends_with(".login.microsoft.com") {
        format!("https://{host}")
    } else {
        return Refusal::UnknownInstance.reply(world, request);
    };
    SurfaceReply::json(
        200,
        &json!({
            "tenant_discovery_endpoint": format!("{base}/{segment}/v2.0/.well-known/openid-configuration"),
            "api-version": "1.1",
            "metadata": [{
                "preferred_network": "login.microsoftonline.com",
                "preferred_cache": "login.windows.net",
                "aliases": PUBLIC,
            }],
        }),
    )
}
