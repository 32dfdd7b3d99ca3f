//! Recorded exchanges of the real Azure against the simulated one.
//!
//! `DRYARC_AZURE_RECORDINGS` names a folder of JSON lines files (one exchange per line: method, uri, request_body, status,
//! headers, body). Each exchange is one test: the cloud is brought into the state that the exchange tells of, gets the same
//! request, and status, body (keys, JSON types, ids, enumerations, error texts) and headers are compared. What may differ stands
//! in `fixtures/recordings-differences.json`, each with its reason; an entry that excuses nothing any more fails.
//!
//! Without the folder there is one test, reported as ignored.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod compare;
mod exchange;
#[path = "../common/stage.rs"]
mod stage;
mod state;
#[path = "../common/table.rs"]
mod table;
mod transpose;

use std::process::ExitCode;
use std::sync::Arc;

use libtest_mimic::{Arguments, Completion, Failed, Trial};

use exchange::Exchange;
use table::Table;

/// The variable that names the folder.
const VARIABLE: &str = "DRYARC_AZURE_RECORDINGS";

/// One exchange: state, request, comparison.
fn a_recorded_exchange_is_answered_alike(
    exchange: &Exchange,
    all: &[Exchange],
    table: &Table,
) -> Result<Completion, Failed> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let differences = runtime.block_on(async {
        let mut stage = stage::Stage::new(state::profile(exchange));
        let request = state::prepare(&mut stage, exchange, all).await?;
        let answer = stage.send(&exchange.method, &request, exchange.request.as_ref()).await;
        Ok::<_, String>(compare::differences(&stage, exchange, &answer))
    })?;
    let left: Vec<String> =
        differences.into_iter().filter(|difference| !table.excuses(&exchange.title(), difference)).collect();
    if left.is_empty() { Ok(Completion::Completed) } else { Err(left.join("\n").into()) }
}

fn trials(folder: &std::path::Path) -> Vec<Trial> {
    let all: Arc<[Exchange]> = exchange::load(folder).into();
    let table = Arc::new(Table::read("recordings-differences.json"));
    let mut trials: Vec<Trial> = (0..all.len())
        .map(|index| {
            let (all, table) = (all.clone(), table.clone());
            Trial::ignorable_test(all[index].title(), move || {
                a_recorded_exchange_is_answered_alike(&all[index], &all, &table)
            })
        })
        .collect();
    // Runs last, alone: by then every exchange has asked the table.
    trials.push(Trial::test("every_listed_difference_still_is_one", move || {
        let idle = table.idle();
        if idle.is_empty() { Ok(()) } else { Err(idle.join("\n").into()) }
    }));
    trials
}

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads = Some(1);
    let Some(folder) = std::env::var_os(VARIABLE).filter(|folder| !folder.is_empty()) else {
        let reason = format!("{VARIABLE} names no folder of recordings");
        let absent = Trial::ignorable_test("recordings_of_the_real_azure", move || {
            Ok(Completion::ignored_with(reason))
        });
        return libtest_mimic::run(&arguments, vec![absent]).exit_code();
    };
    let mut trials = trials(folder.as_ref());
    if arguments.filter.is_some() {
        // A part of the exchanges cannot tell which entries are idle.
        trials.pop();
    }
    libtest_mimic::run(&arguments, trials).exit_code()
}
