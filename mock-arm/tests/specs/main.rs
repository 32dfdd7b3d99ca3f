//! Replies of the simulated Azure against API descriptions.
//!
//! `DRYARC_AZURE_SPECS` names a folder of OpenAPI 3 documents (YAML). Every operation of a type that is modelled here is one test:
//! requests are made from the schema (the least that is required, everything that can be written, and each member by itself), and
//! status, body and error body are held against the document. What may differ stands in `fixtures/specs-differences.json`, each
//! with its reason; an entry that excuses nothing any more fails. Without the folder there is one test, reported as ignored.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod document;
mod generate;
mod schema;
#[path = "../common/stage.rs"]
mod stage;
#[path = "../common/table.rs"]
mod table;
mod walk;

use std::process::ExitCode;
use std::sync::Arc;

use libtest_mimic::{Arguments, Completion, Failed, Trial};

use document::Operation;
use table::Table;

/// The variable that names the folder.
const VARIABLE: &str = "DRYARC_AZURE_SPECS";

/// One operation: every request that its description allows for.
fn replies_follow_the_api_description(operation: &Operation, table: &Table) -> Result<(), Failed> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let found = runtime.block_on(walk::violations(operation))?;
    let title = operation.title();
    let mut left: Vec<String> =
        found.into_iter().filter(|violation| !table.excuses(&title, violation)).collect();
    left.sort();
    left.dedup();
    if left.is_empty() { Ok(()) } else { Err(left.join("\n").into()) }
}

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads = Some(1);
    let Some(folder) = std::env::var_os(VARIABLE).filter(|folder| !folder.is_empty()) else {
        let reason = format!("{VARIABLE} names no folder of API descriptions");
        let absent = Trial::ignorable_test("replies_follow_the_api_descriptions", move || {
            Ok(Completion::ignored_with(reason))
        });
        return libtest_mimic::run(&arguments, vec![absent]).exit_code();
    };
    let table = Arc::new(Table::read("specs-differences.json"));
    let mut trials: Vec<Trial> = document::operations(folder.as_ref())
        .into_iter()
        .map(|operation| {
            let table = table.clone();
            Trial::test(operation.title(), move || replies_follow_the_api_description(&operation, &table))
        })
        .collect();
    if arguments.filter.is_none() {
        // Runs last, alone: by then every operation has asked the table.
        trials.push(Trial::test("every_listed_difference_still_is_one", move || {
            let idle = table.idle();
            if idle.is_empty() { Ok(()) } else { Err(idle.join("\n").into()) }
        }));
    }
    libtest_mimic::run(&arguments, trials).exit_code()
}
