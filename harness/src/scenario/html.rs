//! Reports as one page of HTML that needs nothing else: no network, no script, and no colour to be understood.
//!
//! Each scenario can be opened (`<details>`, usable by keyboard): its story, then the timeline of clients, cloud, gateway,
//! agents and cluster on the world's clock, in which each event can be opened too. Where a fault struck, the row says so in
//! words. What the page shows comes from the journal, which holds no secret.

use std::fmt::Write as _;
use std::time::Duration;

use sim_core::journal::Event;

use super::report::{Report, Verdict};
use super::terminal;

/// The longest timeline that is shown in full; of a longer one, the beginning and everything a fault struck.
const ROWS: usize = 400;

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:72rem;padding:0 1rem;color:#111;background:#fff}\
summary{cursor:pointer;padding:.3rem}summary:focus-visible{outline:3px solid #06c}details{border-bottom:1px solid #ccc}\
pre{white-space:pre-wrap;background:#f4f4f4;padding:.7rem;overflow-wrap:anywhere}table{border-collapse:collapse;width:100%}\
th,td{text-align:left;vertical-align:top;padding:.15rem .5rem;border-bottom:1px solid #ddd}td:first-child{white-space:nowrap}\
.struck td{font-weight:bold;border-left:4px double #900}.bad{font-weight:bold}\
@media(prefers-color-scheme:dark){body{color:#eee;background:#111}pre{background:#222}}";

/// The page.
#[must_use]
pub fn page(reports: &[Report], wall_time: Duration) -> String {
    let summary = terminal::summary(reports, wall_time);
    let mut text = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <title>dryarc scenarios</title><style>{STYLE}</style></head><body>\n<h1>Failures and their remedies</h1>\n<p>{}</p>\n",
        escaped(&summary)
    );
    for report in reports {
        scenario(&mut text, report);
    }
    text.push_str("</body></html>\n");
    text
}

fn scenario(text: &mut String, report: &Report) {
    let open = if matches!(report.verdict, Verdict::Passed | Verdict::Skipped) { "" } else { " open" };
    // Writing to a string does not fail.
    let _ = writeln!(
        text,
        "<details{open} id=\"{}\"><summary><b>{}</b> {}: {}</summary>",
        escaped(&report.name),
        report.verdict.word(),
        escaped(&report.name),
        escaped(&report.cause)
    );
    if let Some(reason) = &report.skipped {
        let _ = writeln!(text, "<p>Not performed by {}: {}</p>", report.driver, escaped(reason));
    }
    for problem in report.problems() {
        let _ = writeln!(text, "<p class=\"bad\">Not as expected: {}</p>", escaped(&problem));
    }
    let _ = writeln!(text, "<pre>{}</pre>", escaped(&terminal::story(report)));
    timeline(text, report);
    text.push_str("</details>\n");
}

fn timeline(text: &mut String, report: &Report) {
    text.push_str("<details><summary>Timeline, by the world's clock</summary>\n<table><thead><tr><th scope=\"col\">Time</th><th scope=\"col\">Who</th><th scope=\"col\">What</th></tr></thead><tbody>\n");
    let mut left_out = 0usize;
    for (number, event) in report.events.iter().enumerate() {
        if number >= ROWS && event.kind != "fault" {
            left_out += 1;
            continue;
        }
        row(text, event);
    }
    text.push_str("</tbody></table>\n");
    if left_out > 0 {
        let _ = writeln!(text, "<p>{left_out} more events are in the journal.</p>");
    }
    text.push_str("</details>\n");
}

fn row(text: &mut String, event: &Event) {
    let struck = event.kind == "fault";
    let class = if struck { " class=\"struck\"" } else { "" };
    let fact = |name: &str| event.facts.get(name).map(plain).unwrap_or_default();
    let mut what = event.kind.clone();
    for name in
        ["rule", "method", "host", "path", "operation", "pod", "container", "status", "code", "reason"]
    {
        let value = fact(name);
        if !value.is_empty() {
            what.push(' ');
            what.push_str(&value);
        }
    }
    if struck {
        what.insert_str(0, "FAULT STRUCK: ");
    }
    let facts = serde_json::to_string_pretty(&event.facts).unwrap_or_default();
    let _ = writeln!(
        text,
        "<tr{class}><td>{}</td><td>{}</td><td><details><summary>{}</summary><pre>{}</pre></details></td></tr>",
        event.time.strftime("%Y-%m-%d %H:%M:%S"),
        escaped(&event.actor),
        escaped(&what),
        escaped(&facts)
    );
}

fn plain(value: &serde_json::Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned)
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
