//! The steps of the page, and the commands that each stands for.

use super::page::{CLUSTER, GROUP, LOCATION, PROVIDERS};
use super::tour::Step;

/// A step's work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Task {
    Register,
    Group,
    Connect,
    List,
    Agents,
    Metadata,
    Disconnect,
    CleanUp,
}

/// The steps, in order.
pub(super) fn plan() -> [(Task, Step); 8] {
    [
        (Task::Register, registration_step()),
        (
            Task::Group,
            step(
                2,
                "Create a resource group",
                vec![format!("az group create --name {GROUP} --location {LOCATION} --output table")],
            ),
        ),
        (
            Task::Connect,
            step(
                3,
                "Connect the Kubernetes cluster",
                vec![format!("az connectedk8s connect --name {CLUSTER} --resource-group {GROUP}")],
            ),
        ),
        (
            Task::List,
            step(
                4,
                "Verify the connection",
                vec![format!("az connectedk8s list --resource-group {GROUP} --output table")],
            ),
        ),
        (
            Task::Agents,
            step(
                5,
                "View the Azure Arc agents",
                vec!["kubectl get deployments,pods -n azure-arc".to_owned()],
            ),
        ),
        (Task::Metadata, metadata_step()),
        (
            Task::Disconnect,
            step(
                7,
                "Clean up: delete the connected cluster",
                vec![format!("az connectedk8s delete --name {CLUSTER} --resource-group {GROUP} --yes")],
            ),
        ),
        (Task::CleanUp, clean_up_step()),
    ]
}

fn step(number: u32, title: &'static str, commands: Vec<String>) -> Step {
    Step { number, title, commands, on_page: true }
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
