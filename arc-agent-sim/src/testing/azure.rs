//! Identity service, token endpoint and data plane, on loopback without TLS.

use std::sync::{Arc, Mutex};

use arm_wire::agent::{AgentCall, ClusterPath};
use http::StatusCode;
use serde_json::{Value, json};
use sim_core::clock::Clock;
use tokio::task::JoinHandle;

use crate::serve::{Reply, Request, Server};

#[derive(Debug, Default)]
struct State {
    /// What was asked: path and body.
    calls: Vec<(String, Value)>,
    /// Refuses everything with this status.
    refusal: Option<u16>,
}

/// Ends when dropped.
#[derive(Debug)]
pub(crate) struct Azure {
    address: std::net::SocketAddr,
    state: Arc<Mutex<State>>,
    task: JoinHandle<()>,
}

impl Drop for Azure {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Azure {
    pub(crate) async fn start(clock: &Clock) -> Self {
        let state = Arc::new(Mutex::new(State::default()));
        let server = Server::bind(([127, 0, 0, 1], 0).into()).await.unwrap();
        let address = server.address();
        let (base, shared, clock) = (format!("http://{address}"), state.clone(), clock.clone());
        let task = tokio::spawn(async move {
            let answer = move |request: Request| std::future::ready(answer(&base, &shared, &request));
            let _ = server.serve(&clock, answer).await;
        });
        Self { address, state, task }
    }

    pub(crate) fn address(&self) -> std::net::SocketAddr {
        self.address
    }

    pub(crate) fn base(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Refuses everything from now on, or serves again.
    pub(crate) fn refuse(&self, status: Option<u16>) {
        self.state.lock().unwrap().refusal = status;
    }

    /// The bodies of the calls to this path's end.
    pub(crate) fn bodies(&self, call: AgentCall) -> Vec<Value> {
        let state = self.state.lock().unwrap();
        state
            .calls
            .iter()
            .filter(|(path, _)| path.ends_with(call.path()))
            .map(|(_, body)| body.clone())
            .collect()
    }

    /// How many calls there were.
    pub(crate) fn count(&self) -> usize {
        self.state.lock().unwrap().calls.len()
    }
}

fn answer(base: &str, state: &Mutex<State>, request: &Request) -> Reply {
    let mut state = state.lock().unwrap();
    let body = serde_json::from_slice(&request.body).unwrap_or_default();
    state.calls.push((request.path.clone(), body));
    if let Some(status) = state.refusal {
        let refusal = json!({ "error": { "code": "Refused", "message": "not now" } });
        return Reply::text(StatusCode::from_u16(status).unwrap(), &refusal.to_string());
    }
    let identities = state.calls.iter().filter(|(path, _)| path.ends_with("/identity")).count();
    let reply = match request.path.as_str() {
        "/discovery" => json!({ "url": base }),
        "/type/ConnectedCluster/identity" => json!({
            "certificate": sim_core::keys::pem("CERTIFICATE", b"c"),
            "expirationTime": "2026-03-31T23:55:00Z",
            // The first one soon, so that a test sees it renewed.
            "renewAfter": if identities == 1 { "2026-01-01T02:00:00Z" } else { "2026-02-15T23:55:00Z" },
            "clientId": "client",
            "tenantId": "t",
            "tokenEndpoint": format!("{base}/token"),
            "audience": "https://management.azure.com",
        }),
        "/token" => json!({ "token_type": "Bearer", "expires_in": 3600, "access_token": "token" }),
        path => match ClusterPath::parse(path).map(|(_, call)| call).and_then(AgentCall::at) {
            Some(AgentCall::UpdateConfig) => {
                json!({ "agentVersion": "1.37.2", "repositoryPath": "r", "autoUpdate": true })
            }
            Some(_) => json!({ "value": [], "synced": 1 }),
            None => return Reply::text(StatusCode::NOT_FOUND, ""),
        },
    };
    Reply::text(StatusCode::OK, &reply.to_string())
}
