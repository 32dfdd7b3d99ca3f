//! A real cluster in a world: led in step by step, and out again exactly.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::path::PathBuf;

use arc_agent_sim::from_kubeconfig;
use futures::future::BoxFuture;
use serde_json::Value;
use sim_core::clock::Clock;
use sim_core::clock_link::ClockLink;
use sim_core::net::Net;

use super::images::{self, Named, Source};
use super::kind_cli::{KindCli, save_with_docker};
use super::relay::{Relay, RelayError};
use super::tool::Tool;
use super::undo::{Step, Undo};
use super::{
    Backend, Cluster, ClusterError, RealOptions, Trouble, kubeconfig, names, node_images, objects, remnants,
};
use crate::client_env::OuterEnv;
use crate::driver;

/// What a real cluster has to know of the world that it is led into.
#[derive(Debug)]
pub struct WorldFacts {
    /// The world's name.
    pub world: String,
    /// Its folder.
    pub dir: PathBuf,
    /// Host names that it plays: exact ones, and suffixes with a leading dot.
    pub hosts: Vec<String>,
    /// Its gateway.
    pub gateway: SocketAddr,
    /// Its clock.
    pub clock: Clock,
    /// Where that clock is followed.
    pub link: ClockLink,
    /// Its authority, PEM.
    pub ca_pem: String,
    /// Its seed.
    pub seed: String,
    /// The version of the agents that its cloud hands out.
    pub agent_version: String,
    /// The user's own environment.
    pub outer: OuterEnv,
}

/// A real cluster while it is in a world.
#[derive(Debug)]
pub struct RealCluster {
    backend: String,
    kubeconfig: String,
    undo: Undo,
    clock: Clock,
    options: RealOptions,
    _relay: Relay,
}

/// The cluster before it is led into the world.
struct Found {
    kind: Option<KindCli>,
    kubeconfig: String,
    backend: String,
}

impl RealCluster {
    /// Finds or creates the cluster and leads it into the world. What is done is written down first, in the world's folder:
    /// when this fails, or is dropped, the record says what is to be undone.
    ///
    /// # Errors
    /// [`ClusterError`]: what is missing, occupied or not reachable.
    pub async fn start(
        backend: &Backend,
        options: RealOptions,
        facts: WorldFacts,
    ) -> Result<Self, ClusterError> {
        let (found, mut undo) = find(backend, &options, &facts).await?;
        undo.reach(&found.kubeconfig);
        let cluster = connect(&found.kubeconfig)?;
        let nodes = cluster.get("/api/v1/nodes").await;
        let nodes = nodes.map_err(|error| ClusterError::kube("looking at the cluster's nodes", &error))?;
        let node = first_node(&nodes)?;
        let kept = remnants::find(&cluster).await?;
        remnants::refuse_occupied(&cluster, &kept).await?;
        let relay = relay(&options, &facts, node.address).await?;
        if let Some(kind) = &found.kind {
            probe(kind, relay.addresses()[0], &facts.clock).await?;
        }
        options.progress.say("leading the cluster's pods into the world");
        undo.begin(Step::World)?;
        let service = introduce(&cluster, &facts, &relay).await?;
        undo.begin(Step::Names)?;
        undo.begin(Step::Agents { kept })?;
        let leading = names::lead(&cluster, &facts.hosts, service, &facts.clock);
        let loading = load_images(&found, &options, &facts, &nodes, &node.architecture, &mut undo);
        futures::try_join!(leading, loading)?;
        let Found { kubeconfig, backend, .. } = found;
        Ok(Self { backend, kubeconfig, undo, clock: facts.clock, options, _relay: relay })
    }
}

impl Cluster for RealCluster {
    fn backend(&self) -> String {
        self.backend.clone()
    }

    fn url(&self) -> String {
        kubeconfig::server(&self.kubeconfig)
    }

    fn kubeconfig(&self) -> String {
        self.kubeconfig.clone()
    }

    fn shutdown(self: Box<Self>) -> BoxFuture<'static, Result<(), ClusterError>> {
        Box::pin(async move { self.undo.perform(&self.clock, &self.options.progress).await })
    }
}

async fn find(
    backend: &Backend,
    options: &RealOptions,
    facts: &WorldFacts,
) -> Result<(Found, Undo), ClusterError> {
    match backend {
        Backend::Context(name) => {
            let kubeconfig = kubeconfig::of_context(&facts.outer, name)?;
            let undo = Undo::new(&facts.dir, name, None);
            Ok((Found { kind: None, kubeconfig, backend: backend.to_string() }, undo))
        }
        Backend::Kind(name) => find_kind(name.as_deref(), options, facts).await,
        Backend::Embedded => {
            let what = "an embedded cluster is none of Docker's";
            Err(ClusterError::new(Trouble::Usage, what, "say --cluster kind"))
        }
    }
}

/// The name of the kind cluster that a world makes for itself.
fn own_name(world: &str) -> String {
    format!("dryarc-{}", world.replace('_', "-"))
}

async fn find_kind(
    name: Option<&str>,
    options: &RealOptions,
    facts: &WorldFacts,
) -> Result<(Found, Undo), ClusterError> {
    let name = name.map_or_else(|| own_name(&facts.world), str::to_owned);
    let kind = KindCli::find(&facts.outer, &name, &facts.dir).await?;
    let mut undo = Undo::new(&facts.dir, &format!("kind-{name}"), Some(kind.clone()));
    if kind.exists().await? {
        options.progress.say(&format!("using kind cluster '{name}', which is yours: it is kept"));
    } else {
        options.progress.say(&format!("creating kind cluster '{name}', which takes about half a minute"));
        undo.begin(Step::KindCluster { creator: None })?;
        let mut noted = Ok(());
        kind.create(options, |process| noted = undo.note(process)).await?;
        noted?;
    }
    let kubeconfig = kind.kubeconfig().await?;
    Ok((Found { backend: format!("kind={name}"), kind: Some(kind), kubeconfig }, undo))
}

fn connect(kubeconfig: &str) -> Result<driver::Cluster, ClusterError> {
    let unusable = |error: &dyn std::fmt::Display| {
        let what = format!("the cluster's kubeconfig cannot be used: {error}");
        ClusterError::new(Trouble::Unusable, what, "use a context with a client certificate or a token")
    };
    let net = Net::builder().build().map_err(|error| unusable(&error))?;
    let client = from_kubeconfig(&net, kubeconfig, None).map_err(|error| unusable(&error))?;
    Ok(driver::Cluster::new(client))
}

/// What matters of a node.
struct Node {
    address: IpAddr,
    architecture: String,
}

/// Why no pod of ours comes to a node; none where pods come.
fn closed(node: &Value) -> Option<String> {
    let name = node["metadata"]["name"].as_str().unwrap_or_default();
    let conditions = node["status"]["conditions"].as_array();
    if !conditions.into_iter().flatten().any(|one| one["type"] == "Ready" && one["status"] == "True") {
        return Some(format!("{name} is not ready"));
    }
    if node["spec"]["unschedulable"] == true {
        return Some(format!("{name} is cordoned"));
    }
    let taints = node["spec"]["taints"].as_array();
    let taint = taints.into_iter().flatten().find(|one| one["effect"] != "PreferNoSchedule")?;
    let text = |key: &str| taint[key].as_str().unwrap_or_default();
    Some(format!("{name} has the taint {}={}:{}", text("key"), text("value"), text("effect")))
}

/// The first node that takes pods. Without one, CoreDNS's new pods would find no place.
fn first_node(nodes: &Value) -> Result<Node, ClusterError> {
    let all = nodes["items"].as_array().map_or(&[][..], Vec::as_slice);
    let Some(node) = all.iter().find(|node| closed(node).is_none()) else {
        let why: Vec<String> = all.iter().filter_map(closed).collect();
        let what = format!("none of the cluster's {} nodes takes pods: {}", all.len(), why.join(", "));
        let next = "make room for pods: kubectl describe nodes, kubectl uncordon NODE, kubectl taint nodes NODE KEY-";
        return Err(ClusterError::new(Trouble::Unusable, what, next));
    };
    let addresses = node["status"]["addresses"].as_array();
    let internal = addresses.into_iter().flatten().find(|one| one["type"] == "InternalIP");
    let address = internal.and_then(|one| one["address"].as_str()?.parse().ok()).ok_or_else(|| {
        ClusterError::new(
            Trouble::Unusable,
            "the cluster's nodes have no address",
            "kubectl get nodes -o wide",
        )
    })?;
    let architecture = node["status"]["nodeInfo"]["architecture"].as_str().unwrap_or_default().to_owned();
    Ok(Node { address, architecture })
}

/// Listens where the nodes reach this machine: where the user says, else where the way to a node begins.
async fn relay(options: &RealOptions, facts: &WorldFacts, node: IpAddr) -> Result<Relay, ClusterError> {
    let next = "say with --advertise ADDRESS by which address of this machine the cluster's nodes reach it";
    let address = match options.advertise {
        Some(address) => address,
        None => toward(node).map_err(|error| {
            let what = format!("this machine has no way to the node {node}: {error}");
            ClusterError::new(Trouble::Unusable, what, next)
        })?,
    };
    if address.is_loopback() {
        let what = format!("{address} is loopback: in a pod it means the pod itself");
        return Err(ClusterError::new(Trouble::Usage, what, next));
    }
    let started = Relay::start(address, facts.clock.clone(), facts.gateway, facts.link.address()).await;
    started.map_err(|error| {
        let trouble = if matches!(error, RelayError::Listen(..)) { Trouble::Usage } else { Trouble::Failed };
        ClusterError::new(trouble, error.to_string(), next)
    })
}

/// The address of this machine on the way to another one. Nothing is sent.
fn toward(node: IpAddr) -> std::io::Result<IpAddr> {
    let any: IpAddr = match node {
        IpAddr::V4(_) => std::net::Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => std::net::Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((any, 0))?;
    socket.connect((node, 9))?;
    Ok(socket.local_addr()?.ip())
}

/// Sees that a node reaches the relay, so that a firewall is found now and not by agents that never come.
async fn probe(kind: &KindCli, address: SocketAddr, clock: &Clock) -> Result<(), ClusterError> {
    let nodes = kind.nodes().await?;
    let node = nodes.first().map(String::as_str).unwrap_or_default();
    let script = format!("exec 3<>/dev/tcp/{}/{}", address.ip(), address.port());
    let patience = std::time::Duration::from_secs(5);
    let reached = clock.wall_timeout(patience, kind.in_node(node, &["bash", "-c", &script])).await;
    if matches!(reached, Ok(Ok(_))) {
        return Ok(());
    }
    let what = format!("node {node} does not reach this machine at {address}");
    let next = "let the firewall pass connections from Docker's network to this machine, or say another address with --advertise ADDRESS";
    Err(ClusterError::new(Trouble::Unusable, what, next))
}

/// Puts the world's objects into the cluster; returns the address that its hosts get there.
async fn introduce(
    cluster: &driver::Cluster,
    facts: &WorldFacts,
    relay: &Relay,
) -> Result<IpAddr, ClusterError> {
    let failed =
        |error: kube::Error| ClusterError::kube("putting the world's objects into the cluster", &error);
    cluster.put_object(&objects::namespace(&facts.world)).await.map_err(failed)?;
    cluster.put_object(&objects::service()).await.map_err(failed)?;
    cluster.put_object(&objects::endpoints(relay.addresses())).await.map_err(failed)?;
    let path = format!("{}/services/{}", objects::namespace_path(), objects::SERVICE);
    let service = cluster.get(&path).await.map_err(failed)?;
    let address: IpAddr =
        service["spec"]["clusterIP"].as_str().and_then(|text| text.parse().ok()).ok_or_else(|| {
            let what = "the cluster gave the world's service no address";
            ClusterError::new(Trouble::Unusable, what, "see that the cluster has a service network")
        })?;
    let variables = BTreeMap::from([
        ("DRYARC_CLOCK", facts.link.at((address, objects::CLOCK_PORT).into()).to_string()),
        ("DRYARC_CA", facts.ca_pem.clone()),
        ("DRYARC_SEED", facts.seed.clone()),
    ]);
    for object in objects::variables(&variables) {
        cluster.put_object(&object).await.map_err(failed)?;
    }
    Ok(address)
}

async fn load_images(
    found: &Found,
    options: &RealOptions,
    facts: &WorldFacts,
    nodes: &Value,
    architecture: &str,
    undo: &mut Undo,
) -> Result<(), ClusterError> {
    let wanted = images::agents(&facts.agent_version);
    let names: Vec<String> = wanted.iter().map(|image| image.name.clone()).collect();
    let missing = match (&found.kind, &options.load_images) {
        (Some(kind), _) => node_images::missing(kind, &names).await?,
        // Nodes tell of their images late, and of fifty at most: who says how to load them gets them loaded.
        (None, Some(_)) => names.clone(),
        (None, None) => missing_on(nodes, &names),
    };
    if missing.len() < names.len() {
        let there = names.len() - missing.len();
        options
            .progress
            .say(&format!("the nodes have {there} of the {} agents' images: these are used", names.len()));
    }
    if missing.is_empty() {
        return Ok(());
    }
    let wanted: Vec<Named> = wanted.into_iter().filter(|image| missing.contains(&image.name)).collect();
    let shell = match (&found.kind, &options.load_images) {
        (None, None) => return Err(no_images(&missing)),
        (_, command) => command.clone(),
    };
    options.progress.say("making the agents' images and loading them into the nodes");
    let archive = archive(found, options, facts, wanted, architecture).await?;
    undo.begin(Step::Images { names: missing })?;
    let loaded = match (&found.kind, shell) {
        (Some(kind), _) => kind.load(&archive).await,
        (None, command) => {
            let line = command.unwrap_or_default().replace("{}", &archive.display().to_string());
            let ran = Tool::shell(&facts.outer).run(["-c", &line]).await;
            ran.map(drop).map_err(|said| said.explain("the command of --load-images", "run it by hand"))
        }
    };
    // It is as large as the program, and the world's folder stays.
    let _ = std::fs::remove_dir_all(scratch(facts));
    loaded
}

fn scratch(facts: &WorldFacts) -> PathBuf {
    facts.dir.join("images")
}

fn no_images(missing: &[String]) -> ClusterError {
    let what = format!(
        "the cluster's nodes lack {} images of the agents, {} among them",
        missing.len(),
        missing.first().map(String::as_str).unwrap_or_default()
    );
    let next = "say with --load-images 'COMMAND {}' what loads an image archive into the nodes, for instance 'minikube image load {}', 'k3d image import {} -c NAME' or 'docker load -i {}' (Docker Desktop)";
    ClusterError::new(Trouble::Usage, what, next)
}

/// Those of `names` that no node says it has.
fn missing_on(nodes: &Value, names: &[String]) -> Vec<String> {
    let reported = |name: &String| {
        let nodes = nodes["items"].as_array().into_iter().flatten();
        let mut images = nodes.flat_map(|node| node["status"]["images"].as_array().into_iter().flatten());
        images.any(|image| image["names"].as_array().into_iter().flatten().any(|one| one == name.as_str()))
    };
    names.iter().filter(|name| !reported(name)).cloned().collect()
}

async fn archive(
    found: &Found,
    options: &RealOptions,
    facts: &WorldFacts,
    wanted: Vec<Named>,
    architecture: &str,
) -> Result<PathBuf, ClusterError> {
    let folder = scratch(facts);
    std::fs::create_dir_all(&folder)
        .map_err(|error| ClusterError::file("making a folder for images", error))?;
    let source = match &options.agent_image {
        None => Source::Own,
        Some(image) => {
            let file = folder.join("saved.tar");
            match &found.kind {
                Some(kind) => kind.save_image(image, &file).await?,
                None => save_with_docker(&facts.outer, image, &file).await?,
            }
            Source::Saved(file)
        }
    };
    let (to, architecture) = (folder.join("agents.tar"), architecture.to_owned());
    let made = {
        let to = to.clone();
        move || images::make(&source, &architecture, &wanted, &folder, &to)
    };
    let made = tokio::task::spawn_blocking(made).await;
    made.map_err(|error| ClusterError::file("making the agents' images", error))??;
    Ok(to)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_node_that_is_ready_tells_where_it_is_and_what_it_runs() {
        let node = |ready: &str| {
            json!({ "items": [{ "metadata": { "name": "n" }, "status": {
                "conditions": [{ "type": "Ready", "status": ready }],
                "addresses": [{ "type": "Hostname", "address": "n" }, { "type": "InternalIP", "address": "172.18.0.2" }],
                "nodeInfo": { "architecture": "amd64" },
                "images": [{ "names": ["a:1", "a@sha256:00"] }],
            } }] })
        };
        let first = first_node(&node("True")).unwrap();
        assert_eq!(
            (first.address.to_string().as_str(), first.architecture.as_str()),
            ("172.18.0.2", "amd64")
        );
        assert!(first_node(&node("False")).is_err_and(|error| error.what.contains("n is not ready")));
        let mut closed = node("True");
        closed["items"][0]["spec"]["unschedulable"] = true.into();
        assert!(first_node(&closed).is_err_and(|error| error.what.contains("n is cordoned")));
        closed["items"][0]["spec"] = json!({ "taints": [
            { "key": "a", "effect": "PreferNoSchedule" }, { "key": "b", "value": "c", "effect": "NoSchedule" },
        ] });
        assert!(
            first_node(&closed).is_err_and(|error| error.what.contains("n has the taint b=c:NoSchedule"))
        );
        assert_eq!(missing_on(&node("True"), &["a:1".into(), "b:1".into()]), ["b:1"]);
    }

    #[test]
    fn a_world_names_its_own_kind_cluster_as_kind_allows() {
        let name = own_name("ci_1");
        assert_eq!(name, "dryarc-ci-1");
        assert!(format!("kind={name}").parse::<Backend>().is_ok());
    }

    #[test]
    fn this_machine_knows_its_address_on_the_way_to_another() {
        assert!(toward("127.0.0.1".parse().unwrap()).unwrap().is_loopback());
    }
}
