//! `dryarc exec`.

use std::ffi::OsString;
use std::io::IsTerminal as _;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Command, ExitStatus};

use clap::Args;
use sim_core::clock::Mode;
use tokio::process::Child;

use super::signals::{Asked, Signals};
use super::world_args::WorldArgs;
use super::{CliError, Context, Exit, context, host};
use crate::client_env::ClientEnv;
use crate::state::{ProcessId, StateError, WorldName, WorldRecord, signal_process};
use crate::world::{DEFAULT_SPEED, Hosted};

/// Run a command inside of a world: a running one, or else one made for the duration
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  dryarc exec -- az group create --name g --location eastus
  dryarc exec -- kubectl get namespaces
  dryarc exec -- ./my-onboarding.sh
  dryarc exec --subscription 11111111-2222-3333-4444-555555555555 -- ./script-with-fixed-ids.sh

The command finds the Azure CLI logged in, KUBECONFIG pointing at the cluster, and proxy and
certificate variables that make Python, Go, Node, Java, .NET, curl and git find the world instead
of Azure. `dryarc env --explain` shows them all.

The exit code is the command's own.")]
pub(super) struct Exec {
    #[command(flatten)]
    world: WorldArgs,
    /// The command and its arguments
    #[arg(trailing_var_arg = true, required = true, value_name = "COMMAND", allow_hyphen_values = true)]
    command: Vec<OsString>,
}

impl Exec {
    pub(super) async fn run(self, context: &Context, signals: &mut Signals) -> Result<Exit, CliError> {
        match context.find() {
            Ok(record) => Err(self.replace(context, &record)?),
            Err(StateError::NotRunning(_)) => self.with_own_world(context, signals).await,
            Err(error) => Err(error.into()),
        }
    }

    fn prepare(&self, context: &Context, record: &WorldRecord) -> Result<Command, CliError> {
        let (program, arguments) =
            self.command.split_first().ok_or_else(|| CliError::usage("there is no command to run"))?;
        let mut command = Command::new(program);
        command.args(arguments);
        let env = ClientEnv::build(record, context.home.path(), &context.outer);
        for variable in env.variables() {
            match &variable.value {
                Some(value) => command.env(&variable.name, value),
                None => command.env_remove(&variable.name),
            };
        }
        Ok(command)
    }

    /// In a running world this process becomes the command: signals, terminal and exit code are its own. Comes back
    /// only with the reason why not.
    fn replace(&self, context: &Context, record: &WorldRecord) -> Result<CliError, CliError> {
        context::check_version(record)?;
        let given = self.world.given(context);
        if !given.is_empty() {
            let what = format!(
                "world '{}' is running already, so {} cannot take effect",
                record.name,
                given.join(", ")
            );
            return Err(CliError::usage(what).next("leave them out, or choose another name with --world"));
        }
        let error = self.prepare(context, record)?.exec();
        Ok(self.not_run(&error))
    }

    fn not_run(&self, error: &std::io::Error) -> CliError {
        let program =
            self.command.first().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if error.kind() == std::io::ErrorKind::NotFound {
            return CliError::new(Exit::NoCommand, format!("'{program}' was not found on PATH"))
                .next("check the name; everything behind `--` is the command");
        }
        CliError::new(Exit::NotRunnable, format!("'{program}' cannot be run: {error}"))
    }

    async fn with_own_world(&self, context: &Context, signals: &mut Signals) -> Result<Exit, CliError> {
        let name = match context.named_world() {
            Some(name) => name.clone(),
            None => WorldName::temporary("exec", std::process::id()),
        };
        let planned = self.world.plan(context, name, Mode::Scaled { speed: DEFAULT_SPEED })?;
        let hosted = host::start(context, planned, true, signals).await?;
        let ended = self.spawn_and_wait(context, &hosted, signals).await;
        host::end(hosted, signals).await;
        ended
    }

    async fn spawn_and_wait(
        &self,
        context: &Context,
        hosted: &Hosted,
        signals: &mut Signals,
    ) -> Result<Exit, CliError> {
        let command = self.prepare(context, hosted.record())?;
        let mut child = tokio::process::Command::from(command)
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| self.not_run(&error))?;
        let mut asked = 0;
        let status = loop {
            tokio::select! {
                status = child.wait() => break status,
                () = hosted.asked_to_end(), if asked == 0 => {
                    asked += 1;
                    send(&child, Asked::Terminate);
                }
                signal = signals.next() => {
                    asked += 1;
                    pass_on(&mut child, signal, asked);
                }
            }
        };
        status
            .map(exit_of)
            .map_err(|error| CliError::failed(format!("the command could not be waited for: {error}")))
    }
}

/// Ctrl-C at a terminal reaches the command without our help, because it is in the same process group. The third
/// signal of a row ends a command that does not listen.
fn pass_on(child: &mut Child, signal: Asked, count: u32) {
    if count >= 3 {
        // It may have ended meanwhile.
        let _ = child.start_kill();
    } else if signal != Asked::Interrupt || !std::io::stdin().is_terminal() {
        send(child, signal);
    }
}

fn send(child: &Child, signal: Asked) {
    if let Some(pid) = child.id() {
        // It may have ended meanwhile.
        let _ = signal_process(ProcessId::of(pid), signal.signal());
    }
}

fn exit_of(status: ExitStatus) -> Exit {
    let signal = || status.signal().map(|signal| signal.saturating_add(128));
    let code = status.code().or_else(signal).and_then(|code| u8::try_from(code).ok());
    code.map_or(Exit::Failed, Exit::Command)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_codes_are_the_commands_own() {
        assert_eq!(exit_of(ExitStatus::from_raw(41 << 8)), Exit::Command(41));
        assert_eq!(exit_of(ExitStatus::from_raw(9)), Exit::Command(137));
        assert_eq!(exit_of(ExitStatus::from_raw(0)).code(), 0);
    }
}
