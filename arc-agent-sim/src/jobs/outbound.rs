//! Whether hosts of the Internet answer, as `curl -w '%{http_code}'` says it.

use std::time::Duration;

use bytes::Bytes;
use http::Request;

use super::Surroundings;

/// How long a host may take to answer (wall time). The whole job has a minute before the Azure CLI gives up.
const PATIENCE: Duration = Duration::from_secs(10);

/// The code for "no HTTP answer at all".
pub(super) const NONE: &str = "000";

/// The HTTP status with which a URL answers, whatever it is; [`NONE`] without an answer. A proxy that refuses the
/// tunnel gives no answer of the host.
pub(super) async fn code(surroundings: &Surroundings, url: &str) -> String {
    let Ok(request) = Request::get(url).body(Bytes::new()) else { return NONE.into() };
    let http = surroundings.net.http();
    match surroundings.clock.wall_timeout(PATIENCE, http.send(request)).await {
        Ok(Ok(reply)) => reply.status().as_u16().to_string(),
        Ok(Err(_)) | Err(_) => NONE.into(),
    }
}

/// The codes of several URLs, asked at the same time, in their order.
pub(super) async fn codes(surroundings: &Surroundings, urls: &[String]) -> Vec<String> {
    futures::future::join_all(urls.iter().map(|url| code(surroundings, url))).await
}

/// One code for all: [`NONE`] when one host gave none, else the last one's.
pub(super) fn worst(codes: &[String]) -> &str {
    if codes.iter().any(|code| code == NONE) { NONE } else { codes.last().map_or(NONE, String::as_str) }
}
