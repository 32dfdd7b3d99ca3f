//! What it costs to have much stored: time per request and page, and memory per connected cluster.

use std::sync::Arc;
use std::time::Duration;

use mock_arm::server::Cloud;
use mock_arm::store::resources;
use rustls::ClientConfig;
use sim_core::clock::Clock;

use crate::load::{self, Prepared, Target};
use crate::server;

/// How many are few, and how many are many.
const FEW: usize = 100;
const MANY: usize = 100_000;

/// How often each kind of request is sent.
const TIMES: usize = 2000;

/// What was measured.
pub(crate) struct Scale {
    /// Median microseconds of GET and PUT with few stored.
    pub(crate) few: [f64; 2],
    /// The same with many.
    pub(crate) many: [f64; 2],
    /// Median milliseconds of a page of 1,000.
    pub(crate) page: f64,
    /// Bytes of memory per connected cluster.
    pub(crate) bytes: f64,
}

/// Resident bytes of this process.
fn resident() -> f64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    text.split_whitespace().nth(1).and_then(|pages| pages.parse::<f64>().ok()).unwrap_or_default() * 4096.0
}

/// Stores copies of the one cluster until there are `count`.
fn fill(cloud: &Cloud, from: usize, count: usize) -> Result<(), String> {
    let ledger = cloud.ledger();
    let found = ledger.read(|view| {
        let (key, row) = view.scan(mock_arm::store::RESOURCES, "").next()?;
        Some((key.to_owned(), resources::resource(row)))
    });
    let (key, mut resource) = found.ok_or("there is no cluster to copy")?;
    let base = key.rsplit_once('/').map(|(base, _)| base.to_owned()).unwrap_or_default();
    for index in from..count {
        let name = format!("n{index:06}");
        let id = resource["id"].as_str().and_then(|id| id.rsplit_once('/')).map(|(base, _)| base.to_owned());
        resource["id"] = format!("{}/{name}", id.unwrap_or_default()).into();
        resource["name"] = name.as_str().into();
        let written: Result<(), std::convert::Infallible> = ledger.write(|txn| {
            resources::put(txn, &format!("{base}/{name}"), &resource, None);
            Ok(())
        });
        let Ok(()) = written;
    }
    // What followed the changes is not what is stored.
    ledger.compact(ledger.revision());
    Ok(())
}

/// Median microseconds of one kind of request.
async fn median(target: &Target, times: usize, tls: &Arc<ClientConfig>) -> Result<f64, String> {
    let mut sender = load::connect(target, tls).await?;
    let clock = Clock::running(1.0);
    let mut micros = Vec::with_capacity(times);
    for _ in 0..times {
        let request = target.request(target.method, &target.path, &target.body)?;
        let watch = clock.stopwatch();
        let (status, _) = load::fetch(&mut sender, request).await?;
        micros.push(Duration::as_secs_f64(&watch.elapsed()) * 1e6);
        if !(200..300).contains(&status) {
            return Err(format!("{} {} answered {status}", target.method, target.path));
        }
    }
    micros.sort_by(f64::total_cmp);
    Ok(micros.get(times / 2).copied().unwrap_or_default())
}

async fn measure(cloud: Arc<Cloud>, tls: Arc<ClientConfig>) -> Result<Scale, String> {
    let Prepared { cluster, list, .. } = load::prepare(&cloud, &tls).await?;
    let put = Target { method: "PUT", ..cluster.clone() };
    let both = async |tls: &Arc<ClientConfig>| {
        median(&cluster, TIMES, tls).await?;
        Ok::<_, String>([median(&cluster, TIMES, tls).await?, median(&put, TIMES, tls).await?])
    };
    fill(&cloud, 0, FEW)?;
    let few = both(&tls).await?;
    let before = resident();
    fill(&cloud, FEW, MANY)?;
    let bytes = (resident() - before) / f64::from(u32::try_from(MANY - FEW).unwrap_or(u32::MAX));
    let many = both(&tls).await?;
    let page = median(&list, 20, &tls).await? / 1000.0;
    Ok(Scale { few, many, page, bytes })
}

/// Measures.
pub(crate) fn measured() -> Result<Scale, String> {
    let (servers, clients) = (load::runtime("servers")?, load::runtime("clients")?);
    let authority = load::authority()?;
    let tls = load::trusting(&authority)?;
    let cloud = servers.block_on(async move { server::cloud(&authority).await })?;
    clients.block_on(measure(Arc::new(cloud), tls))
}
