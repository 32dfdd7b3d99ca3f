//! `dryarc exec`.

use std::ffi::OsString;
use std::io::IsTerminal as _;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::Path;
use std::process::{Command, ExitStatus};

use clap::Args;
use sim_core::clock::Mode;
use tokio::process::Child;

use super::signals::{Asked, Signals};
use super::world_args::WorldArgs;
use super::{CliError, Context, Exit, context, extensions, host, output};
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
            let flags = given.join(" and ");
            return Err(CliError::usage(what).next(format!(
                "leave out {flags}, or give a name that no world has with --world to make one for this command"
            )));
        }
        extensions::take_over(context, record)?;
        self.say_what_is_missing(record);
        let error = self.prepare(context, record)?.exec();
        Ok(self.not_run(&error))
    }

    /// The Azure CLI says of a command that it does not know only that it may be misspelled.
    fn say_what_is_missing(&self, record: &WorldRecord) {
        let first = self.command.get(1).and_then(|argument| argument.to_str());
        let program = self.command.first().map(Path::new).unwrap_or_else(|| Path::new(""));
        if let Some(note) = extensions::missing_for(record, program, first) {
            output::say(&note);
        }
    }

    fn not_run(&self, error: &std::io::Error) -> CliError {
        not_run(self.command.first().map(Path::new).unwrap_or_else(|| Path::new("")), error)
    }

    async fn with_own_world(&self, context: &Context, signals: &mut Signals) -> Result<Exit, CliError> {
        let name = match context.named_world() {
            Some(name) => {
                output::say(&format!("world '{name}' is not running: making one for this command"));
                name.clone()
            }
            None => WorldName::temporary("exec", std::process::id()),
        };
        self.world.confirm(&context.outer)?;
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
        self.say_what_is_missing(hosted.record());
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

/// Why a program cannot be run, and what to do about it.
fn not_run(program: &Path, error: &std::io::Error) -> CliError {
    let name = program.display();
    let path = program.components().count() > 1;
    match error.kind() {
        std::io::ErrorKind::NotFound if path && program.exists() => {
            let what =
                format!("'{name}' cannot be run: the interpreter that its first line names was not found");
            CliError::new(Exit::NotRunnable, what).next(format!(
                "correct the line that begins with #!, or name the interpreter: `dryarc exec -- sh {name}`"
            ))
        }
        std::io::ErrorKind::NotFound if path => {
            CliError::new(Exit::NoCommand, format!("there is no file '{name}'"))
                .next("check the path; everything behind `--` is the command")
        }
        std::io::ErrorKind::NotFound => CliError::new(
            Exit::NoCommand,
            format!("'{name}' was not found on PATH"),
        )
        .next("check the name, install the program, or give its path; everything behind `--` is the command"),
        std::io::ErrorKind::PermissionDenied if program.is_dir() => {
            CliError::new(Exit::NotRunnable, format!("'{name}' is a folder"))
                .next("name a program in it; everything behind `--` is the command")
        }
        std::io::ErrorKind::PermissionDenied => {
            CliError::new(Exit::NotRunnable, format!("'{name}' is not executable"))
                .next(format!("run `chmod +x {name}`, or name its interpreter: `dryarc exec -- sh {name}`"))
        }
        _ => CliError::new(Exit::NotRunnable, format!("'{name}' cannot be run: {error}"))
            .next("check that it is a program for this machine, or name its interpreter before it"),
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
    fn what_cannot_be_run_says_why_and_what_to_do() {
        let error = |errno: i32| std::io::Error::from_raw_os_error(errno);
        let (missing, denied, format) = (error(2), error(13), error(8));
        let cases = [
            (not_run(Path::new("no-such"), &missing), Exit::NoCommand, "on PATH"),
            (not_run(Path::new("./no-such"), &missing), Exit::NoCommand, "no file './no-such'"),
            (not_run(Path::new("/bin/sh"), &missing), Exit::NotRunnable, "interpreter"),
            (not_run(Path::new("./script"), &denied), Exit::NotRunnable, "chmod +x ./script"),
            (not_run(Path::new("/tmp"), &denied), Exit::NotRunnable, "folder"),
            (not_run(Path::new("./data"), &format), Exit::NotRunnable, "for this machine"),
        ];
        for (error, exit, text) in cases {
            assert_eq!(error.exit, exit, "{error}");
            assert!(error.to_string().contains(text) && error.next.is_some(), "{error}");
        }
    }

    #[test]
    fn exit_codes_are_the_commands_own() {
        assert_eq!(exit_of(ExitStatus::from_raw(41 << 8)), Exit::Command(41));
        assert_eq!(exit_of(ExitStatus::from_raw(9)), Exit::Command(137));
        assert_eq!(exit_of(ExitStatus::from_raw(0)).code(), 0);
    }
}
