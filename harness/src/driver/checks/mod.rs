//! The checks before onboarding: a Job in the cluster that tries names and hosts, as `az connectedk8s connect` runs it.
//!
//! The Job comes from the chart `clusterdiagnosticchecks` and is a Helm release while it is there. What goes wrong with it ends
//! onboarding before anything is written to Azure. Not modelled: the files with logs that the Azure CLI keeps.

mod log;
mod pods;

use std::time::Duration;

use arc_agent_sim::manifests::{
    self, CHECKS_CHART, CHECKS_CONTAINER, CHECKS_JOB, CHECKS_RELEASE, CheckSettings, ProxySettings,
    RELEASE_NAMESPACE, owned_by,
};
use serde_json::{Value, json};

use self::log::{Outcome, Results};
use super::agents::name_of;
use super::configurations::Configurations;
use super::helm::{self, Release, Status};
use super::wait::items;
use super::{Code, Driver, DriverError, Stage, StageState};

const REGISTRY: &str = "mcr.microsoft.com";
const FOLDER: &str = "azurearck8s/helmchart/stable";

/// How long the Azure CLI waits for the Job (world time), and how often it is looked at.
const LIMIT: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_secs(1);

const NEXT: &str = "see https://learn.microsoft.com/azure/azure-arc/kubernetes/network-requirements for what the cluster must reach, \
                    and try again";

/// How the Job ended.
#[derive(PartialEq, Eq)]
enum Ended {
    Complete,
    /// It was still at work, or failed.
    Incomplete,
    /// No pod of it ever ran.
    NotScheduled,
}

impl Driver {
    /// Runs the checks, and removes them again.
    ///
    /// # Errors
    /// What a check found, or why the checks could not be run.
    pub(super) async fn check_cluster(
        &self,
        location: &str,
        configurations: &Configurations,
    ) -> Result<(), DriverError> {
        self.begin(Stage::Checks);
        let not_run = |error: DriverError| DriverError { code: Code::CHECKS_NOT_RUN, ..error };
        let stale = self.release_of(Stage::Checks, CHECKS_RELEASE).await.map_err(not_run)?;
        if let Some(stale) = stale {
            self.remove_checks(&stale).await;
        }
        let (name, version) = CHECKS_CHART;
        let reference = format!("{REGISTRY}/{FOLDER}/{name}:{version}");
        let chart = self.pull_chart(Stage::Checks, &reference, false).await.map_err(not_run)?;
        let settings = CheckSettings {
            location: location.into(),
            cloud: "AZUREPUBLICCLOUD".into(),
            registry: REGISTRY.into(),
            proxy: configurations.proxy(),
        };
        let objects = manifests::checks(&settings);
        let manifest = helm::manifest_text(name, &objects, manifests::check_template_of);
        let names = [CHECKS_RELEASE, RELEASE_NAMESPACE];
        let release = Release::first(names, &chart, &values(&settings), manifest, self.clock.now());
        let ended = match self.install_checks(&release, &objects).await {
            Ok(()) => self.judge().await,
            Err(error) => Err(error),
        };
        self.remove_checks(&release).await;
        ended
    }

    async fn install_checks(&self, release: &Release, objects: &[Value]) -> Result<(), DriverError> {
        let namespace =
            json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": RELEASE_NAMESPACE } });
        self.put_for_checks(&namespace).await?;
        let record = |release: &Release| {
            release.secret(self.clock.now()).map_err(|reason| {
                DriverError::new(Stage::Checks, Code::CHECKS_NOT_RUN, reason, "this is a bug in dryarc")
            })
        };
        self.put_for_checks(&record(release)?).await?;
        for object in objects {
            self.put_for_checks(&owned_by(CHECKS_RELEASE, object.clone())).await?;
        }
        self.put_for_checks(&record(&release.clone().with(Status::Deployed))?).await
    }

    async fn put_for_checks(&self, object: &Value) -> Result<(), DriverError> {
        self.cluster.put_object(object).await.map_err(|error| {
            let summary = "Execution of pre-onboarding checks failed";
            DriverError::kube(Stage::Checks, Code::CHECKS_NOT_RUN, summary, &name_of(object), &error)
        })
    }

    async fn judge(&self) -> Result<(), DriverError> {
        let ended = self.wait_for_job().await?;
        let seen = if ended == Ended::Complete { String::new() } else { self.state_of_pods().await };
        let not_run = |code: Code, status: &str| {
            let what =
                format!("Execution of pre-onboarding checks failed: jobExecutionStatus={status}{seen}");
            let next =
                "see why: kubectl get events -n azure-arc-release; the cluster needs a linux node with room";
            Err(DriverError::new(Stage::Checks, code, what, next).at(format!("Job {CHECKS_JOB}")))
        };
        match ended {
            Ended::NotScheduled => return not_run(Code::CHECKS_NOT_SCHEDULED, "NotScheduled"),
            Ended::Incomplete => return not_run(Code::CHECKS_NOT_COMPLETE, "NotCompleted"),
            Ended::Complete => {}
        }
        let results = Results::read(&self.log_of_job().await?);
        if let Some(line) = &results.unconnectable {
            let text = format!("cluster connect will not work, because its host cannot be reached: {line}");
            self.report(Stage::Checks, StageState::Warning, text);
        }
        let Results { dns, outbound, entra, definitions, .. } = &results;
        let summary = format!(
            "dnsCheck={dns}; outboundConnectivityCheck={outbound}; entraCheck={entra}; crdCheck={definitions}"
        );
        let failed = |code, what: &str, lines: &[String]| {
            let lines: String = lines.iter().map(|line| format!("\n    {line}")).collect();
            let what = format!("{what}: {summary}{lines}");
            Err(DriverError::new(Stage::Checks, code, what, NEXT).at(format!("Job {CHECKS_JOB}")))
        };
        match results.verdict() {
            Outcome::Passed => {
                self.report(Stage::Checks, StageState::Done, summary);
                Ok(())
            }
            Outcome::Failed => {
                failed(results.code, "One or more pre-onboarding diagnostic checks failed", &results.lines)
            }
            Outcome::Incomplete => {
                failed(Code::CHECKS_INCOMPLETE, "Execution of pre-onboarding checks failed", &[])
            }
        }
    }

    async fn wait_for_job(&self) -> Result<Ended, DriverError> {
        let limit = self.pace.limit(LIMIT);
        let path = format!("/apis/batch/v1/namespaces/{RELEASE_NAMESPACE}/jobs/{CHECKS_JOB}");
        loop {
            let job = self.cluster.get(&path).await.map_err(|error| unreadable(&path, &error))?;
            let number =
                |key: &str| job.pointer(&format!("/status/{key}")).and_then(Value::as_i64).unwrap_or(0);
            let conditions = job.pointer("/status/conditions").and_then(Value::as_array);
            let is = |kind: &str| {
                conditions.into_iter().flatten().any(|one| one["type"] == kind && one["status"] == "True")
            };
            if is("Complete") {
                return Ok(Ended::Complete);
            }
            if number("failed") >= 3 || is("Failed") {
                return Ok(Ended::Incomplete);
            }
            if limit.is_over() {
                let ran = self.pods_of_job().await?.iter().any(|pod| pod["status"]["phase"] != "Pending");
                return Ok(if ran { Ended::Incomplete } else { Ended::NotScheduled });
            }
            self.pace.world(POLL).await;
        }
    }

    async fn pods_of_job(&self) -> Result<Vec<Value>, DriverError> {
        let path =
            format!("/api/v1/namespaces/{RELEASE_NAMESPACE}/pods?labelSelector=job-name%3D{CHECKS_JOB}");
        let list = self.cluster.get(&path).await.map_err(|error| unreadable(&path, &error))?;
        Ok(items(&list).to_vec())
    }

    /// What the cluster says about the Job's pods: a line for each of them, and for each of the last warnings.
    async fn state_of_pods(&self) -> String {
        // Whoever asks has an error already; what cannot be read is not said.
        let pods = self.pods_of_job().await.unwrap_or_default();
        let path = format!("/api/v1/namespaces/{RELEASE_NAMESPACE}/events?fieldSelector=type%3DWarning");
        let events = self.cluster.get(&path).await.unwrap_or_default();
        pods::tell(&pods, items(&events))
    }

    /// The log of the Job's newest pod.
    async fn log_of_job(&self) -> Result<String, DriverError> {
        let pods = self.pods_of_job().await?;
        let made = |pod: &Value| pod["metadata"]["creationTimestamp"].as_str().map(str::to_owned);
        let Some(pod) = pods.into_iter().max_by_key(made) else { return Ok(String::new()) };
        let pod = pod["metadata"]["name"].as_str().unwrap_or_default();
        let path =
            format!("/api/v1/namespaces/{RELEASE_NAMESPACE}/pods/{pod}/log?container={CHECKS_CONTAINER}");
        self.cluster.text(&path).await.map_err(|error| unreadable(&path, &error))
    }

    /// Removes the checks as `helm delete` does. As in the Azure CLI, onboarding does not depend on it.
    async fn remove_checks(&self, release: &Release) {
        let mut objects = release.objects().unwrap_or_default();
        objects.reverse();
        for object in objects {
            if let Err(error) = self.cluster.delete_object(&object).await {
                let text = format!("{} could not be deleted: {error}", name_of(&object));
                self.report(Stage::Checks, StageState::Warning, text);
            }
        }
        let records = format!(
            "/api/v1/namespaces/{RELEASE_NAMESPACE}/secrets?labelSelector=name%3D{CHECKS_RELEASE}%2Cowner%3Dhelm"
        );
        if let Err(error) = self.cluster.delete(&records).await {
            let text = format!("the release {CHECKS_RELEASE} could not be deleted: {error}");
            self.report(Stage::Checks, StageState::Warning, text);
        }
    }
}

fn unreadable(path: &str, error: &kube::Error) -> DriverError {
    let summary = "Execution of pre-onboarding checks failed";
    DriverError::kube(Stage::Checks, Code::CHECKS_NOT_RUN, summary, path, error)
}

/// The chart's values as the Azure CLI sets them.
fn values(settings: &CheckSettings) -> Value {
    let ProxySettings { https, http, no_proxy, certificate } = &settings.proxy;
    let mut values = json!({ "global": {
        "location": settings.location,
        "azureCloud": settings.cloud,
        "mcrRepository": settings.registry,
        "image": { "registry": settings.registry },
    } });
    for (name, value) in
        [("httpsProxy", https), ("httpProxy", http), ("noProxy", no_proxy), ("proxyCert", certificate)]
    {
        if let Some(value) = value {
            values["global"][name] = value.as_str().into();
        }
    }
    values
}
