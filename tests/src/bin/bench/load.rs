//! Requests per second of the fake cloud beside a bare handler, in alternating rounds.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::SendRequest;
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use sim_core::clock::Clock;
use sim_core::pki::{Authority, Constraints};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::server;

/// What one server did.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Served {
    /// Requests per second.
    pub(crate) rate: f64,
    /// Processor time of the server's thread per request, in microseconds; 0 where the system does not tell.
    pub(crate) cost: f64,
}

impl Served {
    /// Adds one round's share of the mean.
    fn add(&mut self, round: Self) {
        let rounds = f64::from(u32::try_from(ROUNDS).unwrap_or(1));
        self.rate += round.rate / rounds;
        self.cost += round.cost / rounds;
    }
}

/// The fake cloud and the bare handler.
pub(crate) struct Compared {
    pub(crate) subject: Served,
    pub(crate) floor: Served,
}

/// How the servers' thread is called.
const SERVERS: &str = "servers";

/// Nanoseconds that threads of this process called `name` have run, as Linux counts them.
fn run_nanos(name: &str) -> f64 {
    let tasks = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let of_name = tasks.filter(|task| {
        std::fs::read_to_string(task.path().join("comm")).is_ok_and(|comm| comm.trim() == name)
    });
    let run = |task: std::fs::DirEntry| {
        let text = std::fs::read_to_string(task.path().join("schedstat")).ok()?;
        text.split_whitespace().next()?.parse::<f64>().ok()
    };
    of_name.filter_map(run).sum()
}

const CONNECTIONS: usize = 8;
const ROUNDS: usize = 6;
const ROUND: Duration = Duration::from_secs(2);

type Requests = SendRequest<Full<Bytes>>;

struct Target {
    address: SocketAddr,
    path: String,
    token: String,
}

impl Target {
    fn request(&self, method: &str, path: &str, body: &str) -> Result<hyper::Request<Full<Bytes>>, String> {
        let mut request = hyper::Request::builder()
            .method(method)
            .uri(path)
            .header("host", self.address.to_string())
            .header("accept", "application/json");
        if !self.token.is_empty() {
            request = request.header("authorization", format!("Bearer {}", self.token));
        }
        let kind =
            if body.starts_with('{') { "application/json" } else { "application/x-www-form-urlencoded" };
        if !body.is_empty() {
            request = request.header("content-type", kind);
        }
        request.body(Full::new(Bytes::from(body.to_owned()))).map_err(|error| error.to_string())
    }
}

async fn connect(target: &Target, tls: &Arc<ClientConfig>) -> Result<Requests, String> {
    let stream = TcpStream::connect(target.address).await.map_err(|error| error.to_string())?;
    stream.set_nodelay(true).map_err(|error| error.to_string())?;
    let name = target.address.ip().into();
    let stream =
        TlsConnector::from(tls.clone()).connect(name, stream).await.map_err(|error| error.to_string())?;
    let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|error| error.to_string())?;
    tokio::spawn(connection);
    Ok(sender)
}

async fn fetch(sender: &mut Requests, request: hyper::Request<Full<Bytes>>) -> Result<(u16, Bytes), String> {
    sender.ready().await.map_err(|error| error.to_string())?;
    let response = sender.send_request(request).await.map_err(|error| error.to_string())?;
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.map_err(|error| error.to_string())?.to_bytes();
    Ok((status, body))
}

/// One round.
async fn round(target: &Arc<Target>, tls: &Arc<ClientConfig>) -> Result<Served, String> {
    let before = run_nanos(SERVERS);
    let clock = Clock::running(1.0);
    let mut workers = tokio::task::JoinSet::new();
    for _ in 0..CONNECTIONS {
        let (target, tls, clock) = (target.clone(), tls.clone(), clock.clone());
        workers.spawn(async move {
            let mut sender = connect(&target, &tls).await?;
            let watch = clock.stopwatch();
            let mut count = 0u32;
            while watch.elapsed() < ROUND {
                let request = target.request("GET", &target.path, "")?;
                let (status, _) = fetch(&mut sender, request).await?;
                if status != 200 {
                    return Err(format!("GET {} answered {status}", target.path));
                }
                count += 1;
            }
            Ok::<_, String>((f64::from(count), watch.elapsed().as_secs_f64()))
        });
    }
    let (mut rate, mut requests) = (0.0, 0.0);
    while let Some(done) = workers.join_next().await {
        let (count, seconds) = done.map_err(|error| error.to_string())??;
        rate += count / seconds;
        requests += count;
    }
    Ok(Served { rate, cost: (run_nanos(SERVERS) - before) / requests / 1000.0 })
}

/// A token, a resource group, and the path to read it.
async fn prepare(
    address: SocketAddr,
    cloud: &mock_arm::server::Cloud,
    tls: &Arc<ClientConfig>,
) -> Result<(Target, String), String> {
    let profile = cloud.world().profile.clone();
    let principal = profile.principals.first().ok_or("the profile has no principal")?;
    let subscription = profile.subscriptions.first().ok_or("the profile has no subscription")?.id;
    let mut target = Target { address, path: String::new(), token: String::new() };
    let mut sender = connect(&target, tls).await?;
    let form = format!(
        "grant_type=client_credentials&client_id={}&client_secret={}&scope=https%3A%2F%2Fmanagement.azure.com%2F.default",
        principal.client_id, principal.secret
    );
    let path = format!("/{}/oauth2/v2.0/token", profile.tenant.id);
    let (status, body) = fetch(&mut sender, target.request("POST", &path, &form)?).await?;
    let reply: serde_json::Value = serde_json::from_slice(&body).map_err(|error| error.to_string())?;
    target.token = reply["access_token"].as_str().ok_or(format!("no token: {status} {reply}"))?.to_owned();
    target.path = format!("/subscriptions/{subscription}/resourcegroups/bench?api-version=2024-11-01");
    let put = target.request("PUT", &target.path, r#"{"location":"eastus"}"#)?;
    fetch(&mut sender, put).await?;
    let (_, body) = fetch(&mut sender, target.request("GET", &target.path, "")?).await?;
    Ok((target, String::from_utf8_lossy(&body).into_owned()))
}

async fn client(
    cloud: Arc<mock_arm::server::Cloud>,
    authority: Arc<Authority>,
    servers: tokio::runtime::Handle,
) -> Result<Compared, String> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let tls = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(authority.roots())
        .with_no_client_auth();
    let tls = Arc::new(tls);
    let (target, body) = prepare(cloud.addr(), &cloud, &tls).await?;
    let path = target.path.clone();
    let subject = Arc::new(target);
    let bare = servers
        .spawn(async move { server::bare(&authority, body).await })
        .await
        .map_err(|error| error.to_string())??;
    let floor = Arc::new(Target { address: bare, path, token: subject.token.clone() });
    let (mut subject_sum, mut floor_sum) = (Served::default(), Served::default());
    for index in 0..=ROUNDS {
        let of_floor = round(&floor, &tls).await?;
        let of_subject = round(&subject, &tls).await?;
        // The first round warms both up.
        if index > 0 {
            floor_sum.add(of_floor);
            subject_sum.add(of_subject);
        }
    }
    Ok(Compared { subject: subject_sum, floor: floor_sum })
}

/// Compares. The servers have one thread and the client another.
pub(crate) fn compare() -> Result<Compared, String> {
    let runtime = |name: &str| {
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name(name)
            .enable_all()
            .build()
            .map_err(|error| error.to_string())
    };
    let (servers, clients) = (runtime(SERVERS)?, runtime("clients")?);
    let now = Clock::running(1.0).wall();
    let authority =
        Arc::new(Authority::new("bench", &Constraints::default(), now).map_err(|error| error.to_string())?);
    let for_cloud = authority.clone();
    let cloud = servers.block_on(async move { server::cloud(&for_cloud).await })?;
    clients.block_on(client(Arc::new(cloud), authority, servers.handle().clone()))
}
