//! What only the embedded cluster is asked: its memory, and how soon a pod runs.

use bytes::Bytes;
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use sim_core::clock::Clock;
use tokio::task::JoinSet;

use super::target::{NAMESPACE, Target, map, maps};

/// How many objects are stored for the figure of memory.
const OBJECTS: usize = 100_000;

/// How many clients write them.
const WRITERS: usize = 8;

/// The image that the cluster knows.
pub(super) const IMAGE: &str = "bench/known:1";

/// How often a deployment is timed.
const RUNS: usize = 9;

/// Stores many objects of about a kilobyte each.
pub(super) async fn fill(target: &Target) -> Result<(), String> {
    let mut workers = JoinSet::new();
    for worker in 0..WRITERS {
        let client = target.client()?;
        workers.spawn(async move {
            for index in (worker..OBJECTS).step_by(WRITERS) {
                client.create(&maps(), &map(&format!("many-{index}"), 0)).await?;
            }
            Ok::<_, String>(())
        });
    }
    while let Some(done) = workers.join_next().await {
        done.map_err(|error| error.to_string())??;
    }
    Ok(())
}

/// Milliseconds from the request that creates a deployment to the event that says that its pod runs, median.
pub(super) async fn until_running(target: &Target) -> Result<f64, String> {
    let (clock, client) = (Clock::running(1.0), target.client()?);
    let mut each = Vec::new();
    for run in 0..RUNS {
        let name = format!("known-{run}");
        let query = format!("watch=1&resourceVersion=0&labelSelector=app%3D{name}");
        let pods = format!("/api/v1/namespaces/{NAMESPACE}/pods?{query}");
        let mut events = client.open("GET", &pods, "", Bytes::new()).await?.into_body();
        let watch = clock.stopwatch();
        let path = format!("/apis/apps/v1/namespaces/{NAMESPACE}/deployments");
        client.create(&path, &deployment(&name)).await?;
        let mut text = Vec::new();
        'running: loop {
            let frame = events.frame().await.ok_or("the watch ended")?.map_err(|error| error.to_string())?;
            text.extend_from_slice(&frame.into_data().unwrap_or_default());
            while let Some(end) = text.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = text.drain(..=end).collect();
                let event: Value = serde_json::from_slice(&line).map_err(|error| error.to_string())?;
                if event["object"]["status"]["phase"] == "Running" {
                    break 'running;
                }
            }
        }
        each.push(watch.elapsed().as_secs_f64() * 1000.0);
        client.send("DELETE", &format!("{path}/{name}"), "", Bytes::new()).await?;
    }
    each.sort_by(f64::total_cmp);
    each.get(each.len() / 2).copied().ok_or_else(|| "nothing was timed".to_owned())
}

fn deployment(name: &str) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {"selector": {"matchLabels": {"app": name}}, "template": {
            "metadata": {"labels": {"app": name}},
            "spec": {"terminationGracePeriodSeconds": 0, "containers": [
                {"name": "c", "image": IMAGE, "args": ["1000000"]}]}}},
    })
}
