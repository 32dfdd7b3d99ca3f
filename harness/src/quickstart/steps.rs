//! The steps of the page, and what must come true in each.

use std::time::Duration;

use arc_agent_sim::manifests::{self, AgentSettings};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::TourOptions;
use super::az_table::az_table;
use super::kubectl_table::{kubectl_table, records};
use super::page::{AGENTS, CLUSTER, GROUP, LOCATION, PROVIDERS, group_of, page_reply};
use super::report::StepReport;
use super::tour::{Performed, Step, Tour};
use crate::driver::{ApiVersion, Limit, OffboardOptions, OnboardOptions};

/// The page: registration takes up to 10 minutes.
const REGISTRATION_LIMIT: Duration = Duration::from_secs(600);
/// The page: metadata appears within 5 to 10 minutes.
const METADATA_LIMIT: Duration = Duration::from_secs(600);
/// How often the metadata is looked at (world time).
const METADATA_POLL: Duration = Duration::from_secs(10);

const DEPLOYMENTS: &str = "/apis/apps/v1/namespaces/azure-arc/deployments";
const PODS: &str = "/api/v1/namespaces/azure-arc/pods";

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

fn step(number: u32, title: &'static str, commands: Vec<String>) -> Step {
    Step { number, title, commands, on_page: true }
}

/// Fails with `reason` unless `holds`.
fn expect(holds: bool, reason: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(reason()) }
}

fn failed(what: &str) -> impl Fn(crate::driver::AzureError) -> String {
    move |error| format!("{what}: {error}\n  where: {}\n  next:  {}", error.place(), error.next())
}

impl Tour {
    pub(super) async fn walk(&self, options: TourOptions, steps: &mut Vec<StepReport>) {
        let skip = options.keep.then_some("the world is kept");
        self.perform(steps, registration_step(), None, self.register()).await;
        let command = format!("az group create --name {GROUP} --location {LOCATION} --output table");
        self.perform(steps, step(2, "Create a resource group", vec![command]), None, self.create_group())
            .await;
        let command = format!("az connectedk8s connect --name {CLUSTER} --resource-group {GROUP}");
        let connecting = step(3, "Connect the Kubernetes cluster", vec![command]);
        self.perform(steps, connecting, None, Box::pin(self.connect())).await;
        let command = format!("az connectedk8s list --resource-group {GROUP} --output table");
        self.perform(steps, step(4, "Verify the connection", vec![command]), None, self.list()).await;
        let command = "kubectl get deployments,pods -n azure-arc".to_owned();
        self.perform(steps, step(5, "View the Azure Arc agents", vec![command]), None, self.agents()).await;
        self.perform(steps, metadata_step(), None, self.metadata()).await;
        let command = format!("az connectedk8s delete --name {CLUSTER} --resource-group {GROUP} --yes");
        let disconnecting = step(7, "Clean up: delete the connected cluster", vec![command]);
        self.perform(steps, disconnecting, skip, Box::pin(self.disconnect())).await;
        self.perform(steps, clean_up_step(), skip, self.clean_up()).await;
    }

    async fn register(&self) -> Performed {
        for namespace in PROVIDERS {
            let provider = self.azure.register(namespace).await;
            provider.map_err(failed(&format!("{namespace} could not be registered")))?;
        }
        self.screen.show(&providers_table(&self.providers().await?));
        self.screen.show("\n");
        let limit = self.pace.limit(REGISTRATION_LIMIT);
        loop {
            let providers = self.providers().await?;
            let state = |provider: &Value| text(provider, "/registrationState").to_owned();
            if providers.iter().all(|provider| state(provider) == "Registered") {
                self.screen.show(&providers_table(&providers));
                return Ok(json!(providers.iter().map(registration).collect::<Vec<_>>()));
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
        let first = self.wait_for_cluster("the first report of the agents", &limit, |cluster| {
            let has = |key: &str| {
                cluster.pointer(&format!("/properties/{key}")).is_some_and(|value| !value.is_null())
            };
            text(cluster, "/properties/connectivityStatus") == "Connected"
                && ["kubernetesVersion", "agentVersion", "totalNodeCount", "totalCoreCount"]
                    .into_iter()
                    .all(has)
        });
        let first = first.await?;
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
        let second = self.wait_for_cluster("the expiry of the identity certificate", &limit, |cluster| {
            !text(cluster, "/properties/managedIdentityCertificateExpirationTime").is_empty()
        });
        let second = second.await?;
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

    async fn wait_for_cluster(
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
        let left = self.azure.clusters(Some(GROUP)).await;
        let left = left.map_err(failed("the connected clusters could not be listed"))?;
        expect(left.is_empty(), || format!("{} connected clusters are left in {GROUP}", left.len()))?;
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
        let clusters = self.azure.clusters(None).await;
        let clusters = clusters.map_err(failed("the connected clusters could not be listed"))?;
        expect(clusters.is_empty(), || format!("{} connected clusters are left", clusters.len()))?;
        let left = self.left_in_cluster().await?;
        expect(left.is_empty(), || format!("left in the cluster: {}", left.join(", ")))?;
        self.screen.show("false\n[]\nNothing is left, neither in the cloud nor in the cluster.\n");
        Ok(json!({ "groupExists": false, "connectedClusters": [], "leftInCluster": [] }))
    }

    /// Objects of the agents that are still in the cluster. Definitions stay, as helm leaves them.
    async fn left_in_cluster(&self) -> Result<Vec<String>, String> {
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

fn registration_step() -> Step {
    let register = PROVIDERS.map(|namespace| format!("az provider register --namespace {namespace}"));
    let show = PROVIDERS.map(|namespace| format!("az provider show -n {namespace} -o table"));
    step(1, "Register the resource providers", register.into_iter().chain(show).collect())
}

fn metadata_step() -> Step {
    let show = format!("az connectedk8s show --name {CLUSTER} --resource-group {GROUP} --output table");
    let status = "{Status:connectivityStatus, Kubernetes:kubernetesVersion, Agents:agentVersion, Nodes:totalNodeCount, Cores:totalCoreCount}";
    let expiry =
        "{LastSeen:lastConnectivityTime, CertificateExpires:managedIdentityCertificateExpirationTime}";
    let commands = [status, expiry].map(|query| format!("{show} --query \"{query}\""));
    step(6, "Watch the cluster's metadata arrive", commands.to_vec())
}

fn clean_up_step() -> Step {
    let commands = vec![
        format!("az group delete --name {GROUP} --yes"),
        format!("az group exists --name {GROUP}"),
        "az connectedk8s list".into(),
    ];
    Step {
        number: 8,
        title: "Delete the resource group, and see that nothing is left",
        commands,
        on_page: false,
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

fn column<'a>(record: &'a [(String, String)], name: &str) -> &'a str {
    record.iter().find(|(column, _)| column.eq_ignore_ascii_case(name)).map_or("", |(_, cell)| cell)
}

fn check_deployments(table: &Value) -> Result<(), String> {
    let found = records(table);
    for (agent, _) in AGENTS {
        let ready =
            found.iter().find(|record| column(record, "Name") == agent).map(|record| column(record, "Ready"));
        expect(ready == Some("1/1"), || {
            format!("deployment {agent} is {}, not 1/1", ready.unwrap_or("missing"))
        })?;
    }
    expect(found.len() == AGENTS.len(), || {
        format!("there are {} deployments, not {}", found.len(), AGENTS.len())
    })
}

fn check_pods(table: &Value) -> Result<(), String> {
    let found = records(table);
    for (agent, wanted) in AGENTS {
        // A pod is named after its deployment, its replica set's hash and its own suffix.
        let own = |record: &&Vec<(String, String)>| {
            let name = column(record, "Name").rsplitn(3, '-').nth(2);
            name == Some(agent)
        };
        let pod = found.iter().find(own).ok_or_else(|| format!("{agent} has no pod"))?;
        let (ready, status) = (column(pod, "Ready"), column(pod, "Status"));
        expect(ready == wanted && status == "Running", || {
            format!("the pod of {agent} is {status} with READY {ready}, not Running with {wanted}")
        })?;
    }
    expect(found.len() == AGENTS.len(), || format!("there are {} pods, not {}", found.len(), AGENTS.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(rows: &[[&str; 3]]) -> Value {
        let rows: Vec<Value> = rows.iter().map(|cells| json!({ "cells": cells })).collect();
        json!({ "columnDefinitions": [{ "name": "Name" }, { "name": "Ready" }, { "name": "Status" }], "rows": rows })
    }

    #[test]
    fn agents_that_are_missing_or_not_ready_fail_the_step() {
        let names: Vec<String> =
            AGENTS.iter().map(|(agent, _)| format!("{agent}-7cbd6cb89f-9fdnt")).collect();
        let mut rows: Vec<[&str; 3]> =
            AGENTS.iter().zip(&names).map(|((_, ready), name)| [name.as_str(), *ready, "Running"]).collect();
        check_pods(&table(&rows)).unwrap();
        rows[3][2] = "Pending";
        assert!(check_pods(&table(&rows)).unwrap_err().contains("config-agent is Pending"));
        let mut rows: Vec<[&str; 3]> = AGENTS.iter().map(|(agent, _)| [*agent, "1/1", ""]).collect();
        check_deployments(&table(&rows)).unwrap();
        rows.pop();
        assert!(check_deployments(&table(&rows)).unwrap_err().contains("resource-sync-agent is missing"));
    }
}
