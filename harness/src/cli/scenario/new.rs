//! `dryarc scenario new`.

use std::path::PathBuf;

use clap::Args;
use serde_json::Value;
use sim_core::faults::RuleStatus;
use sim_core::journal::Event;

use super::super::output::{print, say};
use super::super::{CliError, Context, Exit};
use crate::control::Control;
use crate::scenario::recall::{RecallError, Source, recall};

pub(super) const HELP: &str = "\
Examples:
  dryarc scenario new --from-journal > mine.yaml
  dryarc scenario new --from-journal --after 120 --file mine.yaml
  dryarc scenario run mine.yaml

The steps are the commands and requests of clients that the journal shows, with the fault rules that fired and how each step
ended. The first act ends with the last step that failed; what came after it becomes the remedy. The journal holds no bodies,
no output and nothing that tells kubectl from the agents: comments in the file say what is missing or was assumed.";

/// The providers that onboarding needs.
const NEEDED: [&str; 2] = ["Microsoft.Kubernetes", "Microsoft.KubernetesConfiguration"];

#[derive(Debug, Args)]
pub(super) struct New {
    /// Take the steps from the journal of the world
    #[arg(long, required = true)]
    from_journal: bool,
    /// Only what is behind this position of the journal
    #[arg(long, value_name = "N", default_value_t = 0)]
    after: u64,
    /// Write it to this file instead of standard output; one that is there is not overwritten
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
}

impl New {
    pub(super) async fn perform(self, context: &Context) -> Result<Exit, CliError> {
        let source = self.source(context).await?;
        let text = recall(&source).map_err(|error| refused(&error))?;
        let Some(file) = &self.file else {
            print(&text)?;
            return Ok(Exit::Ok);
        };
        let shown = file.display();
        let written = std::fs::File::create_new(file)
            .and_then(|mut open| std::io::Write::write_all(&mut open, text.as_bytes()));
        written.map_err(|error| match error.kind() {
            std::io::ErrorKind::AlreadyExists => {
                CliError::new(Exit::Conflict, format!("{shown} is there already"))
                    .next("name another file, or remove that one")
            }
            _ => CliError::failed(format!("the scenario cannot be written to {shown}: {error}"))
                .next("name a file in a folder that exists and can be written"),
        })?;
        say(&format!("wrote {shown}; read it, and run it with `dryarc scenario run {shown}`"));
        Ok(Exit::Ok)
    }

    async fn source(&self, context: &Context) -> Result<Source, CliError> {
        let control: Control = context.control()?;
        let status = control.status().await?;
        let rules: Vec<RuleStatus> = control.get("/v1/faults").await?;
        let providers: Vec<Value> = control.get("/v1/providers").await?;
        let events: Vec<Event> = control.get(&format!("/v1/journal?after={}", self.after)).await?;
        let registered = |namespace: &str| {
            let of = providers.iter().find(|one| one["namespace"] == namespace);
            of.is_some_and(|one| one["states"][&status.subscription] == "Registered")
        };
        Ok(Source {
            world: status.world,
            seed: status.seed,
            registered: NEEDED.iter().all(|namespace| registered(namespace)),
            subscription: status.subscription.clone(),
            tenant: status.tenant,
            proxies: !status.proxies.is_empty(),
            rules,
            events,
        })
    }
}

fn refused(error: &RecallError) -> CliError {
    let next = match error {
        RecallError::Nothing => {
            "do what you want to keep in this world (`dryarc exec -- az …`, `dryarc onboard`), and try again"
        }
        RecallError::NoFailure(_) => {
            "a scenario begins with a failure: do again what went wrong, or look whether it is there with `dryarc journal`"
        }
        RecallError::Wrong(_) => "report it with the output of `dryarc journal --output json`",
    };
    CliError::failed(error.to_string()).next(next)
}
