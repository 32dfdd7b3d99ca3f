//! Paths that name no resource: version, health, discovery, schemas, keys.

use axum::response::Response;
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};

use super::request_info::{Query, RequestInfo};
use super::{Server, negotiate, render};
use crate::auth::ISSUER;
use crate::discovery;
use crate::registry::Registry;
use crate::status::Status;

/// Answers a request about such a path. Of one that is not there the real server says so in a `Status` below the
/// built-in APIs, and in plain text elsewhere.
pub(super) async fn answer(
    server: &Server,
    info: &RequestInfo,
    query: &Query,
    headers: &HeaderMap,
) -> Result<Response, Status> {
    let answer = document(server, info, query, headers).await;
    let missing = answer.as_ref().is_err_and(|status| *status == Status::no_such_path());
    if missing && !is_known(server.api.registry(), &info.path) {
        return Ok(render::page_not_found());
    }
    answer
}

async fn document(
    server: &Server,
    info: &RequestInfo,
    query: &Query,
    headers: &HeaderMap,
) -> Result<Response, Status> {
    let no_head = ["/version", "/api"].contains(&info.path.trim_end_matches('/'));
    if info.verb != "get" && (info.verb != "head" || no_head) {
        return Err(Status::method_not_allowed());
    }
    let gzip = render::takes_gzip(headers);
    let path = info.path.trim_end_matches('/');
    let json = |value: &Value| Ok(render::json(StatusCode::OK, value, gzip));
    let accept = headers.get(http::header::ACCEPT).and_then(|value| value.to_str().ok());
    let registry = server.api.registry();
    let steps: Vec<&str> = path.split('/').skip(1).collect();
    match steps.as_slice() {
        ["version"] => json(&discovery::version()),
        ["healthz" | "livez" | "readyz", ..] => Ok(health(&steps, query)),
        ["api" | "apis"] if negotiate::aggregated_discovery(accept).is_some() => {
            let version = negotiate::aggregated_discovery(accept).unwrap_or("v2");
            let core = path == "/api";
            let document = discovery::aggregated(registry, core, version);
            let media =
                format!("application/json;g=apidiscovery.k8s.io;v={version};as=APIGroupDiscoveryList");
            Ok(render::bytes(StatusCode::OK, &media, render::to_bytes(&document), gzip))
        }
        ["api"] => json(&discovery::core_versions(&server.address)),
        ["apis"] => json(&discovery::groups(registry)),
        ["api", version] => {
            json(&discovery::resources(registry, "", version).ok_or_else(Status::no_such_path)?)
        }
        ["apis", group] => json(&discovery::group(registry, group).ok_or_else(Status::no_such_path)?),
        ["apis", group, version] => {
            json(&discovery::resources(registry, group, version).ok_or_else(Status::no_such_path)?)
        }
        ["openapi", "v2"] => openapi_v2(server, accept, gzip),
        ["openapi", "v3"] => {
            let index = server.api.schemas().openapi_v3_index(registry);
            Ok(render::bytes(StatusCode::OK, "application/json", index.to_vec(), gzip))
        }
        ["openapi", "v3", rest @ ..] => {
            let document = server.api.schemas().openapi_v3(registry, &rest.join("/"));
            let document = document.ok_or_else(Status::no_such_path)?;
            Ok(render::bytes(StatusCode::OK, "application/json", document.to_vec(), gzip))
        }
        [".well-known", "openid-configuration"] => json(&json!({
            "issuer": ISSUER, "jwks_uri": format!("https://{}/openid/v1/jwks", server.address),
            "response_types_supported": ["id_token"], "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
        })),
        ["openid", "v1", "jwks"] => json(&server.tokens.jwks().await?),
        [] | [""] => json(&discovery::paths(registry)),
        ["metrics"] => Err(Status::not_modelled("the API server's /metrics")),
        ["logs" | "debug", ..] => Err(Status::not_modelled(&format!("{path} of the API server"))),
        _ => Err(Status::no_such_path()),
    }
}

/// Whether a path is below an API that is built in.
fn is_known(registry: &Registry, path: &str) -> bool {
    let steps: Vec<&str> = path.split('/').skip(1).collect();
    match steps.as_slice() {
        ["api" | "version", ..] => true,
        ["apis", group, ..] => is_builtin(registry, group),
        _ => false,
    }
}

/// Whether a group is built in: the core one, or one that no definition made.
pub(super) fn is_builtin(registry: &Registry, group: &str) -> bool {
    registry.all().iter().any(|kind| kind.builtin && kind.group == group)
}

fn health(steps: &[&str], query: &Query) -> Response {
    let name = steps.first().copied().unwrap_or_default();
    let text = if query.get("verbose").is_some() && steps.len() == 1 {
        format!("[+]ping ok\n[+]ledger ok\n{name} check passed\n")
    } else {
        "ok".to_owned()
    };
    render::text(StatusCode::OK, text)
}

/// JSON, or the protobuf form that Go clients ask for.
fn openapi_v2(server: &Server, accept: Option<&str>, gzip: bool) -> Result<Response, Status> {
    const PROTOBUF: &str = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf";
    let (schemas, registry) = (server.api.schemas(), server.api.registry());
    let first = accept.unwrap_or_default().split([',', ';']).next().unwrap_or_default().trim();
    match first {
        "" | "*/*" | "application/json" => {
            let document = schemas.openapi_v2(registry);
            Ok(render::bytes(StatusCode::OK, "application/json", document.to_vec(), gzip))
        }
        PROTOBUF | "application/com.github.proto-openapi.spec.v2@v1.0+protobuf" => {
            let document = schemas.openapi_v2_protobuf(registry);
            Ok(render::bytes(StatusCode::OK, PROTOBUF, document.to_vec(), gzip))
        }
        other => Err(Status::not_acceptable(format!(
            "only the following media types are accepted: application/json, {PROTOBUF} (got {other})"
        ))),
    }
}
