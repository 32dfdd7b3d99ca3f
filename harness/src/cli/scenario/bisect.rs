//! `dryarc scenario bisect-seed`.

use clap::Args;
use serde_json::json;

use super::super::output::{Output, show};
use super::super::signals::Signals;
use super::super::{CliError, Context, Exit};
use super::found;
use super::run::{Who, check_skipped, performed};
use crate::scenario::bisect::{Bisected, Departure, bisected, ranges};
use crate::scenario::{Driver, RunOptions};

pub(super) const HELP: &str = "\
Examples:
  dryarc scenario bisect-seed ./flaky.yaml
  dryarc scenario bisect-seed ./flaky.yaml --from 1 --seeds 200
  dryarc scenario bisect-seed operation-hangs --seeds 16 --output json

Each seed has a world of its own, many at the same time. Said are the seeds that passed and those that did not, what was not as
it should be with the smallest of these, and where its journal departs from that of a seed that passed. Exit codes: 0 every seed
passed, 1 some did not.";

#[derive(Debug, Args)]
pub(super) struct Bisect {
    /// The name of a built-in scenario, or a file
    #[arg(value_name = "NAME|FILE")]
    what: String,
    /// How many seeds are tried
    #[arg(long, value_name = "N", default_value_t = 32, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    seeds: u64,
    /// The first of them [default: the scenario's own]
    #[arg(long, value_name = "SEED")]
    from: Option<u64>,
    /// Who performs onboarding and calls of Azure [default: native]
    #[arg(long, value_enum, value_name = "WHO")]
    driver: Option<Who>,
    /// How many run beside each other [default: two for each processor]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    jobs: Option<u16>,
    /// The form of the output
    #[arg(long, short, value_enum, default_value = "table", value_name = "FORM")]
    output: Output,
}

impl Bisect {
    pub(super) async fn perform(self, context: &Context, signals: &mut Signals) -> Result<Exit, CliError> {
        let mut found = found(&self.what)?;
        let (Some(scenario), true) = (found.pop(), found.is_empty()) else {
            return Err(CliError::usage(format!("{} has more than one scenario in it", self.what))
                .next("name one file: the seeds of one scenario are tried"));
        };
        let first = self.from.unwrap_or(scenario.world.seed);
        let seeds = (first..=u64::MAX).take(usize::try_from(self.seeds).unwrap_or(usize::MAX));
        let seeded = seeds.map(|seed| {
            let mut one = scenario.clone();
            one.world.seed = seed;
            one
        });
        let mut options = RunOptions {
            driver: self.driver.map(Driver::from),
            outer: context.outer.clone(),
            ..RunOptions::default()
        };
        options.jobs = self.jobs.map_or(options.jobs, usize::from);
        let reports = performed(seeded.collect(), &options, |_| {}, signals).await?;
        check_skipped(&reports)?;
        let told = bisected(&scenario.name, &reports);
        show(self.output, &json!(told), || people(&told))?;
        match told.smallest_failing {
            None => Ok(Exit::Ok),
            Some(seed) => {
                let what = format!("{} of {} seeds did not pass", told.failed.len(), reports.len());
                let driver = self.driver.map(|who| format!(" --driver {}", Driver::from(who)));
                let (what_for, driver) = (&self.what, driver.unwrap_or_default());
                Err(CliError::failed(what).next(format!(
                    "look closer with `dryarc scenario run {what_for}{driver} --seed {seed} --story`"
                )))
            }
        }
    }
}

fn people(told: &Bisected) -> String {
    let or_none = |seeds: &[u64]| if seeds.is_empty() { "none".to_owned() } else { ranges(seeds) };
    let mut out =
        format!("{}\n  passed  {}\n  failed  {}\n", told.name, or_none(&told.passed), or_none(&told.failed));
    let Some(seed) = told.smallest_failing else { return out };
    out.push_str(&format!("smallest seed that fails: {seed}\n"));
    for problem in &told.problems {
        out.push_str(&format!("  {problem}\n"));
    }
    match &told.departure {
        Some(departure) => out.push_str(&parting(departure)),
        None => out.push_str("no seed passed: that it fails does not depend on the seed\n"),
    }
    out
}

fn parting(departure: &Departure) -> String {
    let Departure { failing, passing, alike, last, failing_next, passing_next } = departure;
    let mut out =
        format!("the journals of seed {failing} and of seed {passing}, which passed: {alike} events alike");
    if failing_next.is_empty() && passing_next.is_empty() {
        return out + ", and no other\n";
    }
    out.push_str(", then they part\n");
    if let Some(line) = last {
        out.push_str(&format!("  both        {line}\n"));
    }
    for (seed, next) in [(failing, failing_next), (passing, passing_next)] {
        if next.is_empty() {
            out.push_str(&format!("  seed {seed:<6} (it ends)\n"));
        }
        for line in next {
            out.push_str(&format!("  seed {seed:<6} {line}\n"));
        }
    }
    out
}
