//! Takes out of a text what differs from run to run: identifiers, times, ports, random names, durations.

use regex_lite::Regex;

/// The rules, in the order in which they are applied.
const RULES: &[(&str, &str)] = &[
    (r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}", "<uuid>"),
    (r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)? \+0000 UTC", "<time>"),
    (r"[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \d{4}", "<date>"),
    (r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)", "<time>"),
    (r"\d{4}-\d\d-\d\dT\d\d-\d\d-\d\dZ", "<time>"),
    (r"[A-Z][a-z]{2}-[A-Z][a-z]{2}-\d\d-\d\d\.\d\d\.\d\d-\d{4}", "<time>"),
    (r"/[A-Za-z0-9_./-]*/worlds/", "<worlds>/"),
    (r"sha256:[0-9a-f]{64}", "sha256:<digest>"),
    (r"[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d (\+0000|GMT|UTC)", "<date>"),
    (r"127\.0\.0\.1:\d+", "127.0.0.1:<port>"),
    (r"\b10\.\d+\.\d+\.\d+", "<ip>"),
    (r"MII[A-Za-z0-9+/=]{100,}", "<base64>"),
    // ReplicaSet hash (a number of up to ten digits, seldom short) and pod suffix, in the alphabet that Kubernetes draws names from.
    (r"-[bcdfghjklmnpqrstvwxz2456789]{5,10}-[bcdfghjklmnpqrstvwxz2456789]{5}\b", "-<hash>-<random>"),
    (r"-[bcdfghjklmnpqrstvwxz2456789]{8,10}\b", "-<hash>"),
    (r"\b\d+[dhms](\d+[hms])?\b( ago)?", "<age>"),
    (r#"(resourceVersion: )"?\d+"?"#, "$1<rv>"),
    (r#""resourceVersion": "\d+""#, r#""resourceVersion": "<rv>""#),
];

/// `text` without what differs from run to run, and without blanks at the ends of lines; columns are two blanks apart, since
/// a table's width depends on the values.
#[must_use]
pub fn normalize(text: &str) -> String {
    let mut text = text.to_owned();
    for (pattern, replacement) in RULES {
        if let Ok(rule) = Regex::new(pattern) {
            text = rule.replace_all(&text, *replacement).into_owned();
        }
    }
    let squeeze = Regex::new(r"(\S) {2,}").ok();
    let mut lines: Vec<String> = text
        .lines()
        .map(|line| match &squeeze {
            Some(rule) => rule.replace_all(line, "$1  ").trim_end().to_owned(),
            None => line.trim_end().to_owned(),
        })
        .collect();
    while lines.last().is_some_and(String::is_empty) {
        lines.pop();
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::normalize;

    #[test]
    fn what_differs_between_runs_is_replaced() {
        assert_eq!(
            normalize("web-6d4cf56db6-x2b4z   1/1   Running   0   13d  \n\n"),
            "web-<hash>-<random>  1/1  Running  0  <age>"
        );
        assert_eq!(normalize("https://127.0.0.1:4711/a"), "https://127.0.0.1:<port>/a");
        assert_eq!(normalize("\"2026-01-01T00:00:00.123Z\""), "\"<time>\"");
    }
}
