//! The `dryarc` command.
//!
//! One file per command; [`exit`] has the exit codes, [`error`] what users are told, [`output`] where data goes. The
//! configuration of every option is decided in this order: the flag, the `DRYARC_*` variable, the profile, the default.

mod agent;
mod clock;
mod cluster;
mod cluster_args;
mod completions;
mod connect_proxy;
mod context;
mod detach;
mod doctor;
mod down;
mod env;
mod env_export;
pub mod error;
mod exec;
pub mod exit;
mod extensions;
mod fault;
mod fault_proxy;
mod health;
mod host;
mod journal;
mod list;
mod listen_args;
mod logging;
mod logs;
mod man;
mod offboard;
mod onboard;
mod onboard_features;
mod operation;
pub mod output;
mod pod_logs;
mod provider;
mod quickstart;
mod relay;
mod remote;
mod scenario;
mod screen;
mod signals;
mod snapshot;

mod status;
mod up;
mod upstream;
mod usage;
mod world_args;

use std::process::ExitCode;

use clap::{ArgMatches, Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

pub use crate::span;
pub use context::Context;
pub use error::CliError;
pub use exit::Exit;
use logging::LogFormat;
use signals::Signals;

use crate::client_env::OuterEnv;
use crate::state::WorldName;

/// Version and commit, as `--version` prints them.
const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), " (", env!("DRYARC_BUILD_COMMIT"), ")");

const AFTER_HELP: &str = "\
Examples:
  dryarc quickstart                          the whole Microsoft quickstart, explained step by step
  dryarc up --detach                         start a world and keep it
  dryarc exec -- az group list               run a command in it
  eval \"$(dryarc env)\"                       or lead this shell into it
  dryarc down                                end it

Exit codes:
  0 done, 1 failed, 2 usage, 3 no such world or thing, 4 world or state cannot be used, 5 already there,
  130 interrupted; exec returns the code of its command (126 not runnable, 127 not found).";

/// Azure Arc onboarding, dry-run: a local mock Azure, simulated Arc agents and a cluster, offline.
#[derive(Debug, Parser)]
#[command(name = "dryarc", version = VERSION, after_help = AFTER_HELP, propagate_version = true)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

/// Options of every command.
#[derive(Debug, Clone, Args)]
struct Global {
    /// Which world [default: default]
    #[arg(long, global = true, env = "DRYARC_WORLD", value_name = "NAME", help_heading = "Common options")]
    world: Option<WorldName>,
    /// Log more: once for what happens, twice for details, three times for everything
    #[arg(long, short, global = true, action = clap::ArgAction::Count, help_heading = "Common options")]
    verbose: u8,
    /// The form of log lines on stderr
    #[arg(
        long,
        global = true,
        env = "DRYARC_LOG_FORMAT",
        value_enum,
        default_value = "text",
        value_name = "FORMAT",
        help_heading = "Common options"
    )]
    log_format: LogFormat,
}

#[derive(Debug, Subcommand)]
enum Command {
    Quickstart(quickstart::Quickstart),
    Up(up::Up),
    Exec(exec::Exec),
    Env(env::Env),
    Status(status::Status),
    Health(health::Health),
    #[command(hide = true)]
    Relay(relay::Relay),
    Logs(logs::Logs),
    Down(down::Down),
    Onboard(onboard::Onboard),
    Offboard(offboard::Offboard),
    List(list::List),
    Cluster(cluster::ClusterCommand),
    Clock(clock::Clock),
    Provider(provider::Provider),
    Operation(operation::Operation),
    Fault(fault::Fault),
    FaultProxy(fault_proxy::FaultProxy),
    Journal(journal::Journal),
    Scenario(scenario::ScenarioCommand),
    Snapshot(snapshot::Snapshot),
    Reset(snapshot::Reset),
    Doctor(doctor::Doctor),
    Completions(completions::Completions),
    Man(man::Man),
    #[command(hide = true)]
    ConnectProxy(connect_proxy::ConnectProxy),
    #[command(hide = true)]
    Agent(agent::Agent),
}

/// The command line. `--world` is for every command and shown at those to which it means something.
fn command() -> clap::Command {
    const WORLDLESS: [&str; 4] = ["completions", "man", "doctor", "fault-proxy"];
    const FAMILIES: [(&str, &[&str]); 2] = [
        ("cluster", &["create", "list", "delete", "kubeconfig"]),
        ("scenario", &["list", "show", "run", "schema", "bisect-seed"]),
    ];
    let hide = |command: clap::Command| {
        // An argument of a command's own goes before the global one of the same id.
        let world = clap::Arg::new("world").long("world").value_parser(clap::value_parser!(WorldName));
        command.arg(world.hide(true))
    };
    let root = FAMILIES.into_iter().fold(Cli::command(), |root, (family, members)| {
        root.mut_subcommand(family, |command| {
            members.iter().fold(hide(command), |command, name| command.mut_subcommand(name, hide))
        })
    });
    let root = WORLDLESS.into_iter().fold(root, |root, name| root.mut_subcommand(name, hide));
    without_empty(root, |variable| std::env::var_os(variable).is_some_and(|value| value.is_empty()))
}

/// A variable that is empty counts as not set: pipelines hand on what nobody filled in.
fn without_empty(command: clap::Command, is_empty: fn(&std::ffi::OsStr) -> bool) -> clap::Command {
    let command =
        command.mut_args(|arg| if arg.get_env().is_some_and(is_empty) { arg.env(None::<&str>) } else { arg });
    command.mut_subcommands(|inner| without_empty(inner, is_empty))
}

/// Runs the command line of this process and says how it ended. Meant to be all that a `main` does.
#[must_use]
pub fn main() -> ExitCode {
    let matches = match command().try_get_matches_from(connect_proxy::arguments()) {
        Ok(matches) => matches,
        Err(error) => return refuse(&error),
    };
    let cli = match Cli::from_arg_matches(&matches) {
        Ok(cli) => cli,
        Err(error) => return refuse(&error),
    };
    match run(cli, leaf(&matches)) {
        Ok(exit) => exit.into(),
        Err(error) => {
            output::say(&error.to_string());
            error.exit.into()
        }
    }
}

/// Prints help, the version, or what is wrong with the command line.
fn refuse(error: &clap::Error) -> ExitCode {
    if usage::is_help(error) {
        // Nobody reading is no error.
        let _ = error.print();
    } else {
        let arguments = std::env::args_os().skip(1).map(|argument| argument.to_string_lossy().into_owned());
        let text = usage::explain(error, &command(), &arguments.collect::<Vec<_>>());
        output::say(text.trim_end());
    }
    if error.use_stderr() { Exit::Usage.into() } else { Exit::Ok.into() }
}

/// The matches of the command that was named, for telling where a value came from.
fn leaf(matches: &ArgMatches) -> ArgMatches {
    matches.subcommand().map_or_else(|| matches.clone(), |(_, inner)| leaf(inner))
}

fn run(cli: Cli, matches: ArgMatches) -> Result<Exit, CliError> {
    // These need neither a world nor a runtime; an agent brings its own.
    let command = match cli.command {
        Command::Agent(agent) => return agent.run(),
        Command::Completions(completions) => return completions.run(&mut command()),
        Command::Man(man) => return man.run(command()),
        command => command,
    };
    let outer = OuterEnv::of_this_process();
    logging::start(cli.global.verbose, cli.global.log_format, outer.get("RUST_LOG"));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| CliError::failed(format!("cannot start threads: {error}")))?;
    let result = runtime.block_on(async {
        match command {
            // It looks at what a context needs.
            Command::Doctor(doctor) => doctor.run(&outer).await,
            // It needs no world either.
            Command::FaultProxy(proxy) => Box::pin(proxy.run(&outer)).await,
            // It belongs to whoever started it, wherever worlds are.
            Command::ConnectProxy(proxy) => proxy.run().await,
            command => dispatch(command, Context::new(cli.global.world, outer, matches)?).await,
        }
    });
    // A key that is still being made is not waited for.
    runtime.shutdown_background();
    result
}

async fn dispatch(command: Command, mut context: Context) -> Result<Exit, CliError> {
    let mut signals =
        Signals::new().map_err(|error| CliError::failed(format!("cannot watch signals: {error}")))?;
    context.sweep().await;
    // These end in order by themselves when a signal comes.
    let command = match command {
        Command::Up(up) => return Box::pin(up.run(&context, &mut signals)).await,
        Command::Exec(exec) => return Box::pin(exec.run(&context, &mut signals)).await,
        Command::Cluster(cluster) => return Box::pin(cluster.run(&context, &mut signals)).await,
        Command::Scenario(scenario) => return Box::pin(scenario.run(&context, &mut signals)).await,
        Command::Quickstart(quickstart) => {
            return Box::pin(quickstart.run(&context, &mut signals)).await;
        }
        command => command,
    };
    let follows = match &command {
        Command::Logs(logs) => logs.follows(),
        Command::Journal(journal) => journal.follows(),
        Command::Relay(_) => true,
        _ => false,
    };
    tokio::select! {
        result = Box::pin(simple(command, &context)) => match result {
            Err(error) if error.exit == Exit::Unusable => Err(context.ended_meanwhile().await.unwrap_or(error)),
            other => other,
        },
        // Whoever follows stops it so; there is nothing to complain about.
        asked = signals.next() => if follows { Ok(asked.exit()) } else { Err(asked.error()) },
    }
}

/// Commands that hold nothing that a signal would have to put away.
async fn simple(command: Command, context: &Context) -> Result<Exit, CliError> {
    match command {
        Command::Env(env) => env.run(context).await,
        Command::Status(status) => status.run(context).await,
        Command::Health(health) => health.run(context).await,
        Command::Relay(relay) => relay.run(context).await,
        Command::Logs(logs) => logs.run(context).await,
        Command::Down(down) => down.run(context).await,
        Command::Onboard(onboard) => onboard.run(context).await,
        Command::Offboard(offboard) => offboard.run(context).await,
        Command::List(list) => list.run(context).await,
        Command::Clock(clock) => clock.run(context).await,
        Command::Provider(provider) => provider.run(context).await,
        Command::Operation(operation) => operation.run(context).await,
        Command::Fault(fault) => fault.run(context).await,
        Command::Journal(journal) => journal.run(context).await,
        Command::Snapshot(snapshot) => snapshot.run(context).await,
        Command::Reset(reset) => reset.run(context).await,
        Command::Quickstart(_)
        | Command::Up(_)
        | Command::Exec(_)
        | Command::Cluster(_)
        | Command::Scenario(_)
        | Command::Doctor(_)
        | Command::FaultProxy(_)
        | Command::ConnectProxy(_)
        | Command::Completions(_)
        | Command::Man(_)
        | Command::Agent(_) => Ok(Exit::Ok),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn commands(command: &clap::Command) -> Vec<clap::Command> {
        let nested = command.get_subcommands().filter(|sub| sub.get_name() != "help").flat_map(commands);
        std::iter::once(command.clone()).chain(nested).collect()
    }

    #[test]
    fn the_command_line_is_sound_and_every_command_shows_an_example() {
        command().debug_assert();
        let mut root = command();
        root.build();
        for mut command in commands(&root).into_iter().filter(|command| !command.is_hide_set()) {
            let help = command.render_long_help().to_string();
            assert!(help.contains("Example"), "{} has no example:\n{help}", command.get_name());
            assert!(command.get_about().is_some(), "{} says nothing of itself", command.get_name());
        }
    }

    #[test]
    fn an_empty_variable_counts_as_not_set() {
        let root = without_empty(Cli::command(), |variable| variable == "DRYARC_SPEED");
        let up = root.find_subcommand("up").unwrap();
        let variables: Vec<_> = up.get_arguments().filter_map(|arg| arg.get_env()).collect();
        assert!(!variables.contains(&"DRYARC_SPEED".as_ref()));
        assert!(variables.contains(&"DRYARC_SEED".as_ref()));
    }

    #[test]
    fn only_commands_to_which_a_world_means_something_show_it() {
        let mut root = command();
        root.build();
        let shows = |name: &str| {
            let mut command = root.find_subcommand(name).unwrap().clone();
            command.render_long_help().to_string().contains("--world")
        };
        assert!(["up", "exec", "status", "down"].into_iter().all(shows));
        assert!(!["man", "completions", "doctor"].into_iter().any(shows));
        for line in [&["dryarc", "--world", "a", "man"][..], &["dryarc", "man", "--world", "a"]] {
            command().try_get_matches_from(line).unwrap();
        }
    }

    #[test]
    fn unknown_flags_are_usage_errors() {
        let error = command().try_get_matches_from(["dryarc", "--no-such-flag"]).unwrap_err();
        assert!(error.use_stderr());
        assert_eq!(error.exit_code(), i32::from(Exit::Usage.code()));
    }
}
