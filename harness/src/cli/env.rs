//! `dryarc env`.

use clap::Args;

use super::{CliError, Context, Exit, env_export, extensions, output};
use crate::client_env::{ClientEnv, Format, render, render_unset};

/// Print the environment of a world's clients, for a shell or a program
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  eval \"$(dryarc env)\"                       lead this shell into the world
  eval \"$(dryarc env --unset)\"               and out again
  dryarc env --format fish | source
  dryarc env --format powershell | Invoke-Expression
  dryarc env --explain                       where each value comes from
  dryarc env --export client && . client/env.sh
                                             a folder of its own: login, certificates, kubeconfig, variables")]
pub(super) struct Env {
    /// For whom the lines are
    #[arg(long, short = 'f', value_enum, default_value = "sh", value_name = "FORMAT")]
    format: Format,
    /// Say above each line where its value comes from
    #[arg(long)]
    explain: bool,
    /// Print what brings back your own values
    #[arg(long, conflicts_with = "explain")]
    unset: bool,
    #[command(flatten)]
    export: env_export::ExportArgs,
}

impl Env {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, CliError> {
        if let Some(left) = ClientEnv::leave(&context.outer).filter(|_| self.unset) {
            output::print(&render_unset(&left, self.format))?;
            return Ok(Exit::Ok);
        }
        let record = context.running()?;
        if self.export.wanted() {
            return self.export.run(&record);
        }
        if !self.unset {
            extensions::take_over(context, &record)?;
        }
        let env = ClientEnv::build(&record, context.home.path(), &context.outer);
        let text = if self.unset {
            render_unset(&env.undo(&context.outer), self.format)
        } else {
            render(&env, self.format, self.explain)
        };
        output::print(&text)?;
        Ok(Exit::Ok)
    }
}
