//! Logs of pods, by the cluster's API.

use futures::AsyncReadExt as _;
use k8s_openapi::List;
use k8s_openapi::api::core::v1::Pod;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::{CliError, Context, Exit, output, remote};

/// How much is read at once.
const CHUNK: usize = 16 * 1024;

/// Which log is wanted.
#[derive(Debug)]
pub(super) struct Wanted<'a> {
    /// The pod's name, or how it begins.
    pub(super) name: &'a str,
    pub(super) namespace: &'a str,
    pub(super) container: Option<&'a str>,
    pub(super) follow: bool,
    pub(super) tail: Option<u32>,
    pub(super) previous: bool,
}

/// Prints the log of the first pod, by name, that is meant.
pub(super) async fn print(context: &Context, wanted: &Wanted<'_>) -> Result<(), CliError> {
    let record = context.running()?;
    let net = remote::net(&record.facts)?;
    let client = remote::kube_client(&record.facts, &net, None, None)?;
    let pod = find(&client, wanted).await?;
    let container = container(&pod, wanted)?;
    let path = path(pod.metadata.name.as_deref().unwrap_or_default(), &container, wanted);
    let mut stream =
        Box::pin(client.request_stream(get(&path)?).await.map_err(|error| unread(error, wanted))?);
    let mut chunk = vec![0; CHUNK];
    loop {
        match stream.read(&mut chunk).await {
            Ok(0) => return Ok(()),
            Ok(length) => {
                let text = String::from_utf8_lossy(chunk.get(..length).unwrap_or_default()).into_owned();
                if !output::print_while_read(&text) {
                    return Ok(());
                }
            }
            Err(error) => {
                return Err(CliError::failed(format!("the log broke off: {error}"))
                    .next("see with `dryarc status` whether the world still runs, and try again"));
            }
        }
    }
}

fn get(path: &str) -> Result<http::Request<Vec<u8>>, CliError> {
    http::Request::get(path).body(Vec::new()).map_err(|error| CliError::usage(format!("'{path}': {error}")))
}

fn refused(error: kube::Error) -> CliError {
    match error {
        kube::Error::Api(status) => {
            let exit = if status.code == 404 { Exit::NotFound } else { Exit::Failed };
            CliError::new(exit, status.message)
                .next("see what there is with `dryarc exec -- kubectl get pods --all-namespaces`")
        }
        other => CliError::failed(format!("the cluster does not answer: {other}"))
            .next("see with `dryarc status` whether the world still runs"),
    }
}

/// Why a log cannot be read. An earlier run that never was is the likeliest reason, and no fault of the cluster.
fn unread(error: kube::Error, wanted: &Wanted<'_>) -> CliError {
    let never = matches!(&error, kube::Error::Api(status) if status.code == 400 && status.message.contains("previous"));
    let refused = refused(error);
    if wanted.previous && never {
        return CliError { exit: Exit::NotFound, ..refused }
            .next("it never ended, so there is no earlier run; leave --previous out to see this one");
    }
    if refused.exit == Exit::NotFound {
        return refused;
    }
    let namespace = wanted.namespace;
    refused.next(format!("see why with `dryarc exec -- kubectl describe pods --namespace {namespace}`"))
}

async fn find(client: &kube::Client, wanted: &Wanted<'_>) -> Result<Pod, CliError> {
    let namespace = utf8_percent_encode(wanted.namespace, NON_ALPHANUMERIC);
    let path = format!("/api/v1/namespaces/{namespace}/pods");
    let pods: List<Pod> = client.request(get(&path)?).await.map_err(refused)?;
    let mut pods = pods.items;
    pods.sort_by(|one, other| one.metadata.name.cmp(&other.metadata.name));
    let named = |exact: bool| {
        move |pod: &&Pod| {
            let name = pod.metadata.name.as_deref().unwrap_or_default();
            if exact { name == wanted.name } else { name.starts_with(wanted.name) }
        }
    };
    let found = pods.iter().find(named(true)).or_else(|| pods.iter().find(named(false)));
    found.cloned().ok_or_else(|| {
        let names: Vec<&str> = pods.iter().filter_map(|pod| pod.metadata.name.as_deref()).collect();
        let next = if names.is_empty() {
            "that namespace has no pods; name another with --namespace".to_owned()
        } else {
            format!("choose one of these: {}", names.join(", "))
        };
        let what = format!("no pod in namespace '{}' begins with '{}'", wanted.namespace, wanted.name);
        CliError::new(Exit::NotFound, what).next(next)
    })
}

/// The container that is meant: the only one, the one named like the pod's owner, or the first.
fn container(pod: &Pod, wanted: &Wanted<'_>) -> Result<String, CliError> {
    let containers = pod.spec.iter().flat_map(|spec| &spec.containers);
    let names: Vec<&str> = containers.map(|container| container.name.as_str()).collect();
    let chosen = match wanted.container {
        Some(name) => names.iter().find(|known| **known == name),
        None => names.iter().find(|name| wanted.name.starts_with(**name)).or_else(|| names.first()),
    };
    chosen.map(ToString::to_string).ok_or_else(|| {
        let what = format!("the pod has no container '{}'", wanted.container.unwrap_or_default());
        CliError::new(Exit::NotFound, what).next(format!("choose one of these: {}", names.join(", ")))
    })
}

fn path(pod: &str, container: &str, wanted: &Wanted<'_>) -> String {
    let namespace = utf8_percent_encode(wanted.namespace, NON_ALPHANUMERIC);
    let tail = wanted.tail.map(|lines| format!("&tailLines={lines}")).unwrap_or_default();
    format!(
        "/api/v1/namespaces/{namespace}/pods/{pod}/log?container={container}&follow={}&previous={}{tail}",
        wanted.follow, wanted.previous
    )
}
