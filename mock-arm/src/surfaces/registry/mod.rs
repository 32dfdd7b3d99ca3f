//! The container registry `mcr.microsoft.com`, as far as onboarding pulls from it: the agents' chart, the chart of the
//! pre-onboarding checks, and, where this machine has them, the helm client and the cluster connect proxy.
//!
//! It speaks the pulling half of the OCI distribution specification (1.1): the version check, manifests by tag and
//! digest, blobs with byte ranges, lists of tags. Like the real registry it needs no login, and it sends whoever asks
//! for a blob on to a data host, so that a network which lets only `mcr.microsoft.com` through fails as it does in
//! reality. Nothing can be pushed, and images are not there: nodes have them.

use http::Method;
use percent_encoding::percent_decode_str;
use serde_json::json;

use super::SurfaceRequest;
use super::params::Params;
use super::reply::{SurfaceReply, error_reply};
use crate::surfaces::Surface;
use crate::world::World;

mod archive;
mod artefact;
mod blob;
mod catalog;
mod charts;
mod path;

pub use artefact::Cache;

use artefact::Artefact;
use path::Endpoint;

/// The host whose blobs are elsewhere.
const FRONT_HOST: &str = "mcr.microsoft.com";

/// Where its blobs are. The real registry has one such host a region; which one serves is its own choice.
const DATA_HOST: &str = "eastus.data.mcr.microsoft.com";

/// Answers a request to the registry.
pub(crate) fn answer(world: &World, request: SurfaceRequest<'_>) -> SurfaceReply {
    let path = percent_decode_str(request.path).decode_utf8_lossy();
    let Some(endpoint) = Endpoint::parse(&path) else {
        return refuse(404, "NOT_FOUND", format!("'{}' is no path of a registry", request.path));
    };
    if !matches!(*request.method, Method::GET | Method::HEAD) {
        let message =
            format!("{} is not supported: this simulated registry can only be pulled from", request.method);
        return refuse(405, "UNSUPPORTED", message).with("allow", "GET, HEAD");
    }
    let reply = match endpoint {
        Endpoint::Root => SurfaceReply::json(200, &json!({})),
        Endpoint::Catalog => {
            let names: Vec<String> = catalog::repositories(world).into_iter().map(|one| one.name).collect();
            SurfaceReply::json(200, &json!({ "repositories": names }))
        }
        Endpoint::Tags { name } => tags(world, name, request.query),
        Endpoint::Manifest { name, reference } => manifest(world, name, reference),
        Endpoint::Blob { name, digest } => blob(world, name, digest, request),
    };
    reply.with("docker-distribution-api-version", "registry/2.0")
}

/// An error in the registry's own form.
fn refuse(status: u16, code: &str, message: impl AsRef<str>) -> SurfaceReply {
    error_reply(Surface::Registry, status, code, message.as_ref())
}

fn unknown_name(world: &World, name: &str) -> SurfaceReply {
    let names: Vec<String> = catalog::repositories(world).into_iter().map(|one| one.name).collect();
    let message = format!(
        "repository '{name}' is not known to this simulated registry, which has: {}",
        names.join(", ")
    );
    refuse(404, "NAME_UNKNOWN", message)
}

fn tags(world: &World, name: &str, query: &str) -> SurfaceReply {
    let Some(repository) = catalog::find(world, name) else { return unknown_name(world, name) };
    let params = Params::parse(query.as_bytes());
    let mut tags: Vec<String> = repository.artefacts.into_iter().map(|(tag, _)| tag).collect();
    tags.sort();
    if let Some(last) = params.get("last") {
        tags.retain(|tag| tag.as_str() > last);
    }
    let limit = params.get("n").and_then(|limit| limit.parse::<usize>().ok());
    let more = limit.is_some_and(|limit| limit < tags.len());
    tags.truncate(limit.unwrap_or(usize::MAX));
    let next = more.then(|| tags.last().cloned()).flatten();
    let reply = SurfaceReply::json(200, &json!({ "name": name, "tags": tags }));
    match (next, limit) {
        (Some(last), Some(limit)) => {
            reply.with("link", format!("</v2/{name}/tags/list?last={last}&n={limit}>; rel=\"next\""))
        }
        _ => reply,
    }
}

fn manifest(world: &World, name: &str, reference: &str) -> SurfaceReply {
    let Some(repository) = catalog::find(world, name) else { return unknown_name(world, name) };
    let wanted = |(tag, source): &(String, catalog::Source)| {
        if reference.contains(':') {
            let found = world.artefacts.get(tag, source).ok()?;
            return (found.digest() == reference).then_some(found);
        }
        (tag == reference).then(|| world.artefacts.get(tag, source).ok()).flatten()
    };
    match repository.artefacts.iter().find_map(wanted) {
        Some(found) => serve_manifest(&found),
        None => {
            let tags: Vec<&str> = repository.artefacts.iter().map(|(tag, _)| tag.as_str()).collect();
            let message =
                format!("manifest '{reference}' is unknown; '{name}' has the tags {}", tags.join(", "));
            refuse(404, "MANIFEST_UNKNOWN", message)
        }
    }
}

fn serve_manifest(artefact: &Artefact) -> SurfaceReply {
    let digest = artefact.digest().to_owned();
    SurfaceReply {
        status: 200,
        headers: vec![("etag", format!("\"{digest}\"")), ("docker-content-digest", digest)],
        body: artefact.manifest(),
        content_type: artefact::MANIFEST,
    }
}

fn blob(world: &World, name: &str, digest: &str, request: SurfaceRequest<'_>) -> SurfaceReply {
    let Some(repository) = catalog::find(world, name) else { return unknown_name(world, name) };
    let found = repository.artefacts.iter().find_map(|(tag, source)| {
        let artefact = world.artefacts.get(tag, source).ok()?;
        artefact.blob(digest)
    });
    let Some(bytes) = found else {
        return refuse(404, "BLOB_UNKNOWN", format!("blob '{digest}' is unknown to '{name}'"));
    };
    if request.host == FRONT_HOST && request.method == Method::GET {
        let location = format!("https://{DATA_HOST}{}", request.path);
        return SurfaceReply::text(307, "").with("location", location);
    }
    blob::serve(&bytes, digest, request.header("range"))
}

#[cfg(test)]
mod tests;
