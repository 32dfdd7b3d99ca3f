//! What every role is given, and how a role is run.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use sim_core::clock::Clock;
use sim_core::net::{HttpClient, Net};
use tokio_util::sync::CancellationToken;

use crate::config::AgentConfig;
use crate::error::{AgentError, CallError};
use crate::log::AgentLog;
use crate::role::Role;
use crate::roles;

/// How long an agent waits for one reply.
const REPLY_LIMIT: Duration = Duration::from_secs(30);

/// What a role needs to run. The role is the same whether it is a task, a child process or a container.
#[derive(Clone)]
pub struct RoleContext {
    /// The world's clock.
    pub clock: Clock,
    /// How it reaches Azure.
    pub net: Net,
    /// How it reaches the API server of its cluster.
    pub kube: kube::Client,
    /// Which cluster it belongs to, and the rest of its environment.
    pub config: AgentConfig,
    /// Where its log goes.
    pub log: AgentLog,
    /// Ends it at once.
    pub shutdown: CancellationToken,
}

impl fmt::Debug for RoleContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RoleContext").field("config", &self.config).finish_non_exhaustive()
    }
}

/// What the roles work with. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Agent {
    pub(crate) role: Role,
    pub(crate) clock: Clock,
    pub(crate) kube: kube::Client,
    pub(crate) config: AgentConfig,
    pub(crate) log: AgentLog,
    pub(crate) net: Net,
    http: HttpClient,
}

/// Runs a role until its shutdown token is cancelled. What it calls and fails to reach is logged and tried again with
/// growing pauses of world time, without end.
///
/// # Errors
/// [`AgentError`] when the role cannot do its work at all: a port that it must serve is taken.
pub async fn run(role: Role, context: RoleContext) -> Result<(), AgentError> {
    let RoleContext { clock, net, kube, config, log, shutdown } = context;
    let agent = Agent { role, clock, kube, config, log, http: net.http(), net };
    tokio::select! {
        biased;
        () = shutdown.cancelled() => Ok(()),
        ended = roles::run(&agent) => ended.map(|never| match never {}),
    }
}

impl Agent {
    /// Sends a request and takes the reply, whatever its status.
    pub(crate) async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, CallError> {
        let url = request.uri().to_string();
        match self.patient(self.http.send(request)).await {
            Some(reply) => Ok(reply?),
            None => Err(CallError::Late(without_query(&url).to_owned(), REPLY_LIMIT.as_secs())),
        }
    }

    /// Waits for a reply for as long as an agent does: wall time, or world time where it is held back on purpose by a fault of
    /// this very process.
    async fn patient<T>(&self, reply: impl Future<Output = T>) -> Option<T> {
        let before = self.clock.stalls();
        tokio::pin!(reply);
        tokio::select! {
            biased;
            reply = &mut reply => return Some(reply),
            () = self.clock.stalled(before) => {}
            () = self.clock.wall_sleep(REPLY_LIMIT) => return None,
        }
        let resting = self.clock.rest();
        let (reply, busy) = tokio::select! {
            biased;
            reply = &mut reply => (Some(reply), None),
            busy = self.clock.sleep(REPLY_LIMIT) => (None, Some(busy)),
        };
        drop(resting);
        drop(busy);
        reply
    }

    /// Sends a request and takes the body of a successful reply.
    pub(crate) async fn fetch(&self, request: Request<Bytes>) -> Result<Bytes, CallError> {
        let url = request.uri().to_string();
        let reply = self.send(request).await?;
        let status = reply.status();
        if status.is_success() {
            return Ok(reply.into_body());
        }
        let message = refusal(reply.body());
        Err(CallError::Refused { url: without_query(&url).to_owned(), status: status.as_u16(), message })
    }

    /// As [`Agent::fetch`], read as JSON.
    pub(crate) async fn fetch_json<T: serde::de::DeserializeOwned>(
        &self,
        request: Request<Bytes>,
    ) -> Result<T, CallError> {
        let url = request.uri().to_string();
        let body = self.fetch(request).await?;
        serde_json::from_slice(&body)
            .map_err(|error| CallError::Unreadable(without_query(&url).to_owned(), error.to_string()))
    }
}

fn without_query(url: &str) -> &str {
    url.split('?').next().unwrap_or(url)
}

/// Code and text of an ARM error body or an OAuth refusal; else the beginning of the text.
fn refusal(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let parsed: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
    let field = |value: &serde_json::Value, name: &str| value[name].as_str().map(str::to_owned);
    if let (Some(code), Some(message)) = (field(&parsed["error"], "code"), field(&parsed["error"], "message"))
    {
        return format!("{code}: {message}");
    }
    if let Some(description) = field(&parsed, "error_description") {
        return description;
    }
    text.chars().take(200).collect::<String>().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_told_in_the_words_of_whoever_refused() {
        assert_eq!(
            refusal(br#"{"error":{"code":"ResourceNotFound","message":"gone"}}"#),
            "ResourceNotFound: gone"
        );
        assert_eq!(refusal(br#"{"error":"invalid_client","error_description":"AADSTS7000"}"#), "AADSTS7000");
        assert_eq!(refusal(b" <html>proxy</html>\n"), "<html>proxy</html>");
        assert_eq!(without_query("https://a/b?c=d"), "https://a/b");
    }
}
