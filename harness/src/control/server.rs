//! The server side of the control interface.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use mock_arm::admin::guarded;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::types::{Problem, Status};
use crate::client_env::extension_index;
use crate::world::reached;

/// What the control interface is made of.
pub struct ControlConfig {
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// The bearer token that every request must carry.
    pub token: String,
    /// Says how the world is, given where this interface listens.
    pub status: Arc<dyn Fn(SocketAddr) -> Status + Send + Sync>,
    /// Further routes, under `/v1`.
    pub admin: Router,
    /// Becomes true when somebody asks the world to end.
    pub shutdown: watch::Sender<bool>,
    /// The folder of Azure CLI extensions that the extension index speaks of.
    pub az_extensions: PathBuf,
}

impl std::fmt::Debug for ControlConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ControlConfig").finish_non_exhaustive()
    }
}

/// A running control interface; dropping it ends it.
#[derive(Debug)]
pub struct ControlServer {
    address: SocketAddr,
    task: JoinHandle<()>,
}

struct Shared {
    config: ControlConfig,
    address: SocketAddr,
}

impl ControlServer {
    /// Answers when this returns.
    ///
    /// # Errors
    /// When the port cannot be bound.
    pub async fn start(mut config: ControlConfig) -> std::io::Result<Self> {
        let listener = TcpListener::bind(config.listen).await?;
        let address = reached(listener.local_addr()?);
        let admin = std::mem::take(&mut config.admin);
        let shared = Arc::new(Shared { config, address });
        let own = Router::new()
            .route("/v1/status", get(status))
            .route("/v1/clusters", get(clusters))
            .route("/v1/shutdown", post(shutdown))
            .with_state(shared.clone());
        let guarded = guarded(own.merge(admin), &shared.config.token);
        // The Azure CLI asks without a token; what it gets is no secret.
        let open = Router::new()
            .route("/az-extensions/index.json", get(az_extensions))
            .route("/az-extensions/{file}", get(no_download))
            .with_state(shared);
        let app = open.merge(guarded);
        let task = tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, app).await {
                tracing::error!(%error, "the control interface stopped");
            }
        });
        Ok(Self { address, task })
    }

    /// Where this machine reaches it.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for ControlServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn problem(status: StatusCode, error: impl Into<String>, next: Option<&str>) -> Response {
    let problem = Problem { error: error.into(), next: next.map(str::to_owned) };
    (status, Json(problem)).into_response()
}

async fn status(State(shared): State<Arc<Shared>>) -> Json<Status> {
    Json((shared.config.status)(shared.address))
}

async fn clusters(State(shared): State<Arc<Shared>>) -> Response {
    Json((shared.config.status)(shared.address).clusters).into_response()
}

async fn shutdown(State(shared): State<Arc<Shared>>) -> StatusCode {
    shared.config.shutdown.send_replace(true);
    StatusCode::ACCEPTED
}

async fn az_extensions(State(shared): State<Arc<Shared>>) -> Response {
    let base = format!("http://{}/az-extensions", shared.address);
    let folder = shared.config.az_extensions.clone();
    match tokio::task::spawn_blocking(move || extension_index(&folder, &base)).await {
        Ok(index) => Json(index).into_response(),
        Err(_) => problem(StatusCode::INTERNAL_SERVER_ERROR, "the extensions could not be listed", None),
    }
}

async fn no_download(request: Request) -> Response {
    let error = format!("{}: a world has no extensions to download", request.uri().path());
    let next = "install the extension outside of the world first, then start the world again";
    problem(StatusCode::NOT_FOUND, error, Some(next))
}
