//! Calls to the Arc data plane.

use arm_wire::agent::{AgentCall, ClusterPath};
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderValue, Request};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::agent::Agent;
use crate::error::CallError;

/// Largest reply that agents take (public agent sources).
const LARGEST: usize = 1 << 20;

/// A GET, read as JSON.
pub(crate) async fn get<T: DeserializeOwned>(
    agent: &Agent,
    token: &str,
    call: AgentCall,
) -> Result<T, CallError> {
    let body = exchange(agent, token, call, Bytes::new()).await?;
    serde_json::from_slice(&body)
        .map_err(|error| CallError::Unreadable(call.path().into(), error.to_string()))
}

/// A POST of JSON, whose reply is read as JSON.
pub(crate) async fn ask<T: DeserializeOwned>(
    agent: &Agent,
    token: &str,
    call: AgentCall,
    body: &impl Serialize,
) -> Result<T, CallError> {
    let unreadable = |error: serde_json::Error| CallError::Unreadable(call.path().into(), error.to_string());
    let body = serde_json::to_vec(body).map_err(unreadable)?;
    let reply = exchange(agent, token, call, body.into()).await?;
    serde_json::from_slice(&reply).map_err(unreadable)
}

/// A POST of JSON; what the reply says beyond success does not matter.
pub(crate) async fn post(
    agent: &Agent,
    token: &str,
    call: AgentCall,
    body: &impl Serialize,
) -> Result<(), CallError> {
    let body = serde_json::to_vec(body)
        .map_err(|error| CallError::Unreadable(call.path().into(), error.to_string()))?;
    exchange(agent, token, call, body.into()).await.map(drop)
}

async fn exchange(agent: &Agent, token: &str, call: AgentCall, body: Bytes) -> Result<Bytes, CallError> {
    let config = &agent.config;
    let cluster =
        ClusterPath { subscription: &config.subscription, group: &config.resource_group, name: &config.name };
    let url = format!("{}{}", config.data_plane(), cluster.path(call));
    let unusable = |reason: String| CallError::Unreadable(url.clone(), reason);
    let mut bearer =
        HeaderValue::try_from(format!("Bearer {token}")).map_err(|error| unusable(error.to_string()))?;
    bearer.set_sensitive(true);
    let request = if call.is_post() { Request::post(&url) } else { Request::get(&url) }
        .header(AUTHORIZATION, bearer)
        .header(CONTENT_TYPE, "application/json")
        .body(body)
        .map_err(|error| unusable(error.to_string()))?;
    let reply = agent.fetch(request).await?;
    if reply.len() > LARGEST {
        return Err(unusable(format!("the reply has {} bytes, more than {LARGEST}", reply.len())));
    }
    Ok(reply)
}
