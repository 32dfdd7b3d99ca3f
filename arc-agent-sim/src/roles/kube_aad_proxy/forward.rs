//! From a caller's request to one of the API server, and back.

use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;
use kube::client::Body;
use serde_json::json;
use sim_core::net::splice;

use super::token::{User, Verifier, is_of_entra};
use crate::agent::Agent;

/// The largest body that an API server takes.
const LARGEST: usize = 3 << 20;

/// Headers by which a caller acts as somebody else.
const IMPERSONATE: &str = "impersonate-";

/// Hands requests on.
pub(super) struct Forwarder {
    agent: Agent,
    verifier: Verifier,
}

/// As whom the API server is asked.
enum As {
    /// As this user, by the proxy's own right to impersonate.
    User(User),
    /// As whoever the cluster's own token is for.
    Token,
}

impl Forwarder {
    pub(super) fn new(agent: Agent) -> Self {
        Self { agent, verifier: Verifier::default() }
    }

    /// Answers a request in the API server's words, or refuses it in words of the same form.
    pub(super) async fn answer(&self, mut request: Request<Incoming>) -> Response<Body> {
        let caller = {
            let _busy = self.agent.clock.busy();
            self.caller(request.headers()).await
        };
        let caller = match caller {
            Ok(caller) => caller,
            Err(why) => {
                self.agent.log.warn(format!("Refused a cluster connect request: {{{why}}}"));
                return refusal(StatusCode::UNAUTHORIZED, "Unauthorized", &why);
            }
        };
        prepare(request.headers_mut(), &caller);
        let upgrade = request.extensions_mut().remove::<OnUpgrade>();
        let (head, body) = request.into_parts();
        let Ok(body) = Limited::new(body, LARGEST).collect().await else {
            let why = "the body of the request is broken, or larger than the API server takes";
            return refusal(StatusCode::PAYLOAD_TOO_LARGE, "RequestEntityTooLarge", why);
        };
        let request = Request::from_parts(head, Body::from(body.to_bytes()));
        match self.agent.kube.send(request).await {
            Ok(mut response) => {
                if response.status() == StatusCode::SWITCHING_PROTOCOLS {
                    let server = hyper::upgrade::on(&mut response);
                    tokio::spawn(splice(upgrade, server));
                }
                response
            }
            Err(error) => {
                self.agent.log.error(format!("The API server cannot be asked: {{{error}}}"));
                refusal(StatusCode::BAD_GATEWAY, "ServiceUnavailable", &error.to_string())
            }
        }
    }

    async fn caller(&self, headers: &HeaderMap) -> Result<As, String> {
        let shown = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let (scheme, token) =
            shown.and_then(|shown| shown.trim().split_once(' ')).ok_or("the request shows no token")?;
        if scheme.eq_ignore_ascii_case("pop") {
            return self.verifier.user(&self.agent, token.trim()).await.map(As::User);
        }
        if !scheme.eq_ignore_ascii_case("bearer") {
            return Err(format!("the authorization scheme '{scheme}' is not known"));
        }
        if is_of_entra(token.trim()) {
            return Err("a token of Entra ID needs a proof of possession".into());
        }
        Ok(As::Token)
    }
}

fn prepare(headers: &mut HeaderMap, caller: &As) {
    headers.remove(HOST);
    let As::User(user) = caller else { return };
    headers.remove(AUTHORIZATION);
    // Only the proxy says as whom it asks.
    let own: Vec<HeaderName> =
        headers.keys().filter(|name| name.as_str().starts_with(IMPERSONATE)).cloned().collect();
    for name in own {
        headers.remove(name);
    }
    for (name, value) in [("impersonate-user", &user.name), ("impersonate-extra-oid", &user.oid)] {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
}

/// A refusal as the API server words them.
fn refusal(status: StatusCode, reason: &str, message: &str) -> Response<Body> {
    let body = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": message, "reason": reason, "code": status.as_u16(),
    });
    let mut response = Response::new(Body::from(body.to_string().into_bytes()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_cannot_become_somebody_else_by_headers_of_its_own() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("authorization", "PoP x"),
            ("impersonate-user", "root"),
            ("impersonate-group", "system:masters"),
        ] {
            headers.insert(name, value.parse().unwrap());
        }
        let mut own = headers.clone();
        prepare(&mut headers, &As::User(User { name: "o".into(), oid: "o".into() }));
        assert_eq!(headers["impersonate-user"], "o");
        assert!(!headers.contains_key("impersonate-group") && !headers.contains_key("authorization"));
        prepare(&mut own, &As::Token);
        assert_eq!(own["impersonate-user"], "root");
    }
}
