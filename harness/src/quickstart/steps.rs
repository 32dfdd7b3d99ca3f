//! What the native driver does for each step of the page.

use std::time::Duration;

use arc_agent_sim::manifests::{self, AgentSettings};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::TourOptions;
use super::az_table::az_table;
use super::kubectl_table::kubectl_table;
use super::page::{CLUSTER, GROUP, LOCATION, PROVIDERS, group_of, page_reply};
use super::plan::{Task, plan};
use super::promises::{check_deployments, check_pods, expect, has_reported, knows_expiry, text};
use super::report::StepReport;
use super::tour::{Performed, Tour};
use crate::driver::{ApiVersion, Limit, OffboardOptions, OnboardOptions};

/// The page: registration takes up to 10 minutes.
const REGISTRATION_LIMIT: Duration = Duration::from_secs(600);
/// The page: metadata appears within 5 to 10 minutes.
pub(super) const METADATA_LIMIT: Duration = Duration::from_secs(600);
/// How often the metadata is looked at (world time).
const METADATA_POLL: Duration = Duration::from_secs(10);

pub(super) const DEPLOYMENTS: &str = "/apis/apps/v1/namespaces/azure-arc/deployments";
pub(super) const PODS: &str = "/api/v1/namespaces/azure-arc/pods";

pub(super) fn failed(what: &str) -> impl Fn(crate::driver::AzureError) -> String {
    move |error| format!("{what}: {error}\n  where: {}\n  next:  {}", error.place(), error.next())
}

impl Tour {
    pub(super) async fn walk(&self, options: TourOptions, steps: &mut Vec<StepReport>) {
        for (task, step) in plan() {
            let kept = options.keep && matches!(task, Task::Disconnect | Task::CleanUp);
            let commands = step.commands.clone();
            let work = async {
                match &self.shell {
                    Some(shell) => Box::pin(self.by_az(shell, task, &commands)).await,
                    None => self.natively(task).await,
                }
            };
            self.perform(steps, step, kept.then_some("the world is kept"), work).await;
        }
    }

    async fn natively(&self, task: Task) -> Performed {
        match task {
            Task::Register => self.register().await,
            Task::Group => self.create_group().await,
            Task::Connect => Box::pin(self.connect()).await,
            Task::List => self.list().await,
            Task::Agents => self.agents().await,
            Task::Metadata => self.metadata().await,
            Task::Disconnect => Box::pin(self.disconnect()).await,
            Task::CleanUp => self.clean_up().await,
        }
    }

    async fn register(&self) -> Performed {
        for namespace in PROVIDERS {
            let provider = self.azure.register(namespace).await;
            provider.map_err(failed(&format!("{namespace} could not be registered")))?;
        }
        self.screen.show(&providers_table(&self.providers().await?));
        self.screen.show("\n");
        let providers = self.registered().await?;
        self.screen.show(&providers_table(&providers));
        Ok(json!(providers.iter().map(registration).collect::<Vec<_>>()))
    }

    /// Waits until every provider is registered; returns them.
    pub(super) async fn registered(&self) -> Result<Vec<Value>, String> {
        let limit = self.pace.limit(REGISTRATION_LIMIT);
        loop {
            let providers = self.providers().await?;
            let state = |provider: &Value| text(provider, "/registrationState").to_owned();
            if providers.iter().all(|provider| state(provider) == "Registered") {
                return Ok(providers);
            }
            let states: Vec<String> = providers
                .iter()
                .map(|provider| format!("{} {}", text(provider, "/namespace"), state(provider)))
                .collect();
            expect(!limit.is_over(), || {
                format!("not registered after {} s: {}", REGISTRATION_LIMIT.as_secs(), states.join(", "))
            })?;
            self.progress(&states.join(", "));
            self.azure.registration_pause().await;
        }
    }

    async fn providers(&self) -> Result<Vec<Value>, String> {
        let mut all = Vec::new();
        for namespace in PROVIDERS {
            let provider = self.azure.provider(namespace).await;
            all.push(provider.map_err(failed(&format!("{namespace} could not be read")))?);
        }
        Ok(all)
    }

    async fn create_group(&self) -> Performed {
        let group = self.azure.create_group(GROUP, LOCATION).await;
        let group = group.map_err(failed("the resource group could not be created"))?;
        let (location, name) = (text(&group, "/location"), text(&group, "/name"));
        self.screen.show(&az_table(&["Location", "Name"], &[vec![location.into(), name.into()]]));
        expect(location == LOCATION.to_lowercase() && name == GROUP, || {
            format!("the group is '{name}' in '{location}', not '{GROUP}' in '{}'", LOCATION.to_lowercase())
        })?;
        Ok(json!({ "location": location, "name": name }))
    }

    async fn connect(&self) -> Performed {
        let mut options = OnboardOptions::new(CLUSTER, GROUP);
        options.view = Some(ApiVersion::CLUSTERS_FIRST.0.into());
        let onboarded = self.driver.onboard(&options).await.map_err(|error| error.to_string())?;
        let reply = page_reply(onboarded.view.as_ref().unwrap_or(&onboarded.resource));
        let shown = serde_json::to_string_pretty(&reply).map_err(|error| error.to_string())?;
        self.screen.show(&format!("{shown}\n"));
        let status = text(&reply, "/connectivityStatus");
        expect(status == "Connecting", || format!("connectivityStatus is '{status}', not 'Connecting'"))?;
        expect(reply["agentVersion"].is_null(), || {
            format!("agentVersion is {} already", reply["agentVersion"])
        })?;
        let location = text(&reply, "/location");
        expect(location == LOCATION.to_lowercase(), || format!("location is '{location}', not the group's"))?;
        Ok(reply)
    }

    async fn list(&self) -> Performed {
        let clusters = self.azure.clusters(Some(GROUP)).await;
        let clusters = clusters.map_err(failed("the connected clusters could not be listed"))?;
        let row = |cluster: &Value| -> Vec<Value> {
            vec![text(cluster, "/name").into(), text(cluster, "/location").into(), group_of(cluster).into()]
        };
        let rows: Vec<Vec<Value>> = clusters.iter().map(row).collect();
        self.screen.show(&az_table(&["Name", "Location", "ResourceGroup"], &rows));
        expect(rows.len() == 1 && text(&clusters[0], "/name") == CLUSTER, || {
            format!("the group has {} connected clusters, not just {CLUSTER}", rows.len())
        })?;
        Ok(json!(rows))
    }

    async fn agents(&self) -> Performed {
        let cluster = self.driver.cluster();
        let read = async |path: &str| {
            cluster.table(path).await.map_err(|error| format!("the agents cannot be listed: {error}"))
        };
        let (deployments, pods) = (read(DEPLOYMENTS).await?, read(PODS).await?);
        let shown = (kubectl_table(&deployments, "deployment.apps/"), kubectl_table(&pods, "pod/"));
        self.screen.show(&format!("{}\n{}", shown.0, shown.1));
        check_deployments(&deployments)?;
        check_pods(&pods)?;
        Ok(json!({ "deployments": shown.0, "pods": shown.1 }))
    }

    async fn metadata(&self) -> Performed {
        let limit = self.pace.limit(METADATA_LIMIT);
        let first = self.wait_for_cluster("the first report of the agents", &limit, has_reported).await?;
        let property = |cluster: &Value, key: &str| {
            cluster.pointer(&format!("/properties/{key}")).cloned().unwrap_or_default()
        };
        let columns = [
            ("Status", "connectivityStatus"),
            ("Kubernetes", "kubernetesVersion"),
            ("Agents", "agentVersion"),
            ("Nodes", "totalNodeCount"),
            ("Cores", "totalCoreCount"),
        ];
        let row = columns.map(|(_, key)| property(&first, key)).to_vec();
        self.screen.show(&az_table(&columns.map(|(header, _)| header), &[row]));
        let second =
            self.wait_for_cluster("the expiry of the identity certificate", &limit, knows_expiry).await?;
        let columns = [
            ("LastSeen", "lastConnectivityTime"),
            ("CertificateExpires", "managedIdentityCertificateExpirationTime"),
        ];
        let row = columns.map(|(_, key)| property(&second, key)).to_vec();
        self.screen.show("\n");
        self.screen.show(&az_table(&columns.map(|(header, _)| header), &[row]));
        let expires: Timestamp = text(&second, "/properties/managedIdentityCertificateExpirationTime")
            .parse()
            .map_err(|error| format!("the expiry of the identity certificate is no time: {error}"))?;
        expect(expires > self.clock.now(), || {
            format!("the identity certificate expired at {expires} already")
        })?;
        Ok(page_reply(&second))
    }

    pub(super) async fn wait_for_cluster(
        &self,
        what: &str,
        limit: &Limit,
        arrived: impl Fn(&Value) -> bool,
    ) -> Result<Value, String> {
        loop {
            let cluster = self.azure.cluster(GROUP, CLUSTER, ApiVersion::CLUSTERS.0).await;
            let cluster = cluster.map_err(failed("the connected cluster could not be read"))?;
            let cluster = cluster.ok_or("the connected cluster is gone")?;
            if arrived(&cluster) {
                return Ok(cluster);
            }
            let status = text(&cluster, "/properties/connectivityStatus");
            expect(!limit.is_over(), || {
                format!("no sign of {what} within {} s; the status is {status}", METADATA_LIMIT.as_secs())
            })?;
            self.progress(&format!("{status}, waiting for {what}"));
            self.pace.world(METADATA_POLL).await;
        }
    }

    async fn disconnect(&self) -> Performed {
        let options =
            OffboardOptions { name: CLUSTER.into(), group: GROUP.into(), force: false, no_wait: false };
        let offboarded = self.driver.offboard(&options).await.map_err(|error| error.to_string())?;
        expect(offboarded.agents, || "there were no agents to remove".into())?;
        expect(offboarded.clean, || "namespace azure-arc is still terminating".into())?;
        self.nothing_connected(Some(GROUP)).await?;
        self.screen.show(&format!("{CLUSTER} is deleted; namespace azure-arc is gone.\n"));
        Ok(json!({ "deleted": CLUSTER }))
    }

    async fn clean_up(&self) -> Performed {
        let on_poll = |state: &str| self.progress(&format!("deleting {GROUP}: {state}"));
        let deleted = self.azure.delete_group(GROUP, &on_poll).await;
        deleted.map_err(failed("the resource group could not be deleted"))?;
        let exists =
            self.azure.group_exists(GROUP).await.map_err(failed("the group could not be checked"))?;
        expect(!exists, || format!("resource group {GROUP} still exists"))?;
        self.nothing_connected(None).await?;
        let left = self.left_in_cluster().await?;
        expect(left.is_empty(), || format!("left in the cluster: {}", left.join(", ")))?;
        self.screen.show("false\n[]\nNothing is left, neither in the cloud nor in the cluster.\n");
        Ok(json!({ "groupExists": false, "connectedClusters": [], "leftInCluster": [] }))
    }

    /// Fails when there are connected clusters, in a group or anywhere.
    pub(super) async fn nothing_connected(&self, group: Option<&str>) -> Result<(), String> {
        let clusters = self.azure.clusters(group).await;
        let clusters = clusters.map_err(failed("the connected clusters could not be listed"))?;
        expect(clusters.is_empty(), || format!("{} connected clusters are left", clusters.len()))
    }

    /// Objects of the agents that are still in the cluster. Definitions stay, as helm leaves them.
    pub(super) async fn left_in_cluster(&self) -> Result<Vec<String>, String> {
        let subscription = &self.azure.credentials().subscription;
        let settings =
            AgentSettings::new(subscription, GROUP, CLUSTER, &LOCATION.to_lowercase(), &self.tenant);
        let mut left = Vec::new();
        for object in manifests::rendered(&settings) {
            let found = self.driver.cluster().find_object(&object).await;
            if found.map_err(|error| format!("the cluster cannot be read: {error}"))?.is_some() {
                left.push(format!("{} {}", text(&object, "/kind"), text(&object, "/metadata/name")));
            }
        }
        Ok(left)
    }
}

fn registration(provider: &Value) -> Value {
    json!({
        "namespace": text(provider, "/namespace"),
        "registrationPolicy": text(provider, "/registrationPolicy"),
        "registrationState": text(provider, "/registrationState"),
    })
}

/// One table for the three commands, in the form of each.
fn providers_table(providers: &[Value]) -> String {
    let row = |provider: &Value| -> Vec<Value> {
        ["/namespace", "/registrationPolicy", "/registrationState"]
            .map(|key| text(provider, key).into())
            .to_vec()
    };
    let rows: Vec<Vec<Value>> = providers.iter().map(row).collect();
    az_table(&["Namespace", "RegistrationPolicy", "RegistrationState"], &rows)
}
