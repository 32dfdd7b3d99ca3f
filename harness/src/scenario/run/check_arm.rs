//! Whether Azure is as it should be.

use http::Method;
use serde_json::{Value, json};

use super::super::expect::ArmCheck;
use super::super::step::{CLUSTER, GROUP};
use super::fields;
use super::theatre::Theatre;
use crate::driver::{ApiVersion, AzureError};

/// What is not as it should be. No rule strikes while this is looked up.
pub(super) async fn unmet(theatre: &Theatre, checks: &[ArmCheck]) -> Vec<String> {
    if checks.is_empty() {
        return Vec::new();
    }
    let _held = theatre.world.faults().hold();
    let mut unmet = Vec::new();
    for check in checks {
        match (find(theatre, &check.of).await, check.absent) {
            (Err(reason), _) => unmet.push(format!("{} cannot be read: {reason}", check.of)),
            (Ok(None), true) => {}
            (Ok(None), false) => unmet.push(format!("{} does not exist", check.of)),
            (Ok(Some(_)), true) => unmet.push(format!("{} exists", check.of)),
            (Ok(Some(found)), false) => unmet.extend(fields::unmet(&check.of, &found, &check.is)),
        }
    }
    unmet
}

/// The groups and connected clusters of the scenario's subscription and their states, in the order of their names.
pub(super) async fn what_there_is(theatre: &Theatre) -> Vec<Value> {
    let _held = theatre.world.faults().hold();
    let azure = &theatre.observer;
    let mut all = Vec::new();
    if let Ok(Some(group)) = azure.group(GROUP).await {
        all.push(json!({ "group": GROUP, "provisioningState": group["properties"]["provisioningState"] }));
    }
    let mut clusters = azure.clusters(None).await.unwrap_or_default();
    clusters.sort_by_key(|cluster| cluster["name"].as_str().map(ToOwned::to_owned));
    all.extend(clusters.iter().map(|cluster| {
        let properties = &cluster["properties"];
        json!({
            "cluster": cluster["name"],
            "provisioningState": properties["provisioningState"],
            "connectivityStatus": properties["connectivityStatus"],
        })
    }));
    all
}

async fn find(theatre: &Theatre, of: &str) -> Result<Option<Value>, String> {
    let azure = &theatre.observer;
    let (kind, name) = of.split_once(' ').unwrap_or((of, ""));
    let or = |default: &'static str| if name.is_empty() { default } else { name };
    let found = match kind {
        "cluster" => azure.cluster(GROUP, or(CLUSTER), ApiVersion::CLUSTERS.0).await,
        "group" => azure.group(or(GROUP)).await,
        "provider" => azure.provider(or("Microsoft.Kubernetes")).await.map(Some),
        _ if of.starts_with('/') => {
            let path = theatre.filled(of);
            let (path, version) = path
                .split_once("?api-version=")
                .ok_or_else(|| format!("'{of}' does not end in ?api-version=…"))?;
            match azure.rest(Method::GET, path, version, None, false).await {
                Ok((_, body)) => Ok(Some(body)),
                Err(AzureError::Refused { status: 404, .. }) => Ok(None),
                Err(error) => Err(error),
            }
        }
        _ => {
            return Err(format!(
                "'{of}' is none of: cluster [NAME], group [NAME], provider NAMESPACE, a path"
            ));
        }
    };
    found.map_err(|error| error.to_string())
}
