//! `dryarc up`.

use std::io::IsTerminal as _;
use std::path::PathBuf;

use clap::Args;
use serde_json::json;
use sim_core::clock::Mode;

use super::listen_args::ListenArgs;
use super::signals::Signals;
use super::world_args::WorldArgs;
use super::{CliError, Context, Exit, detach, host, output};
use crate::state::{StateError, WorldRecord};
use crate::world::{DEFAULT_SPEED, Hosted};

/// Start a world and keep it until `down` or Ctrl-C
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  dryarc up                                      keep a world in this terminal; Ctrl-C ends it
  dryarc up --detach                             keep it in the background
  dryarc up --detach --world ci --speed 600      another one, ten minutes per second
  dryarc up --detach --clock manual              time moves by `dryarc clock advance` only
  dryarc up --detach --cluster kind              with a real cluster made by kind, deleted with the world
  dryarc up --detach --cluster kind=NAME         with a kind cluster of yours, left as it was
  dryarc up --listen 0.0.0.0 --gateway-port 7441 --serve-as azure.internal
                                                 let other machines in; one line of JSON says when it is ready
  dryarc up --detach --allow pypi.org --allow '*.pythonhosted.org'")]
pub(super) struct Up {
    /// Run in the background and return when the world is ready
    #[arg(long, short)]
    detach: bool,
    #[arg(long, hide = true)]
    in_background: bool,
    #[command(flatten)]
    world: WorldArgs,
    #[command(flatten)]
    listen: ListenArgs,
}

/// Where the log of a world in the background is.
pub(super) fn log_path(record: &WorldRecord) -> PathBuf {
    record.facts.dir.join("world.log")
}

impl Up {
    pub(super) async fn run(self, context: &Context, signals: &mut Signals) -> Result<Exit, CliError> {
        if self.detach && !self.in_background {
            return self.start_in_background(context, signals).await;
        }
        if self.in_background {
            detach::leave_session();
        } else {
            self.world.confirm(&context.outer)?;
        }
        let started = self.start(context, signals).await;
        let hosted = match started {
            Ok(hosted) => hosted,
            Err(error) if self.in_background => {
                detach::tell(Err(&error), None)?;
                return Ok(error.exit);
            }
            Err(error) => return Err(error),
        };
        if self.in_background {
            detach::tell(Ok(()), Some(&log_path(hosted.record())))?;
        } else {
            output::say(&welcome(hosted.record()));
            output::say("Press Ctrl-C to end it.");
            ready(hosted.record())?;
        }
        let asked = host::wait(&hosted, signals).await;
        if !self.in_background {
            output::say("ending the world");
        }
        host::end(hosted, signals).await;
        // Ctrl-C and TERM are how a world in the foreground is meant to end.
        Ok(asked.map_or(Exit::Ok, |asked| asked.exit()))
    }

    async fn start(&self, context: &Context, signals: &mut Signals) -> Result<Hosted, CliError> {
        let default = Mode::Scaled { speed: DEFAULT_SPEED };
        let mut planned = self.world.plan(context, context.world_name(), default)?;
        planned.config.listen = self.listen.listen()?;
        host::start(context, planned, false, signals).await
    }

    async fn start_in_background(&self, context: &Context, signals: &mut Signals) -> Result<Exit, CliError> {
        // Said at once rather than by a child.
        match context.find() {
            Ok(record) => return Err(StateError::Running(record.name).into()),
            Err(StateError::NotRunning(_) | StateError::Starting(_)) => {}
            Err(error) => return Err(error.into()),
        }
        self.world.confirm(&context.outer)?;
        detach::spawn(signals).await?;
        output::say(&welcome(&context.find()?));
        Ok(Exit::Ok)
    }
}

/// One line of JSON on standard output, for programs that wait until the world is ready. People at a terminal are spared it.
fn ready(record: &WorldRecord) -> Result<(), CliError> {
    if std::io::stdout().is_terminal() {
        return Ok(());
    }
    let facts = &record.facts;
    let line = json!({
        "ready": true,
        "world": record.name.as_str(),
        "cloud": format!("https://{}", facts.cloud),
        "gateway": format!("http://{}", facts.gateway),
        "control": format!("http://{}", record.control),
        "cluster": facts.cluster_url,
    });
    output::print(&format!("{line}\n"))
}

/// What to do with a world that is up.
pub(super) fn welcome(record: &WorldRecord) -> String {
    let flag = super::error::world_flag(record.name.as_str());
    let facts = &record.facts;
    format!(
        "World '{}' is up (seed {}, subscription {}).\n\n  \
         dryarc exec{flag} -- az group list       run a command in it\n  \
         eval \"$(dryarc env{flag})\"               lead this shell into it\n  \
         dryarc status{flag}                      see how it is\n  \
         dryarc down{flag}                        end it\n",
        record.name, facts.seed, facts.subscription,
    )
}
