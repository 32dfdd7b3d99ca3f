//! Texts that several kinds share.

use serde_json::Value;

use super::{list, text};

/// `a=1,b=2`, sorted; `<none>` when there are none.
pub(super) fn labels(map: &Value) -> String {
    let mut pairs: Vec<String> = map
        .as_object()
        .into_iter()
        .flatten()
        .map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default()))
        .collect();
    pairs.sort();
    if pairs.is_empty() { "<none>".into() } else { pairs.join(",") }
}

/// A label selector as text; empty when it selects everything.
pub(super) fn selector(selector: &Value) -> String {
    let mut parts: Vec<(String, String)> = Vec::new();
    for (key, value) in selector["matchLabels"].as_object().into_iter().flatten() {
        parts.push((key.clone(), format!("{key}={}", value.as_str().unwrap_or_default())));
    }
    for one in list(&selector["matchExpressions"]) {
        let key = text(&one["key"], "");
        let mut values: Vec<&str> = list(&one["values"]).iter().filter_map(Value::as_str).collect();
        values.sort_unstable();
        let values = values.join(",");
        let part = match one["operator"].as_str() {
            Some("In") => format!("{key} in ({values})"),
            Some("NotIn") => format!("{key} notin ({values})"),
            Some("DoesNotExist") => format!("!{key}"),
            _ => key.to_owned(),
        };
        parts.push((key.to_owned(), part));
    }
    parts.sort();
    parts.into_iter().map(|(_, part)| part).collect::<Vec<_>>().join(",")
}

/// The same, with `<none>` for an empty one.
pub(super) fn selector_or_none(value: &Value) -> String {
    let text = selector(value);
    if text.is_empty() { "<none>".into() } else { text }
}

/// Names and images of containers, each joined by commas.
pub(super) fn containers(spec: &Value) -> (String, String) {
    let join = |field: &str| {
        let all = list(&spec["containers"]).iter().map(|it| it[field].as_str().unwrap_or_default());
        all.collect::<Vec<_>>().join(",")
    };
    (join("name"), join("image"))
}

/// The first three of a list and how many more there are; `otherwise` when it is empty.
pub(super) fn at_most_three(all: &[String], otherwise: &str) -> String {
    const MOST: usize = 3;
    let shown = all.iter().take(MOST).cloned().collect::<Vec<_>>().join(",");
    match all.len() {
        0 => otherwise.into(),
        many if many > MOST => format!("{shown} + {} more...", many - MOST),
        _ => shown,
    }
}

/// A number or a text, as text.
pub(super) fn int_or_string(value: &Value, otherwise: &str) -> String {
    match value {
        Value::Null => otherwise.into(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
