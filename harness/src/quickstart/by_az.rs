//! The tour with the real Azure CLI and kubectl: each step runs the commands that it shows, and what they leave behind in cloud and
//! cluster is held against the page, as in the native tour.

use serde_json::{Value, json};

use super::page::{CLUSTER, GROUP, LOCATION};
use super::plan::Task;
use super::promises::{check_deployments, check_pods, expect, has_reported, knows_expiry, text};
use super::shell::Shell;
use super::steps::{DEPLOYMENTS, METADATA_LIMIT, PODS, failed};
use super::tour::{Performed, Tour};

const NAMESPACE: &str = "/api/v1/namespaces/azure-arc";

impl Tour {
    /// Performs a step by its commands.
    pub(super) async fn by_az(&self, shell: &Shell, task: Task, commands: &[String]) -> Performed {
        let result = match task {
            Task::Register => return self.register_by_az(shell, commands).await,
            Task::Metadata => return self.metadata_by_az(shell, commands).await,
            _ => self.commands(shell, commands).await?,
        };
        match task {
            Task::Group => self.check_group().await?,
            Task::Connect => check_reply(result.first().map_or("", String::as_str))?,
            Task::List => self.check_list().await?,
            Task::Agents => self.check_agents().await?,
            Task::Disconnect => {
                self.nothing_connected(Some(GROUP)).await?;
                let namespace = self.driver.cluster().find(NAMESPACE).await;
                let namespace = namespace.map_err(|error| format!("the cluster cannot be read: {error}"))?;
                expect(namespace.is_none(), || "namespace azure-arc is still there".into())?;
            }
            Task::CleanUp => self.check_clean(&result).await?,
            Task::Register | Task::Metadata => {}
        }
        Ok(json!(result))
    }

    /// Runs commands one after the other, and shows what they print.
    async fn commands(&self, shell: &Shell, commands: &[String]) -> Result<Vec<String>, String> {
        let mut all = Vec::new();
        for (index, command) in commands.iter().enumerate() {
            if index > 0 && all.last().is_some_and(|said: &String| !said.is_empty()) {
                self.screen.show("\n");
            }
            let show = |line: &str| self.screen.show(&format!("{line}\n"));
            all.push(shell.run(command, show, |line| self.progress(line)).await?);
        }
        Ok(all)
    }

    /// Registers; shows the providers at once, and again once they are registered.
    async fn register_by_az(&self, shell: &Shell, commands: &[String]) -> Performed {
        let (register, show): (Vec<String>, Vec<String>) =
            commands.iter().cloned().partition(|command| command.contains("provider register"));
        self.commands(shell, &register).await?;
        let mut shown = self.commands(shell, &show).await?;
        if !shown.iter().all(|table| table.trim_end().ends_with(" Registered")) {
            self.registered().await?;
            self.screen.show("\n");
            shown = self.commands(shell, &show).await?;
        }
        Ok(json!(shown))
    }

    /// Shows the metadata as it arrives.
    async fn metadata_by_az(&self, shell: &Shell, commands: &[String]) -> Performed {
        let limit = self.pace.limit(METADATA_LIMIT);
        let mut shown = Vec::new();
        for (index, command) in commands.iter().enumerate() {
            let (what, arrived): (_, fn(&Value) -> bool) = match index {
                0 => ("the first report of the agents", has_reported),
                _ => ("the expiry of the identity certificate", knows_expiry),
            };
            self.wait_for_cluster(what, &limit, arrived).await?;
            shown.extend(self.commands(shell, std::slice::from_ref(command)).await?);
        }
        Ok(json!(shown))
    }

    async fn check_group(&self) -> Result<(), String> {
        let group = self.azure.group(GROUP).await.map_err(failed("the resource group could not be read"))?;
        let location = group.as_ref().map(|group| text(group, "/location")).unwrap_or_default();
        expect(location == LOCATION.to_lowercase(), || {
            format!("the group is in '{location}', not in '{}'", LOCATION.to_lowercase())
        })
    }

    async fn check_list(&self) -> Result<(), String> {
        let clusters = self.azure.clusters(Some(GROUP)).await;
        let clusters = clusters.map_err(failed("the connected clusters could not be listed"))?;
        expect(clusters.len() == 1 && text(&clusters[0], "/name") == CLUSTER, || {
            format!("the group has {} connected clusters, not just {CLUSTER}", clusters.len())
        })
    }

    async fn check_agents(&self) -> Result<(), String> {
        let cluster = self.driver.cluster();
        let read = async |path: &str| {
            cluster.table(path).await.map_err(|error| format!("the agents cannot be listed: {error}"))
        };
        check_deployments(&read(DEPLOYMENTS).await?)?;
        check_pods(&read(PODS).await?)
    }

    async fn check_clean(&self, shown: &[String]) -> Result<(), String> {
        let said = |index: usize| shown.get(index).map_or("", |text| text.trim());
        expect(said(1) == "false", || format!("resource group {GROUP} still exists"))?;
        expect(said(2) == "[]", || "connected clusters are left".into())?;
        let left = self.left_in_cluster().await?;
        expect(left.is_empty(), || format!("left in the cluster: {}", left.join(", ")))
    }
}

/// What `connect` prints: steps, then the resource.
fn check_reply(printed: &str) -> Result<(), String> {
    let start = printed.find("\n{").map(|at| at + 1).or_else(|| printed.starts_with('{').then_some(0));
    let reply = start.and_then(|at| serde_json::from_str::<Value>(printed.get(at..)?).ok());
    let reply = reply.ok_or("the command printed no JSON")?;
    let status = text(&reply, "/connectivityStatus");
    expect(status == "Connecting", || format!("connectivityStatus is '{status}', not 'Connecting'"))?;
    let location = text(&reply, "/location");
    expect(location == LOCATION.to_lowercase(), || format!("location is '{location}', not the group's"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_resource_is_found_behind_the_steps() {
        let reply = |status: &str| {
            format!(
                "Step: x: y {{\n{{\n  \"connectivityStatus\": \"{status}\",\n  \"location\": \"eastus\"\n}}\n"
            )
        };
        check_reply(&reply("Connecting")).unwrap();
        assert!(check_reply(&reply("Offline")).unwrap_err().contains("'Offline'"));
        assert!(check_reply("Step: x\n").unwrap_err().contains("no JSON"));
    }
}
