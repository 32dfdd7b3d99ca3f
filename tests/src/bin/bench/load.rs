//! Requests per second of the fake cloud beside a bare handler, in alternating rounds.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::HeaderMap;
use hyper::client::conn::http1::SendRequest;
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE, DATE};
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
    /// Median of the time to the answer, in microseconds.
    pub(crate) p50: f64,
    /// The time that one answer in a hundred exceeds, in microseconds.
    pub(crate) p99: f64,
}

impl Served {
    /// Adds the share of the mean that one of so many rounds has.
    pub(crate) fn add(&mut self, round: Self, rounds: usize) {
        let rounds = f64::from(u32::try_from(rounds).unwrap_or(1));
        self.rate += round.rate / rounds;
        self.cost += round.cost / rounds;
        self.p50 += round.p50 / rounds;
        self.p99 += round.p99 / rounds;
    }
}

/// The fake cloud and the bare handler.
pub(crate) struct Compared {
    pub(crate) what: &'static str,
    /// The least share of the bare handler's rate, in percent.
    pub(crate) least: f64,
    pub(crate) subject: Served,
    pub(crate) floor: Served,
    /// The bare handler when it sends the fake cloud's headers too.
    pub(crate) twin: Served,
}

/// How the servers' thread is called.
pub(crate) const SERVERS: &str = "servers";

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
const ROUNDS: usize = 4;
const ROUND: Duration = Duration::from_secs(1);

pub(crate) type Requests = SendRequest<Full<Bytes>>;

#[derive(Clone)]
pub(crate) struct Target {
    pub(crate) address: SocketAddr,
    pub(crate) method: &'static str,
    pub(crate) path: String,
    pub(crate) body: String,
    pub(crate) token: String,
}

impl Target {
    pub(crate) fn request(
        &self,
        method: &str,
        path: &str,
        body: &str,
    ) -> Result<hyper::Request<Full<Bytes>>, String> {
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

pub(crate) async fn connect(target: &Target, tls: &Arc<ClientConfig>) -> Result<Requests, String> {
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

async fn exchange(
    sender: &mut Requests,
    request: hyper::Request<Full<Bytes>>,
) -> Result<hyper::Response<Bytes>, String> {
    sender.ready().await.map_err(|error| error.to_string())?;
    let (head, body) = sender.send_request(request).await.map_err(|error| error.to_string())?.into_parts();
    let body = body.collect().await.map_err(|error| error.to_string())?.to_bytes();
    Ok(hyper::Response::from_parts(head, body))
}

pub(crate) async fn fetch(
    sender: &mut Requests,
    request: hyper::Request<Full<Bytes>>,
) -> Result<(u16, Bytes), String> {
    let answer = exchange(sender, request).await?;
    Ok((answer.status().as_u16(), answer.into_body()))
}

fn size(all: &[f64]) -> f64 {
    f64::from(u32::try_from(all.len()).unwrap_or(u32::MAX))
}

/// One round.
pub(crate) async fn round(target: &Arc<Target>, tls: &Arc<ClientConfig>) -> Result<Served, String> {
    let before = run_nanos(SERVERS);
    let clock = Clock::running(1.0);
    let mut workers = tokio::task::JoinSet::new();
    for _ in 0..CONNECTIONS {
        let (target, tls, clock) = (target.clone(), tls.clone(), clock.clone());
        workers.spawn(async move {
            let mut sender = connect(&target, &tls).await?;
            let watch = clock.stopwatch();
            let mut micros = Vec::new();
            while watch.elapsed() < ROUND {
                let request = target.request(target.method, &target.path, &target.body)?;
                let begun = watch.elapsed();
                let (status, _) = fetch(&mut sender, request).await?;
                if !(200..300).contains(&status) {
                    return Err(format!("{} {} answered {status}", target.method, target.path));
                }
                micros.push((watch.elapsed() - begun).as_secs_f64() * 1e6);
            }
            Ok::<_, String>((micros, watch.elapsed().as_secs_f64()))
        });
    }
    let (mut rate, mut all) = (0.0, Vec::new());
    while let Some(done) = workers.join_next().await {
        let (micros, seconds) = done.map_err(|error| error.to_string())??;
        rate += size(&micros) / seconds;
        all.extend(micros);
    }
    let cost = (run_nanos(SERVERS) - before) / size(&all) / 1000.0;
    all.sort_by(f64::total_cmp);
    let at = |share: usize| all.get(all.len() * share / 100).copied().unwrap_or_default();
    Ok(Served { rate, cost, p50: at(50), p99: at(99) })
}

/// A public key that clusters can be made with; it protects nothing.
const KEY: &str =
    "MEgCQQC7VJTUt9Us8cKjMzEfYyjiWA4R4/M2bS1GB4t7NXp98C3SC6dVMvDuictGeurT8jNbvJZHtCSuYEvuNMoSfm77AgMBAAE=";

/// What is asked for: a resource group and a connected cluster, read and written.
pub(crate) struct Prepared {
    pub(crate) group: Target,
    pub(crate) cluster: Target,
    /// The list that the cluster is in.
    pub(crate) list: Target,
}

/// A token, a resource group and a connected cluster.
pub(crate) async fn prepare(
    cloud: &mock_arm::server::Cloud,
    tls: &Arc<ClientConfig>,
) -> Result<Prepared, String> {
    let profile = cloud.world().profile.clone();
    let principal = profile.principals.first().ok_or("the profile has no principal")?;
    let subscription = profile.subscriptions.first().ok_or("the profile has no subscription")?.id;
    let address = cloud.addr();
    let (path, body, token) = (String::new(), String::new(), String::new());
    let mut target = Target { address, method: "GET", path, body, token };
    let mut sender = connect(&target, tls).await?;
    let form = format!(
        "grant_type=client_credentials&client_id={}&client_secret={}&scope=https%3A%2F%2Fmanagement.azure.com%2F.default",
        principal.client_id, principal.secret
    );
    let path = format!("/{}/oauth2/v2.0/token", profile.tenant.id);
    let (status, body) = fetch(&mut sender, target.request("POST", &path, &form)?).await?;
    let reply: serde_json::Value = serde_json::from_slice(&body).map_err(|error| error.to_string())?;
    target.token = reply["access_token"].as_str().ok_or(format!("no token: {status} {reply}"))?.to_owned();
    let base = format!("/subscriptions/{subscription}/resourcegroups/bench");
    let clusters = format!("{base}/providers/Microsoft.Kubernetes/connectedClusters");
    let made = format!(
        r#"{{"location":"eastus","identity":{{"type":"SystemAssigned"}},"properties":{{"agentPublicKeyCertificate":"{KEY}"}}}}"#
    );
    let of = |path: String, body: &str| Target { path, body: body.into(), ..target.clone() };
    let prepared = Prepared {
        group: of(format!("{base}?api-version=2024-11-01"), r#"{"location":"eastus"}"#),
        cluster: of(format!("{clusters}/c?api-version=2024-01-01"), &made),
        list: of(format!("{clusters}?api-version=2024-01-01"), ""),
    };
    for target in [&prepared.group, &prepared.cluster] {
        let (status, body) = fetch(&mut sender, target.request("PUT", &target.path, &target.body)?).await?;
        if !(200..300).contains(&status) {
            return Err(format!("PUT {} answered {status} {}", target.path, String::from_utf8_lossy(&body)));
        }
    }
    Ok(prepared)
}

/// The headers of an answer that a handler has to give; the server writes the others.
fn own_headers(mut headers: HeaderMap) -> HeaderMap {
    for name in [DATE, CONTENT_LENGTH] {
        headers.remove(name);
    }
    headers
}

/// One kind of request beside the bare handler, which answers with the same body, and then with the same headers too.
async fn beside(
    (what, least): (&'static str, f64),
    target: Target,
    tls: &Arc<ClientConfig>,
    authority: &Arc<Authority>,
    servers: &tokio::runtime::Handle,
) -> Result<Compared, String> {
    let mut sender = connect(&target, tls).await?;
    let answer = exchange(&mut sender, target.request(target.method, &target.path, &target.body)?).await?;
    let (head, body) = answer.into_parts();
    let body = String::from_utf8_lossy(&body).into_owned();
    let plain = HeaderMap::from_iter(head.headers.get(CONTENT_TYPE).map(|kind| (CONTENT_TYPE, kind.clone())));
    let mut targets = vec![Arc::new(target.clone())];
    for headers in [plain, own_headers(head.headers)] {
        let (authority, body) = (authority.clone(), body.clone());
        let bare = servers
            .spawn(async move { server::bare(&authority, headers, body).await })
            .await
            .map_err(|error| error.to_string())??;
        targets.push(Arc::new(Target { address: bare, ..target.clone() }));
    }
    let mut sums = [Served::default(); 3];
    for index in 0..=ROUNDS {
        for (sum, target) in sums.iter_mut().zip(&targets) {
            let served = round(target, tls).await?;
            // The first round warms all of them up.
            if index > 0 {
                sum.add(served, ROUNDS);
            }
        }
    }
    let [subject, floor, twin] = sums;
    Ok(Compared { what, least, subject, floor, twin })
}

pub(crate) fn trusting(authority: &Authority) -> Result<Arc<ClientConfig>, String> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let tls = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(authority.roots())
        .with_no_client_auth();
    Ok(Arc::new(tls))
}

async fn client(
    cloud: Arc<mock_arm::server::Cloud>,
    authority: Arc<Authority>,
    servers: tokio::runtime::Handle,
) -> Result<Vec<Compared>, String> {
    let tls = trusting(&authority)?;
    let Prepared { group, cluster, .. } = prepare(&cloud, &tls).await?;
    let put = |target: &Target| Target { method: "PUT", ..target.clone() };
    let kinds = [
        (("GET resource group", 85.0), group.clone()),
        (("GET connected cluster", 85.0), cluster.clone()),
        (("PUT resource group", 60.0), put(&group)),
        (("PUT connected cluster", 60.0), put(&cluster)),
    ];
    let mut compared = Vec::new();
    for (what, target) in kinds {
        compared.push(beside(what, target, &tls, &authority, &servers).await?);
    }
    Ok(compared)
}

/// The servers have one thread and the client another.
pub(crate) fn runtime(name: &str) -> Result<tokio::runtime::Runtime, String> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name(name)
        .enable_all()
        .build()
        .map_err(|error| error.to_string())
}

/// An authority for one run.
pub(crate) fn authority() -> Result<Arc<Authority>, String> {
    let now = Clock::running(1.0).wall();
    Ok(Arc::new(Authority::new("bench", &Constraints::default(), now).map_err(|error| error.to_string())?))
}

/// Compares.
pub(crate) fn compare() -> Result<Vec<Compared>, String> {
    let (servers, clients) = (runtime(SERVERS)?, runtime("clients")?);
    let authority = authority()?;
    let for_cloud = authority.clone();
    let cloud = servers.block_on(async move { server::cloud(&for_cloud).await })?;
    clients.block_on(client(Arc::new(cloud), authority, servers.handle().clone()))
}
