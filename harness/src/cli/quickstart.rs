//! `dryarc quickstart`.

use std::sync::Arc;

use clap::{Args, ValueEnum};
use serde_json::json;
use sim_core::clock::Mode;

use super::output::{Output, show};
use super::screen::Terminal;
use super::signals::Signals;
use super::world_args::{Planned, WorldArgs};
use super::{CliError, Context, Exit, detach, doctor, extensions, host, output, remote, up};
use crate::client_env::ClientEnv;
use crate::driver::{Endpoints, KEY_LABEL};
use crate::quickstart::{self, Report, Shell, Target, TourOptions};
use crate::state::{StateError, WorldName};
use crate::world::{DEFAULT_SPEED, Hosted, at_speed};

/// Live through the whole Microsoft quickstart, step by step, offline; leaves nothing behind
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  dryarc quickstart
  dryarc quickstart --speed 60               slow enough to read along
  dryarc quickstart --keep                   leave the world up, for `dryarc exec` and `dryarc down`
  dryarc quickstart --driver az              with the real Azure CLI, helm and kubectl
  dryarc quickstart --cluster kind           on a real cluster that kind makes, deleted afterwards
  dryarc quickstart --seed 7 --output json   one report of the steps")]
pub(super) struct Quickstart {
    /// Leave the world up afterwards, in the background
    #[arg(long)]
    keep: bool,
    #[arg(long, hide = true)]
    in_background: bool,
    /// Who performs the steps: dryarc itself, or the commands as they are shown, with the Azure CLI, helm and kubectl of this machine
    #[arg(long, value_enum, default_value = "native", value_name = "WHO")]
    driver: Who,
    /// The form of the output
    #[arg(long, short, value_enum, default_value = "table", value_name = "FORM")]
    output: Output,
    #[command(flatten)]
    world: WorldArgs,
}

/// Who performs the steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Who {
    /// dryarc itself, which needs nothing else
    Native,
    /// The real Azure CLI
    Az,
}

impl Quickstart {
    pub(super) async fn run(self, context: &Context, signals: &mut Signals) -> Result<Exit, CliError> {
        if self.driver == Who::Az {
            doctor::require_az(&context.outer).await?;
        }
        if self.keep && !self.in_background {
            return self.start_in_background(context, signals).await;
        }
        if self.in_background {
            detach::leave_session();
        } else {
            self.world.confirm(&context.outer)?;
        }
        let result = self.perform(context, signals).await;
        match result {
            Ok(hosted) if self.in_background => {
                // Nobody of the tour waits any more, and clients do not move an instant clock.
                if hosted.clock().mode() == Mode::Instant {
                    hosted.clock().set_mode(at_speed(DEFAULT_SPEED));
                }
                detach::tell(Ok(()), Some(&up::log_path(hosted.record())))?;
                host::wait(&hosted, signals).await;
                host::end(hosted, signals).await;
                Ok(Exit::Ok)
            }
            Ok(hosted) => {
                host::end(hosted, signals).await;
                Ok(Exit::Ok)
            }
            Err(error) if self.in_background => {
                detach::tell(Err(&error), None)?;
                Ok(error.exit)
            }
            Err(error) => Err(error),
        }
    }

    /// A world in which every step came true; there is none when one did not.
    async fn perform(&self, context: &Context, signals: &mut Signals) -> Result<Hosted, CliError> {
        let name = match (context.named_world(), self.keep) {
            (Some(name), _) => name.clone(),
            (None, true) => WorldName::default(),
            (None, false) => WorldName::temporary("quickstart", std::process::id()),
        };
        let planned = self.plan(context, name)?;
        let hosted = host::start(context, planned, !self.keep, signals).await?;
        let toured = tokio::select! {
            toured = Box::pin(self.tour(context, &hosted)) => toured,
            asked = signals.next() => Err(asked.error()),
        };
        match toured {
            Ok(()) => Ok(hosted),
            Err(mut error) => {
                if error.exit == Exit::Failed {
                    error = collected(&hosted, error).await;
                }
                host::end(hosted, signals).await;
                Err(error)
            }
        }
    }

    fn plan(&self, context: &Context, name: WorldName) -> Result<Planned, CliError> {
        if self.driver == Who::Native {
            let mut planned = self.world.plan(context, name, Mode::Instant)?;
            planned.config.onboarding_keys = vec![KEY_LABEL.into()];
            return Ok(planned);
        }
        let planned = self.world.plan(context, name, Mode::Scaled { speed: DEFAULT_SPEED })?;
        if matches!(planned.config.mode, Mode::Scaled { .. }) {
            return Ok(planned);
        }
        let what = "the Azure CLI takes its own time, and waits for a clock that moves by itself";
        Err(CliError::usage(what).next("leave out --clock, or say --speed N"))
    }

    async fn tour(&self, context: &Context, hosted: &Hosted) -> Result<(), CliError> {
        let shell = (self.driver == Who::Az).then(|| shell(context, hosted));
        let target = Target { shell, ..target(hosted)? };
        let screen = Arc::new(Terminal::new(self.output == Output::Table));
        let real = remote::is_real(&hosted.record().facts);
        let options = TourOptions { keep: self.keep, real };
        let report = quickstart::run(&target, &options, screen.clone()).await;
        screen.finish();
        if self.output != Output::Table {
            show(self.output, &json!(report), String::new)?;
        }
        failure(&report).map_or(Ok(()), Err)
    }

    async fn start_in_background(&self, context: &Context, signals: &mut Signals) -> Result<Exit, CliError> {
        match context.find() {
            Ok(record) => return Err(StateError::Running(record.name).into()),
            Err(StateError::NotRunning(_) | StateError::Starting(_)) => {}
            Err(error) => return Err(error.into()),
        }
        self.world.confirm(&context.outer)?;
        detach::spawn(signals).await?;
        let record = context.find()?;
        output::say(&up::welcome(&record));
        if let Some(hint) = extensions::hint_after_tour(&record) {
            output::say(&hint);
        }
        Ok(Exit::Ok)
    }
}

/// A step failed on a real cluster, which knows more than the step: its logs and events are kept.
async fn collected(hosted: &Hosted, error: CliError) -> CliError {
    match remote::collect(hosted.record()).await {
        Some(folder) => CliError {
            what: format!(
                "{}\n  where: logs and events of the cluster are in {}",
                error.what,
                folder.display()
            ),
            ..error
        },
        None => error,
    }
}

/// A shell in the world.
fn shell(context: &Context, hosted: &Hosted) -> Shell {
    let env = ClientEnv::build(hosted.record(), context.home.path(), &context.outer);
    let variables = env.variables().iter().map(|variable| (variable.name.clone(), variable.value.clone()));
    Shell { variables: variables.collect(), folder: hosted.record().facts.home() }
}

/// The world as its clients see it.
fn target(hosted: &Hosted) -> Result<Target, CliError> {
    let facts = &hosted.record().facts;
    Ok(Target {
        credentials: remote::credentials(facts),
        endpoints: Endpoints::default(),
        net: remote::net(facts)?,
        kubeconfig: hosted.world().cluster().kubeconfig(),
        clock: hosted.clock().clone(),
        keys: hosted.world().keys().clone(),
        seed: facts.seed,
        correlation: hosted.world().seed().uuid("quickstart/correlation").to_string(),
        shell: None,
    })
}

fn failure(report: &Report) -> Option<CliError> {
    let step = report.failure()?;
    let reason = step.reason.as_deref().unwrap_or("it did not come true");
    let what = format!("step {} ({}) failed: {reason}", step.number, step.title);
    Some(
        CliError::failed(what)
            .next(format!("look closer with `dryarc quickstart --seed {} -v`", report.seed)),
    )
}
