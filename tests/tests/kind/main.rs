//! A world around a real cluster, beside one around the embedded cluster: the quickstart, and the life of agents as real pods in a
//! cluster that was there before. Needs Docker, kind and kubectl; without them every test of kind is reported as ignored, with
//! the reason. At the end a table shows what was seen working on which backend.
//!
//! `DRYARC_TEST_KIND_IMAGE` names the node image; otherwise it is a local `kindest/node`, else kind's own default.

mod life;
mod machine;
mod table;
mod theirs;

use std::process::ExitCode;
use std::sync::Arc;

use e2e_tests::clients::Client;
use e2e_tests::waiting::eventually;
use libtest_mimic::{Arguments, Completion, Trial};
use life::{CHECKS, Life, Seen, with_clients};
use machine::{Checked, Machine, docker_state, expect, ok, output, sandbox};
use serde_json::Value;
use sim_core::clock::Clock;
use table::Table;
use theirs::{State, Theirs};

const EMBEDDED: &str = "embedded";
const KIND: &str = "kind";

/// The quickstart, and its steps into the table. A cluster of its own is created and deleted.
fn quickstart(backend: &'static str, more: Vec<String>, table: &Table) -> Checked {
    let sandbox = sandbox()?;
    let mut arguments: Vec<String> =
        ["quickstart", "--cluster", backend, "--output", "json"].map(str::to_owned).to_vec();
    arguments.extend(more);
    let watch = Clock::running(1.0).stopwatch();
    let ran = ok(sandbox.run(&arguments)?)?;
    let took = watch.elapsed();
    let report: Value = serde_json::from_str(&ran.stdout).map_err(|error| error.to_string())?;
    expect(report["outcome"] == "done", || ran.stdout.clone())?;
    let steps = report["steps"].as_array().cloned().unwrap_or_default();
    let connected = &steps.iter().find(|step| step["number"] == 6).cloned().unwrap_or_default()["result"];
    expect(connected["connectivityStatus"] == "Connected", || connected.to_string())?;
    let distribution = if backend == KIND { "kind" } else { "generic" };
    expect(connected["distribution"] == distribution, || connected.to_string())?;
    expect(std::fs::read_dir(sandbox.state())?.next().is_none(), || "a world is left".into())?;
    for step in &steps {
        let title = step["title"].as_str().unwrap_or_default();
        let seconds = step["wallSeconds"].as_f64().unwrap_or_default();
        table.note(
            &format!("quickstart {}: {title}", step["number"]),
            backend,
            format!("works ({seconds:.1} s)"),
        );
    }
    table.worked("quickstart, whole", backend, took);
    Ok(())
}

fn the_quickstart_makes_a_cluster_and_deletes_it_again(machine: &Machine, table: &Table) -> Checked {
    let before = docker_state()?;
    quickstart(KIND, machine.image_options("--kind-image"), table)?;
    expect(docker_state()? == before, || format!("{:?} was {before:?}", docker_state()))
}

/// All checks of a life, in their order; the first that fails ends it.
fn live(life: &Life<'_>, backend: &'static str, table: &Table) -> Checked {
    for (name, check) in CHECKS {
        let watch = Clock::running(1.0).stopwatch();
        match check(life) {
            Ok(Seen::Working) => table.worked(name, backend, watch.elapsed()),
            Ok(Seen::Missing(what)) => table.note(name, backend, format!("{what} missing")),
            Err(failed) => {
                table.note(name, backend, "FAILED".into());
                return Err(format!("{name}: {}", failed.message().unwrap_or("no reason")).into());
            }
        }
        if let (Some(theirs), "killed agent is restarted") = (life.theirs, name) {
            table.note("memory of the ten agents", backend, format!("{} MiB", Life::memory(theirs)?));
        }
    }
    Ok(())
}

fn the_embedded_cluster_passes_the_same_checks(table: &Table) -> Checked {
    quickstart(EMBEDDED, Vec::new(), table)?;
    let sandbox = with_clients(sandbox()?)?;
    live(&Life { sandbox: &sandbox, theirs: None }, EMBEDDED, table)?;
    sandbox.assert_nothing_left();
    Ok(())
}

fn agents_live_and_recover_in_a_cluster_that_is_left_as_it_was(machine: &Machine, table: &Table) -> Checked {
    let sandbox = with_clients(sandbox()?)?;
    let file = Theirs::kubeconfig(&sandbox).display().to_string();
    let sandbox = sandbox.with_variable("KUBECONFIG", file);
    let theirs = Theirs::create(machine, &sandbox)?;
    let before = theirs.state()?;
    let life = Life { sandbox: &sandbox, theirs: Some(&theirs) };
    live(&life, KIND, table)?;
    as_it_was(&theirs, &before)?;
    table.note("the user's cluster is left as it was", KIND, "works".into());
    one_world_at_a_time(&life)?;
    killed_world(&life, &theirs, &before)?;
    table.note("a killed world's traces are taken out", KIND, "works".into());
    any_context(&life, &theirs, &before)?;
    table.note("--cluster context=NAME", KIND, "works".into());
    Ok(())
}

fn as_it_was(theirs: &Theirs, before: &State) -> Checked {
    let after = theirs.state()?;
    expect(after == *before, || format!("{after:#?}\nwas\n{before:#?}"))
}

/// A second world in the same cluster is refused, and the first one goes on.
fn one_world_at_a_time(life: &Life<'_>) -> Checked {
    life.up()?;
    let cluster = format!("kind={}", life.theirs.map_or("", |theirs| &theirs.name));
    let second = life.sandbox.run(["up", "--detach", "--world", "other", "--cluster", &cluster])?;
    let refused = second.code == 5 && second.stderr.contains("in a world already");
    expect(refused, || format!("a second world in one cluster was not refused: {second:?}"))
}

/// A world dies with its agents in the cluster; the next command takes everything out.
fn killed_world(life: &Life<'_>, theirs: &Theirs, before: &State) -> Checked {
    life.onboard()?;
    output("kill", &["-KILL", &life.pid()?.to_string()])?;
    // A process with many threads takes a moment to die.
    eventually("the next command undoes what the killed world did", 30, || {
        let ran = life.sandbox.run(["status", "--all"]).map_err(|error| error.to_string())?;
        Ok(ran.stderr.contains("ended without order"))
    })?;
    as_it_was(theirs, before)
}

/// The same cluster as nothing but a context of the user's kubeconfig: how images get into its nodes has to be said.
fn any_context(life: &Life<'_>, theirs: &Theirs, before: &State) -> Checked {
    let cluster = format!("context=kind-{}", theirs.name);
    let up = ["up", "--detach", "--cluster", &cluster, "--yes"];
    let unsaid = life.sandbox.run(up)?;
    let refused = unsaid.code == 2 && unsaid.stderr.contains("--load-images");
    expect(refused, || format!("images got into nodes unasked: {unsaid:?}"))?;
    let load = format!("kind load image-archive {{}} --name {}", theirs.name);
    life.dryarc(&[&up[..], &["--load-images", &load]].concat())?;
    life.register()?;
    life.onboard_and_connect()?;
    life.dryarc(&["down"])?;
    let after = theirs.state()?;
    let same = after.corefile == before.corefile && after.objects == before.objects;
    expect(same, || format!("{after:#?}\nwas\n{before:#?}"))
}

type Test = fn(&Machine, &Table) -> Checked;

const TESTS: [(&str, Test); 2] = [
    (
        "the_quickstart_makes_a_cluster_and_deletes_it_again",
        the_quickstart_makes_a_cluster_and_deletes_it_again,
    ),
    (
        "agents_live_and_recover_in_a_cluster_that_is_left_as_it_was",
        agents_live_and_recover_in_a_cluster_that_is_left_as_it_was,
    ),
];

fn trials(table: &Arc<Table>) -> Vec<Trial> {
    let machine = Machine::find();
    let mine = table.clone();
    let embedded = Trial::ignorable_test("the_embedded_cluster_passes_the_same_checks", move || {
        if Client::Kubectl.find().is_none() {
            return Ok(Completion::ignored_with("kubectl is not installed"));
        }
        the_embedded_cluster_passes_the_same_checks(&mine).map(|()| Completion::Completed)
    });
    let of_kind = TESTS.into_iter().map(|(name, test)| {
        let (machine, table) = (machine.clone(), table.clone());
        Trial::ignorable_test(name, move || match machine {
            Ok(machine) => test(&machine, &table).map(|()| Completion::Completed),
            Err(reason) => Ok(Completion::ignored_with(reason)),
        })
    });
    std::iter::once(embedded).chain(of_kind).collect()
}

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    // Two clusters at a time are too many for a small machine.
    arguments.test_threads = arguments.test_threads.or(Some(1));
    let table = Arc::new(Table::default());
    let conclusion = libtest_mimic::run(&arguments, trials(&table));
    // A table that nobody reads changes no outcome.
    let _ = table.write(&mut std::io::stdout());
    conclusion.exit_code()
}
