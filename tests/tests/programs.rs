//! Software that nobody here wrote, on the embedded cluster and on a real one: it must not notice the difference.
//!
//! What a real server made a program print is recorded under `fixtures/programs`. `DRYARC_TEST_KUBECONFIG_REAL` names a real
//! control plane without nodes, `DRYARC_TEST_KUBECONFIG_NODES` a real cluster whose nodes have the image
//! `dryarc.test/shell:1`; those are then asked too, and `UPDATE_GOLDEN=1` records anew what they say.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use e2e_tests::programs::{Program, Recording, Server};
use libtest_mimic::{Arguments, Completion, Failed, Trial};
use tokio::runtime::{Handle, Runtime};

/// The servers that programs run against.
struct Servers {
    ours: Server,
    real: Option<Server>,
    real_with_nodes: Option<Server>,
    runtime: Handle,
}

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    // Programs wait more than they work.
    arguments.test_threads = arguments.test_threads.or(Some(4));
    let started = Runtime::new().map_err(|error| error.to_string()).and_then(|runtime| {
        let servers = if arguments.list { None } else { Some(Arc::new(servers(&runtime)?)) };
        Ok((Program::all()?, servers, runtime))
    });
    match started {
        Ok((programs, servers, runtime)) => {
            let trials = programs.into_iter().map(|program| trial(program, servers.clone())).collect();
            let code = libtest_mimic::run(&arguments, trials).exit_code();
            if let Some(servers) = servers.and_then(Arc::into_inner) {
                runtime.block_on(servers.ours.end());
            }
            code
        }
        Err(why) => {
            let broken = Trial::test("the programs can be run", move || Err(Failed::from(why)));
            libtest_mimic::run(&arguments, vec![broken]).exit_code()
        }
    }
}

fn servers(runtime: &Runtime) -> Result<Servers, String> {
    let real =
        |variable: &str| std::env::var_os(variable).map(|file| Server::running(Path::new(&file))).transpose();
    Ok(Servers {
        real: real("DRYARC_TEST_KUBECONFIG_REAL")?,
        real_with_nodes: real("DRYARC_TEST_KUBECONFIG_NODES")?,
        ours: runtime.block_on(Server::embedded())?,
        runtime: runtime.handle().clone(),
    })
}

fn trial(program: Program, servers: Option<Arc<Servers>>) -> Trial {
    Trial::ignorable_test(format!("{}: {}", program.language, program.name), move || {
        match (servers, program.missing()) {
            (_, Some(why)) => Ok(Completion::ignored_with(why)),
            (Some(servers), None) => {
                it_prints_on_the_embedded_cluster_what_it_printed_on_a_real_server(&servers, &program)
                    .map(|()| Completion::Completed)
            }
            (None, None) => Ok(Completion::Completed),
        }
    })
}

/// Runs a program on the real server, if there is one, and on ours; both must make it print what is recorded.
fn it_prints_on_the_embedded_cluster_what_it_printed_on_a_real_server(
    servers: &Servers,
    program: &Program,
) -> Result<(), Failed> {
    let updating = std::env::var_os("UPDATE_GOLDEN").is_some_and(|value| value == "1");
    let real = if program.pods { &servers.real_with_nodes } else { &servers.real };
    if let Some(real) = real {
        let printed = servers.runtime.block_on(real.run(program))?;
        if updating {
            Recording::write(program, &printed)?;
        }
        Recording::read(program)?.compare(&printed, "the real server, now")?;
    }
    let recording = Recording::read(program)?;
    let printed = servers.runtime.block_on(servers.ours.run(program))?;
    Ok(recording.compare(&printed, "embedded")?)
}
