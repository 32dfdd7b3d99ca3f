//! Requests per second and the slowest of a hundred, verb by verb.

use std::time::Duration;

use bytes::Bytes;
use sim_core::clock::Clock;
use tokio::task::JoinSet;

use super::target::{Target, map, maps};

/// How many clients ask at once, each over a connection of its own.
const CLIENTS: usize = 8;

/// How many objects a list has.
const LISTED: usize = 1000;

/// How long one verb is measured at a time.
const ROUND: Duration = Duration::from_secs(3);

/// A verb that is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verb {
    Get,
    List,
    Put,
    Patch,
    Apply,
}

/// All of them, with their names.
pub(super) const VERBS: [(Verb, &str); 5] = [
    (Verb::Get, "GET"),
    (Verb::List, "LIST of 1,000"),
    (Verb::Put, "PUT"),
    (Verb::Patch, "PATCH (merge)"),
    (Verb::Apply, "server-side apply"),
];

/// What was measured.
#[derive(Debug, Clone, Default)]
pub(super) struct Served {
    /// Per second.
    pub(super) rate: f64,
    /// Milliseconds, of which 99 of 100 took less.
    pub(super) p99: f64,
}

impl Served {
    /// From what each took, in milliseconds, and how long it took in all, in seconds.
    pub(super) fn of(mut each: Vec<f64>, seconds: f64) -> Self {
        each.sort_by(f64::total_cmp);
        let count = each.len();
        let p99 = each.get(count.saturating_sub(1).min(count * 99 / 100)).copied().unwrap_or(f64::NAN);
        #[expect(clippy::cast_precision_loss, reason = "a number of requests")]
        let rate = count as f64 / seconds;
        Self { rate, p99 }
    }
}

/// Makes the objects that the verbs are about.
pub(super) async fn prepare(target: &Target) -> Result<(), String> {
    let mut workers = JoinSet::new();
    for worker in 0..CLIENTS {
        let client = target.client()?;
        workers.spawn(async move {
            for index in (worker..LISTED).step_by(CLIENTS) {
                client.create(&maps(), &map(&format!("m{index}"), 0)).await?;
            }
            Ok::<_, String>(())
        });
    }
    while let Some(done) = workers.join_next().await {
        done.map_err(|error| error.to_string())??;
    }
    Ok(())
}

fn request(verb: Verb, worker: usize, count: u64) -> (&'static str, String, &'static str, Bytes) {
    let name = format!("m{worker}");
    let one = format!("{}/{name}", maps());
    let text = |value: serde_json::Value| Bytes::from(value.to_string());
    match verb {
        Verb::Get => ("GET", one, "", Bytes::new()),
        Verb::List => ("GET", maps(), "", Bytes::new()),
        Verb::Put => ("PUT", one, "application/json", text(map(&name, count))),
        Verb::Patch => {
            let patch = serde_json::json!({"data": {"count": format!("n{count}n")}});
            ("PATCH", one, "application/merge-patch+json", text(patch))
        }
        Verb::Apply => {
            let path = format!("{one}?fieldManager=bench&force=true");
            ("PATCH", path, "application/apply-patch+yaml", text(map(&name, count)))
        }
    }
}

/// Measures one verb once.
pub(super) async fn round(target: &Target, verb: Verb) -> Result<Served, String> {
    let clock = Clock::running(1.0);
    let mut workers = JoinSet::new();
    let all = clock.stopwatch();
    for worker in 0..CLIENTS {
        let (client, clock) = (target.client()?, clock.clone());
        workers.spawn(async move {
            let (whole, mut each, mut count) = (clock.stopwatch(), Vec::new(), 0);
            while whole.elapsed() < ROUND {
                count += 1;
                let (method, path, media, body) = request(verb, worker, count);
                let watch = clock.stopwatch();
                client.send(method, &path, media, body).await?;
                each.push(watch.elapsed().as_secs_f64() * 1000.0);
            }
            Ok::<_, String>(each)
        });
    }
    let mut each = Vec::new();
    while let Some(done) = workers.join_next().await {
        each.extend(done.map_err(|error| error.to_string())??);
    }
    Ok(Served::of(each, all.elapsed().as_secs_f64()))
}
