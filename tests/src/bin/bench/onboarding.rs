//! What onboarding costs: by the native driver, by helm, and the cloud's share in a run of the real Azure CLI.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::Stdio;

use e2e_tests::clients::{Client, extension};
use e2e_tests::command::{Ran, Sandbox};
use serde_json::Value;
use sim_core::clock::Clock;

use super::start::beside;

/// Milliseconds of wall time, each from the moment at which the third step of the quickstart begins.
pub(crate) struct Native {
    /// Until the connect returns.
    pub(crate) connect: f64,
    /// Until the cloud shows the cluster as Connected.
    pub(crate) connected: f64,
}

/// The quickstart, with the clock `instant`, read as it is shown.
pub(crate) fn native() -> Result<Native, String> {
    let sandbox = sandbox(None)?;
    let failed = |error: std::io::Error| error.to_string();
    let mut tour = sandbox.prepare(["quickstart", "--seed", "1"]);
    let mut child = tour.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().map_err(failed)?;
    let watch = Clock::running(1.0).stopwatch();
    let mut seen = [None; 3];
    let stdout = child.stdout.take().ok_or("the tour shows nothing")?;
    for line in BufReader::new(stdout).lines() {
        let line = line.map_err(failed)?;
        let moments = [line.starts_with("3. "), line.starts_with("4. "), line.starts_with("Connected ")];
        for (moment, _) in seen.iter_mut().zip(moments).filter(|(moment, now)| *now && moment.is_none()) {
            *moment = Some(watch.elapsed().as_secs_f64() * 1000.0);
        }
    }
    child.wait().map_err(failed)?;
    match seen {
        [Some(begin), Some(end), Some(connected)] => {
            Ok(Native { connect: end - begin, connected: connected - begin })
        }
        _ => Err("the tour did not come to its sixth step".into()),
    }
}

/// What helm needs so that its install of the agents' chart meets a cluster whose resource and key are there.
const PREPARE: &str = "
set -e
dryarc onboard --name c --resource-group g --location eastus >/dev/null 2>&1
helm get values azure-arc -n azure-arc-release -o yaml >values.yaml
version=$(helm list -n azure-arc-release -o json | sed 's/.*\"app_version\":\"\\([^\"]*\\)\".*/\\1/')
kubectl get secret azure-arc-connect-privatekey -n azure-arc -o jsonpath='{.data.privateKey}' | base64 -d >key.pem
helm uninstall azure-arc -n azure-arc-release --wait >/dev/null
kubectl delete namespace azure-arc --ignore-not-found --wait >/dev/null
helm pull oci://mcr.microsoft.com/azurearck8s/batch1/stable/v2/azure-arc-k8sagents --version \"$version\" --untar >/dev/null 2>&1
";

const INSTALL: &str = "helm upgrade --install azure-arc azure-arc-k8sagents -n azure-arc-release --create-namespace -f values.yaml \
                       --set-file global.onboardingPrivateKey=key.pem --wait --timeout 120s";

/// Milliseconds of `helm upgrade --install --wait` of the agents' chart, the last of three; none without helm and kubectl.
pub(crate) fn helm() -> Result<Option<f64>, String> {
    let (Some(helm), Some(_)) = (Client::Helm.find(), Client::Kubectl.find()) else { return Ok(None) };
    let sandbox = sandbox(Some(&helm))?;
    done(sandbox.run(["up", "--detach", "--seed", "1"]))?;
    register(&sandbox)?;
    let shell = |script: &str| done(sandbox.run(["exec", "--", "sh", "-c", script]));
    shell(PREPARE)?;
    let watch = Clock::running(1.0).stopwatch();
    shell(INSTALL)?;
    let took = watch.elapsed().as_secs_f64() * 1000.0;
    done(sandbox.run(["down"]))?;
    Ok(Some(took))
}

/// The cloud's share in a run of the real Azure CLI.
pub(crate) struct Share {
    /// Requests.
    pub(crate) requests: u64,
    /// Milliseconds that the cloud worked on them.
    pub(crate) server: f64,
    /// Milliseconds of the whole command.
    pub(crate) whole: f64,
}

/// `az connectedk8s connect`, the clock at its usual pace; none without the CLI and its extension.
pub(crate) fn az() -> Result<Option<Share>, String> {
    let Some(az) = Client::Connectedk8s.find() else { return Ok(None) };
    let sandbox = sandbox(Some(&az))?;
    done(sandbox.run(["up", "--detach", "--seed", "1"]))?;
    register(&sandbox)?;
    let exec = |words: &str| done(sandbox.run(["exec", "--"].into_iter().chain(words.split(' '))));
    exec("az group create -n g -l eastus")?;
    let before = costs(&sandbox)?;
    let watch = Clock::running(1.0).stopwatch();
    exec("az connectedk8s connect -n c -g g --output none")?;
    let whole = watch.elapsed().as_secs_f64() * 1000.0;
    let after = costs(&sandbox)?;
    done(sandbox.run(["down"]))?;
    Ok(Some(Share { requests: after.0 - before.0, server: after.1 - before.1, whole }))
}

/// Requests so far, and milliseconds that they took.
fn costs(sandbox: &Sandbox) -> Result<(u64, f64), String> {
    let ran = done(sandbox.run(["journal", "--costs", "--output", "json"]))?;
    let rows: Vec<Value> = serde_json::from_str(&ran.stdout).map_err(|error| error.to_string())?;
    let total = rows.last().ok_or("no costs")?;
    let number = |name: &str| total[name].as_u64().unwrap_or_default();
    let micros = u32::try_from(number("micros")).map_err(|error| error.to_string())?;
    Ok((number("requests"), f64::from(micros) / 1000.0))
}

fn register(sandbox: &Sandbox) -> Result<(), String> {
    for namespace in ["Microsoft.Kubernetes", "Microsoft.KubernetesConfiguration"] {
        done(sandbox.run(["provider", "set", namespace, "--state", "Registered"]))?;
    }
    Ok(())
}

/// A sandbox in which the commands find `dryarc` and the client's folder.
fn sandbox(client: Option<&Path>) -> Result<Sandbox, String> {
    let program = beside("dryarc")?;
    let folders = [program.parent(), client.and_then(Path::parent)];
    let own: Vec<String> = folders.into_iter().flatten().map(|folder| folder.display().to_string()).collect();
    let path = format!("{}:{}", own.join(":"), std::env::var("PATH").unwrap_or_default());
    let sandbox = Sandbox::new(program).map_err(|error| error.to_string())?.with_variable("PATH", path);
    Ok(match extension() {
        Some(folder) => sandbox.with_variable("DRYARC_AZ_EXTENSION_DIR", folder.display().to_string()),
        None => sandbox,
    })
}

fn done(ran: std::io::Result<Ran>) -> Result<Ran, String> {
    let ran = ran.map_err(|error| error.to_string())?;
    if ran.code == 0 {
        Ok(ran)
    } else {
        Err(format!("ended with {}: {}{}", ran.code, ran.stdout, ran.stderr))
    }
}
