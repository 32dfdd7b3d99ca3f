//! `az connectedk8s connect` and `delete`.

use std::time::Duration;

use super::super::super::model::Span;
use super::super::super::step::{Offboard, Onboard};
use super::super::kubeconfig::kubeconfig;
use super::super::outcome::Outcome;
use super::Az;
use crate::state::write_private;
use crate::world::DEFAULT_SPEED;

/// The shortest limit that helm is given (wall time): pods are really started.
const SHORTEST: Duration = Duration::from_secs(15);

/// Connects the cluster. A limit is of world time, and helm waits by wall time: it is given as much as the world's clock needs for it.
pub(super) async fn connect(az: &mut Az<'_>, onboard: &Onboard) -> Outcome {
    let mut line: Vec<String> = ["connectedk8s", "connect", "--name", &onboard.name, "--resource-group"]
        .into_iter()
        .chain([onboard.group.as_str()])
        .map(ToOwned::to_owned)
        .collect();
    if let Some(Span(limit)) = onboard.timeout {
        let wall = limit.div_f64(DEFAULT_SPEED).max(SHORTEST);
        line.extend(["--onboarding-timeout".to_owned(), wall.as_secs().to_string()]);
    }
    let options = [
        ("--location", &onboard.location),
        ("--proxy-https", &onboard.proxy_https),
        ("--proxy-http", &onboard.proxy_http),
        ("--proxy-skip-range", &onboard.proxy_skip_range),
        ("--proxy-cert", &onboard.proxy_cert),
    ];
    for (name, value) in options {
        if let Some(value) = value {
            line.extend([name.to_owned(), az.theatre.placed(value)]);
        }
    }
    if onboard.no_wait {
        line.push("--no-wait".into());
    }
    if onboard.kubeconfig.is_some() {
        let file = az.clients.dir().join("kubeconfig-of-step");
        let text = match kubeconfig(az.theatre, onboard.kubeconfig.as_ref()).await {
            Ok(text) => text,
            Err(reason) => return Outcome::failed(2, reason),
        };
        if let Err(error) = write_private(&file, text.as_bytes()) {
            return Outcome::failed(2, error.to_string());
        }
        line.extend(["--kube-config".to_owned(), file.display().to_string()]);
    }
    if !onboard.checks {
        az.set("AZURE_LOCAL_DISCONNECTED", "true".into());
    }
    az.run(&line).await
}

/// Disconnects it.
pub(super) async fn delete(az: &Az<'_>, offboard: &Offboard) -> Outcome {
    let Offboard { name, group, force } = offboard;
    let mut line = vec!["connectedk8s", "delete", "--name", name, "--resource-group", group, "--yes"];
    if *force {
        line.push("--force");
    }
    az.run(&line).await
}
