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
        if !self.yes && !confirmed(&self.name)? {
            return Err(
                CliError::failed("nothing was done: you did not say yes").next("say yes, or give --yes")
            );
        }
        let driver = remote.driver(
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
}

fn confirmed(name: &str) -> Result<bool, CliError> {
    if !std::io::stdin().is_terminal() {
        return Err(CliError::usage("there is nobody to confirm this").next("give --yes"));
    }
    output::say(&format!("Disconnect '{name}' and remove its agents? (y/N)"));
    let mut answer = String::new();
    std::io::stdin()
        .lock()
        .read_line(&mut answer)
        .map_err(|error| CliError::failed(format!("cannot read the answer: {error}")))?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}
