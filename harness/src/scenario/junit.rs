//! Reports as JUnit XML, in the form that pipelines' viewers agree on: one suite, one case a scenario.

use std::fmt::Write as _;
use std::time::Duration;

use super::report::{Report, Verdict};

/// The document.
#[must_use]
pub fn xml(reports: &[Report], wall_time: Duration) -> String {
    let count = |verdict| reports.iter().filter(|report| report.verdict == verdict).count();
    let (failures, errors) = (count(Verdict::Failed), count(Verdict::Broken));
    let totals = format!(
        "tests=\"{}\" failures=\"{failures}\" errors=\"{errors}\" skipped=\"{}\" time=\"{:.3}\"",
        reports.len(),
        count(Verdict::Skipped),
        wall_time.as_secs_f64()
    );
    let mut text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"dryarc\" {totals}>\n  <testsuite name=\"dryarc scenarios\" {totals}>\n"
    );
    for report in reports {
        case(&mut text, report);
    }
    text.push_str("  </testsuite>\n</testsuites>\n");
    text
}

fn case(text: &mut String, report: &Report) {
    let group = report.tags.first().map_or("scenario", String::as_str);
    // Writing to a string does not fail.
    let _ = write!(
        text,
        "    <testcase classname=\"dryarc.{}\" name=\"{}\" time=\"{:.3}\">\n      <properties>\n",
        escaped(group),
        escaped(&report.name),
        report.wall_time.as_secs_f64()
    );
    let seed = report.seed.to_string();
    let (sources, driver) = (report.sources.join(" "), report.driver.to_string());
    let properties = [("title", &report.title), ("driver", &driver), ("seed", &seed), ("source", &sources)]
        .map(|(name, value)| (name, value.clone()));
    for (name, value) in properties {
        let _ = writeln!(text, "        <property name=\"{name}\" value=\"{}\"/>", escaped(&value));
    }
    text.push_str("      </properties>\n");
    let problems = report.problems();
    let element = match report.verdict {
        Verdict::Passed | Verdict::Skipped => None,
        Verdict::Failed => Some("failure"),
        Verdict::Broken => Some("error"),
    };
    if let Some(element) = element {
        let first = problems.first().map_or("", String::as_str);
        let _ = writeln!(
            text,
            "      <{element} message=\"{}\" type=\"{}\">{}</{element}>",
            escaped(first),
            report.verdict.word(),
            escaped(&problems.join("\n"))
        );
    }
    if let Some(reason) = &report.skipped {
        let _ = writeln!(text, "      <skipped message=\"{}\"/>", escaped(reason));
    }
    let _ = writeln!(
        text,
        "      <system-out>{}</system-out>\n    </testcase>",
        escaped(&super::terminal::story(report))
    );
}

/// Text as XML may hold it: control characters other than tab and line ends have no place in it at all.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\n' => safe.push_str("&#10;"),
            '\t' | '\r' => safe.push(' '),
            control if control.is_control() || matches!(control, '\u{fffe}' | '\u{ffff}') => safe.push('?'),
            other => safe.push(other),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_xml_cannot_hold_is_replaced() {
        assert_eq!(escaped("a<b> & \"c\"\n\u{1}d"), "a&lt;b&gt; &amp; &quot;c&quot;&#10;?d");
    }
}
