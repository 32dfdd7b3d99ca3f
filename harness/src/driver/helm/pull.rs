//! Pulling a chart from a registry, with the requests that helm 3.17 sends.

use aws_lc_rs::digest::{SHA256, digest};
use bytes::Bytes;
use http::header::{ACCEPT, LOCATION};
use http::{Method, Request, Response, StatusCode};
use serde_json::Value;
use sim_core::net::HttpClient;

use super::Chart;

/// Media type of a chart's layer.
const LAYER: &str = "application/vnd.cncf.helm.chart.content.v1.tar+gzip";
const MANIFESTS: &str =
    "application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json, */*";

/// How many redirects are followed.
const REDIRECTS: u32 = 5;

/// The parts of a reference `HOST/REPOSITORY:TAG`. For the agents' chart a component `v2` is put before the repository's last one, as
/// the Azure CLI does.
fn parts(reference: &str, of_agents: bool) -> Option<(&str, String, &str)> {
    let (repository, tag) = reference.rsplit_once(':')?;
    let (host, path) = repository.split_once('/')?;
    let (folder, name) = path.rsplit_once('/')?;
    let between = if of_agents { "/v2/" } else { "/" };
    Some((host, format!("{folder}{between}{name}"), tag))
}

/// Pulls the chart of a reference. An error says what the registry or the network said.
pub(crate) async fn pull(http: &HttpClient, reference: &str, of_agents: bool) -> Result<Chart, String> {
    let (host, repository, tag) =
        parts(reference, of_agents).ok_or_else(|| format!("'{reference}' is not HOST/FOLDER/NAME:TAG"))?;
    let base = format!("https://{host}/v2/{repository}");
    let head = get(http, Method::HEAD, &format!("{base}/manifests/{tag}")).await?;
    let digest = head.headers().get("docker-content-digest").and_then(|value| value.to_str().ok());
    let digest = digest.ok_or_else(|| format!("{base}: the registry names no digest for {tag}"))?;
    let manifest = blob(http, &format!("{base}/manifests/{digest}"), digest).await?;
    let manifest: Value =
        serde_json::from_slice(&manifest).map_err(|error| format!("{base}: not a manifest: {error}"))?;
    let layers = manifest.get("layers").and_then(Value::as_array);
    let layer = layers.into_iter().flatten().find(|layer| layer["mediaType"] == LAYER);
    let described = |part: Option<&Value>| {
        let digest = part.and_then(|part| part.get("digest")?.as_str()).map(str::to_owned);
        digest.ok_or_else(|| format!("{base}: the manifest of {tag} describes no chart"))
    };
    let (layer, config) = (described(layer)?, described(manifest.get("config"))?);
    let archive = blob(http, &format!("{base}/blobs/{layer}"), &layer).await?;
    blob(http, &format!("{base}/blobs/{config}"), &config).await?;
    Chart::read(&archive)
}

/// Content whose digest must be the given one.
async fn blob(http: &HttpClient, url: &str, wanted: &str) -> Result<Bytes, String> {
    let body = get(http, Method::GET, url).await?.into_body();
    let hash = digest(&SHA256, &body);
    let found = hash.as_ref().iter().fold("sha256:".to_owned(), |text, byte| format!("{text}{byte:02x}"));
    if found == wanted { Ok(body) } else { Err(format!("{url}: the content has the digest {found}")) }
}

async fn get(http: &HttpClient, method: Method, url: &str) -> Result<Response<Bytes>, String> {
    let mut url = url.to_owned();
    for _ in 0..=REDIRECTS {
        let request = Request::builder().method(method.clone()).uri(&url).header(ACCEPT, MANIFESTS);
        let request = request.body(Bytes::new()).map_err(|error| format!("{url}: {error}"))?;
        let reply = http.send(request).await.map_err(|error| format!("{method} {url}: {error}"))?;
        match reply.status() {
            status if status.is_success() => return Ok(reply),
            StatusCode::MOVED_PERMANENTLY | StatusCode::FOUND | StatusCode::TEMPORARY_REDIRECT => {
                let target = reply.headers().get(LOCATION).and_then(|value| value.to_str().ok());
                url = target.ok_or_else(|| format!("{url}: a redirect to nowhere"))?.to_owned();
            }
            status => {
                let text = String::from_utf8_lossy(reply.body()).into_owned();
                let text: Value = serde_json::from_str(&text).unwrap_or(Value::Null);
                let said =
                    text.pointer("/errors/0/message").and_then(Value::as_str).unwrap_or("no reason given");
                return Err(format!("{method} {url}: {status}: {said}"));
            }
        }
    }
    Err(format!("{url}: more than {REDIRECTS} redirects"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_azure_clis_folder_is_put_in() {
        let found =
            parts("mcr.microsoft.com/azurearck8s/batch1/stable/azure-arc-k8sagents:1.37.2", true).unwrap();
        assert_eq!(
            found,
            ("mcr.microsoft.com", "azurearck8s/batch1/stable/v2/azure-arc-k8sagents".to_owned(), "1.37.2")
        );
        assert!(parts("azure-arc-k8sagents", true).is_none());
        assert_eq!(parts("h/a/b:1", false).unwrap().1, "a/b");
    }
}
