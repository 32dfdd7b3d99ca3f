//! `dryarc offboard`.

use std::io::{BufRead as _, IsTerminal as _};
use std::path::PathBuf;

use clap::Args;
use sim_core::keys::KeySource;

use super::remote::Remote;
use super::{CliError, Context, Exit, onboard, output};
use crate::driver::OffboardOptions;

/// Disconnect the world's cluster from Azure Arc and remove its agents
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  dryarc offboard --name AzureArcTest1 --resource-group AzureArcTest --yes
  dryarc offboard -n c -g g --force -y       also when the cluster is not the one of the resource")]
pub(super) struct Offboard {
    /// The name of the resource
    #[arg(long, short)]
    name: String,
    /// Its resource group
    #[arg(long, short = 'g')]
    resource_group: String,
    /// A kubeconfig other than the world's
    #[arg(long, value_name = "FILE")]
    kube_config: Option<PathBuf>,
    /// A context other than the current one
    #[arg(long, value_name = "NAME")]
    kube_context: Option<String>,
    /// Do not compare the cluster with the resource, and remove everything
    #[arg(long)]
    force: bool,
    /// Do not wait for the agents' namespace to vanish
    #[arg(long)]
    no_wait: bool,
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
}

impl Offboard {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, CliError> {
        let remote = Remote::connect(context).await?;
        if !self.yes && !self.confirmed()? {
            return Err(CliError::failed("nothing was done: you did not say yes")
                .next("answer y, or give --yes to be asked nothing"));
        }
        let driver = remote.driver(
            "connectedk8s delete",
            self.kube_config.as_deref(),
            self.kube_context.as_deref(),
            KeySource::fresh(),
            onboard::reporter(),
        )?;
        let options = OffboardOptions {
            name: self.name,
            group: self.resource_group,
            force: self.force,
            no_wait: self.no_wait,
        };
        remote.wait_for(Box::pin(driver.offboard(&options))).await?.map_err(onboard::failed)?;
        Ok(Exit::Ok)
    }

    fn confirmed(&self) -> Result<bool, CliError> {
        if !std::io::stdin().is_terminal() {
            let what = format!(
                "'{}' is only disconnected when somebody says yes, and nobody is asked here: standard input is no terminal",
                self.name
            );
            let next = format!(
                "say it beforehand: `dryarc offboard --name {} --resource-group {} --yes`",
                self.name, self.resource_group
            );
            return Err(CliError::usage(what).next(next));
        }
        output::say(&format!("Disconnect '{}' and remove its agents? (y/N)", self.name));
        let mut answer = String::new();
        std::io::stdin().lock().read_line(&mut answer).map_err(|error| {
            CliError::failed(format!("cannot read the answer: {error}")).next("give --yes")
        })?;
        Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
    }
}
