//! Reports for people.

use std::time::Duration;

use super::report::{Report, Verdict};
use super::run::Outcome;
use crate::span;

/// One line: whether it passed, its name, the cause, and what was seen.
#[must_use]
pub fn line(report: &Report, width: usize) -> String {
    let mark = match report.verdict {
        Verdict::Passed => "ok    ",
        Verdict::Failed => "FAILED",
        Verdict::Broken => "BROKEN",
        Verdict::Skipped => "skip  ",
    };
    if let Some(reason) = &report.skipped {
        return format!("{mark}  {:width$}  not performed by {}: {reason}", report.name, report.driver);
    }
    let seen = report.seen().map_or_else(String::new, |step| format!(" [{}]", short(&step.outcome)));
    format!("{mark}  {:width$}  {}{seen}", report.name, report.cause)
}

/// What a client's end is called for short.
fn short(outcome: &Outcome) -> String {
    let parts = [&outcome.code, &outcome.arm_code];
    let named: Vec<&str> = parts.into_iter().flatten().map(String::as_str).collect();
    if named.is_empty() { format!("exit {}", outcome.exit) } else { named.join(" ") }
}

/// What is wrong with a scenario that did not pass, and how to look closer.
#[must_use]
pub fn problems(report: &Report) -> String {
    let mut text = String::new();
    for problem in report.problems() {
        text.push_str(&format!("        {}\n", problem.replace('\n', "\n        ")));
    }
    text
}

/// The last line of a run.
#[must_use]
pub fn summary(reports: &[Report], wall_time: Duration) -> String {
    let count = |verdict| reports.iter().filter(|report| report.verdict == verdict).count();
    let (passed, skipped) = (count(Verdict::Passed), count(Verdict::Skipped));
    let world: Duration = reports.iter().map(|report| report.virtual_time).sum();
    let failed = reports.len() - passed - skipped;
    let mut end = if failed == 0 { String::new() } else { format!(", {failed} did not") };
    if skipped > 0 {
        end.push_str(&format!(", {skipped} were SKIPPED"));
    }
    format!(
        "{passed} of {} scenarios failed as they should and were remedied{end}; {} of world time in {:.1} s",
        reports.len(),
        span::format(world),
        wall_time.as_secs_f64()
    )
}

/// The whole story of one scenario.
#[must_use]
pub fn story(report: &Report) -> String {
    let mut text = format!(
        "{}\n\nSymptom: {}\nCause:   {}\nRemedy:  {}\nSources: {}\n",
        report.title,
        report.symptom,
        report.cause,
        report.remedy,
        report.sources.join(" ")
    );
    for act in &report.acts {
        text.push_str(&format!("\n{} ({} of world time)\n", act.what, span::format(act.virtual_time)));
        for step in &act.steps {
            let at = step.at.strftime("%H:%M:%S");
            let end = if step.outcome.exit == 0 {
                "done".to_owned()
            } else {
                format!("exit {}: {}", step.outcome.exit, step.outcome.text.replace('\n', "\n      "))
            };
            text.push_str(&format!("  {at}  {} ({}): {end}\n", step.action, span::format(step.virtual_time)));
            for said in &step.outcome.said {
                text.push_str(&format!("      {said}\n"));
            }
        }
    }
    if let Some(why) = &report.varies {
        text.push_str(&format!("\nNote: {why}\n"));
    }
    if !report.fired.is_empty() {
        let fired: Vec<String> =
            report.fired.iter().map(|(id, count)| format!("{id} {count} times")).collect();
        text.push_str(&format!("\nStruck: {}\n", fired.join(", ")));
    }
    text
}

/// A scenario in words, before it is run.
#[must_use]
pub fn words(scenario: &super::Scenario) -> String {
    let mut text = format!(
        "{}\n\nSymptom: {}\nCause:   {}\nRemedy:  {}\nTags:    {}\nDrivers: {}\nSources:\n",
        scenario.title,
        scenario.symptom.trim(),
        scenario.cause.trim(),
        scenario.remedy.what.trim(),
        scenario.tags.join(", "),
        scenario.drivers.iter().map(|driver| driver.name()).collect::<Vec<_>>().join(", ")
    );
    for source in &scenario.sources {
        text.push_str(&format!("  {source}\n"));
    }
    let rules: Vec<&str> = scenario.rule_ids().collect();
    if !rules.is_empty() {
        text.push_str(&format!("Fault rules: {}\n", rules.join(", ")));
    }
    for (title, steps) in [("What the user does", &scenario.steps), ("What helps", &scenario.remedy.steps)] {
        text.push_str(&format!("\n{title}\n"));
        for (number, step) in steps.iter().enumerate() {
            text.push_str(&format!("  {}. {}\n", number + 1, in_words(step)));
        }
    }
    text
}

/// A step, and what comes of it.
fn in_words(step: &super::Step) -> String {
    let mut text = step.actions().first().copied().unwrap_or("nothing").to_owned();
    if let Some(super::Span(span)) = step.advance {
        text.push_str(&format!(" {}", span::format(span)));
    }
    if let Some(who) = step.who.as_ref().and_then(|who| who.principal.as_deref()) {
        text.push_str(&format!(" as {who}"));
    }
    let named = [
        step.clear.clone(),
        step.fault.as_ref().map(|rule| rule.id.clone()),
        step.patch.as_ref().map(|patch| patch.object.clone()),
        step.remove.as_ref().map(|objects| objects.join(", ")),
        step.restart.as_ref().map(|names| names.join(", ")),
        step.arm.as_ref().map(|call| format!("{} {}", call.method, call.path)),
        step.kubectl.as_ref().map(|arguments| arguments.join(" ")),
        step.helm.as_ref().map(|arguments| arguments.join(" ")),
        step.sh.as_ref().map(|script| script.trim().replace('\n', "\n       ")),
    ];
    for name in named.into_iter().flatten() {
        text.push_str(&format!(" {name}"));
    }
    if let Some(expect) = &step.expect {
        let code = expect.code.as_deref().or(expect.arm_code.as_deref()).unwrap_or_default();
        let stage = expect.stage.as_ref().map_or_else(String::new, |stage| format!(" at {stage}"));
        let said = expect.text.0.first().map_or_else(String::new, |text| format!(": \"{text}\""));
        let end = if expect.exit() == 0 { "succeeds" } else { "fails" };
        text.push_str(format!(" {end}{stage} {code}").trim_end());
        text.push_str(&said);
        if let Some(az) = &expect.az {
            text.push_str(&format!("\n     with az: {}", with_az(az, &expect.with(super::Driver::Az))));
        }
    }
    text
}

/// How a step ends with the Azure CLI.
fn with_az(az: &super::AzExpect, wanted: &super::ClientExpect) -> String {
    let codes = [az.code.as_deref(), az.arm_code.as_deref()].into_iter().flatten();
    let said = az.text.0.iter().map(|text| format!("\"{text}\""));
    let all: Vec<String> = codes.map(ToOwned::to_owned).chain(said).collect();
    format!("exit {} {}", wanted.exit(), all.join(", ")).trim_end().to_owned()
}
