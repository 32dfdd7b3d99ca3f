//! The failure laboratory: every built-in scenario fails for its reason and is remedied, and does so the same each time.
//!
//! `DRYARC_TEST_RUNS` says how often a scenario is repeated for its journal; 50 is what a release is held to.

use std::process::ExitCode;
use std::sync::Arc;

use e2e_tests::repository::root;
use harness::scenario::{RunOptions, Scenario, Verdict, built_in, run};
use libtest_mimic::{Arguments, Failed, Trial};

/// The scenarios whose journals are compared: one of the cloud's, one of the network's, one of the cluster's.
const REPEATED: [&str; 3] = ["registration-eleven-minutes", "identity-service-blocked", "image-pull"];

/// How often, unless told otherwise.
const RUNS: usize = 5;

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    // Worlds rest now and then to see whether everybody is quiet.
    arguments.test_threads.get_or_insert(RunOptions::default().jobs);
    let trials = match built_in() {
        Ok(scenarios) => trials(scenarios),
        Err(error) => vec![Trial::test("the scenarios can be read", move || Err(Failed::from(&error)))],
    };
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn trials(scenarios: Vec<Scenario>) -> Vec<Trial> {
    let options = Arc::new(RunOptions::default());
    let mut trials = vec![the_table_of_claims_has_every_scenario_with_its_sources(&scenarios)];
    for scenario in scenarios {
        if REPEATED.contains(&scenario.name.as_str()) {
            trials.push(the_same_seed_leaves_the_same_journal(scenario.clone(), options.clone()));
        }
        trials.push(a_scenario_fails_for_its_reason_and_is_remedied(scenario, options.clone()));
    }
    trials
}

fn a_scenario_fails_for_its_reason_and_is_remedied(scenario: Scenario, options: Arc<RunOptions>) -> Trial {
    Trial::test(scenario.name.clone(), move || {
        let report = run(&scenario, &options);
        if report.verdict == Verdict::Passed { Ok(()) } else { Err(report.problems().join("\n").into()) }
    })
}

fn the_same_seed_leaves_the_same_journal(scenario: Scenario, options: Arc<RunOptions>) -> Trial {
    Trial::test(format!("{} leaves the same journal each time", scenario.name), move || {
        let runs = std::env::var("DRYARC_TEST_RUNS").ok().and_then(|text| text.parse().ok()).unwrap_or(RUNS);
        let first = run(&scenario, &options).journal;
        if first.is_empty() {
            return Err("there is no journal".into());
        }
        for number in 2..=runs {
            let again = run(&scenario, &options).journal;
            if again != first {
                let only = |one: &str, other: &str| -> Vec<String> {
                    one.lines().filter(|line| !other.contains(*line)).take(5).map(ToOwned::to_owned).collect()
                };
                let (lost, new) = (only(&first, &again), only(&again, &first));
                return Err(format!("run {number} differs: without {lost:#?}, with {new:#?}").into());
            }
        }
        Ok(())
    })
}

fn the_table_of_claims_has_every_scenario_with_its_sources(scenarios: &[Scenario]) -> Trial {
    let wanted: Vec<(String, Vec<String>)> =
        scenarios.iter().map(|one| (one.name.clone(), one.sources.clone())).collect();
    Trial::test("the table of claims has every scenario with its sources", move || {
        let text = std::fs::read_to_string(root().join("FIDELITY.md"))?;
        let missing: Vec<String> = wanted
            .iter()
            .filter(|(name, sources)| {
                let row = text.lines().find(|line| line.starts_with(&format!("| `{name}`: ")));
                !row.is_some_and(|row| sources.iter().all(|source| row.contains(source.as_str())))
            })
            .map(|(name, _)| name.clone())
            .collect();
        if missing.is_empty() { Ok(()) } else { Err(format!("not in FIDELITY.md: {missing:?}").into()) }
    })
}
