//! One writer, a hundred watchers.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use sim_core::clock::{Clock, Stopwatch};
use tokio::task::JoinSet;

use super::target::{Target, map, maps};
use super::verbs::Served;

const WATCHERS: usize = 100;
const EVENTS: usize = 300;

/// The longest that the last event may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// When each event was written, in seconds of `since`.
struct Written {
    since: Stopwatch,
    at: Mutex<Vec<f64>>,
}

/// Reads events until the last one; how long each took, in milliseconds.
async fn watcher(mut body: Incoming, written: Arc<Written>) -> Result<Vec<f64>, String> {
    let (mut each, mut rest) = (Vec::with_capacity(EVENTS), Vec::new());
    while each.len() < EVENTS {
        let frame = body.frame().await.ok_or("a watch ended early")?.map_err(|error| error.to_string())?;
        let Ok(data) = frame.into_data() else { continue };
        let now = written.since.elapsed().as_secs_f64();
        rest.extend_from_slice(&data);
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            rest.drain(..=end);
            let index = each.len();
            let at = written.at.lock().unwrap_or_else(PoisonError::into_inner).get(index).copied();
            each.push((now - at.unwrap_or(now)) * 1000.0);
        }
    }
    Ok(each)
}

/// Measures once: events delivered per second, over all watchers.
pub(super) async fn round(target: &Target) -> Result<Served, String> {
    let clock = Clock::running(1.0);
    let writer = target.client()?;
    let path = format!("{}/fan", maps());
    // It may be there from an earlier round.
    let _ = writer.create(&maps(), &map("fan", 0)).await;
    let written = Arc::new(Written { since: clock.stopwatch(), at: Mutex::default() });
    let query = "watch=1&fieldSelector=metadata.name%3Dfan&resourceVersion=";
    let listed = writer.open("GET", &path, "", Bytes::new()).await?;
    let listed = listed.into_body().collect().await.map_err(|error| error.to_string())?.to_bytes();
    let object: serde_json::Value = serde_json::from_slice(&listed).map_err(|error| error.to_string())?;
    let version = object["metadata"]["resourceVersion"].as_str().unwrap_or_default().to_owned();
    let (mut workers, mut clients) = (JoinSet::new(), Vec::new());
    for _ in 0..WATCHERS {
        let client = target.client()?;
        let open = client.open("GET", &format!("{}?{query}{version}", maps()), "", Bytes::new()).await?;
        if !open.status().is_success() {
            return Err(format!("a watch was refused with {}", open.status()));
        }
        workers.spawn(watcher(open.into_body(), written.clone()));
        clients.push(client);
    }
    let all = clock.stopwatch();
    for count in 1..=EVENTS {
        let now = written.since.elapsed().as_secs_f64();
        written.at.lock().unwrap_or_else(PoisonError::into_inner).push(now);
        let body = map("fan", u64::try_from(count).unwrap_or_default()).to_string().into();
        writer.send("PUT", &path, "application/json", body).await?;
    }
    let mut each = Vec::new();
    let read = async {
        while let Some(done) = workers.join_next().await {
            each.extend(done.map_err(|error| error.to_string())??);
        }
        Ok::<_, String>(())
    };
    clock.wall_timeout(PATIENCE, read).await.map_err(|_| "the last event never came".to_owned())??;
    let seconds = all.elapsed().as_secs_f64();
    writer.send("DELETE", &path, "", Bytes::new()).await?;
    Ok(Served::of(each, seconds))
}
