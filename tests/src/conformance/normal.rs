//! Takes out of an answer what differs from run to run.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// What texts are replaced by, and where they come from: the case's own names.
#[derive(Debug, Clone, Default)]
pub(super) struct Names(Vec<(String, String)>);

impl Names {
    pub(super) fn new(namespace: &str, saved: &BTreeMap<String, String>) -> Self {
        let mut all = vec![(namespace.to_owned(), "{ns}".to_owned())];
        // Short values would be found everywhere.
        let saved = saved.iter().filter(|(_, value)| value.len() > 8 && value.parse::<u64>().is_err());
        all.extend(saved.map(|(name, value)| (value.clone(), format!("{{{name}}}"))));
        all.sort_by_key(|(value, _)| std::cmp::Reverse(value.len()));
        Self(all)
    }
}

/// Fields that hold a revision or a continuation.
const REVISIONS: [&str; 2] = ["resourceVersion", "continue"];

/// A JSON answer.
pub(super) fn value(value: &Value, names: &Names) -> Value {
    match value {
        Value::Object(map) => Value::Object(object(map, names)),
        Value::Array(items) => items.iter().map(|item| self::value(item, names)).collect(),
        Value::String(text) => Value::String(self::text(text, names)),
        other => other.clone(),
    }
}

fn object(map: &Map<String, Value>, names: &Names) -> Map<String, Value> {
    let mut fields: Vec<(String, Value)> = map
        .iter()
        .map(|(field, inner)| {
            let shown = match inner {
                Value::String(text)
                    if REVISIONS.contains(&field.as_str()) && !text.is_empty() && text != "0" =>
                {
                    format!("<{field}>").into()
                }
                Value::Number(_) if field == "nodePort" => format!("<{field}>").into(),
                inner => value(inner, names),
            };
            (text(field, names), shown)
        })
        .collect();
    fields.sort_by(|a, b| a.0.cmp(&b.0));
    fields.into_iter().collect()
}

/// A text.
pub(super) fn text(text: &str, names: &Names) -> String {
    let mut text = text.to_owned();
    for (value, name) in &names.0 {
        text = text.replace(value.as_str(), name);
    }
    for (pattern, shown) in RULES {
        text = replace(&text, pattern, shown);
    }
    if text.contains("resource version")
        || text.contains("resourceVersion")
        || text.contains("ResourceVersion")
    {
        text = numbers(&text);
    }
    text
}

/// Patterns, in the order in which they are looked for: `h` is a hexadecimal digit, `d` a digit, `l` a letter or digit
/// of drawn names; anything else is itself.
const RULES: [(&str, &str); 4] = [
    ("hhhhhhhh-hhhh-hhhh-hhhh-hhhhhhhhhhhh", "<uid>"),
    ("dddd-dd-ddTdd:dd:ddZ", "<time>"),
    ("dddd-dd-ddTdd:dd:dd.ddddddZ", "<time>"),
    ("kube-api-access-lllll", "kube-api-access-<drawn>"),
];

/// Whether `text` begins with something of the pattern's form.
fn begins(text: &[u8], pattern: &[u8]) -> bool {
    let literal = pattern.starts_with(b"kube-");
    text.len() >= pattern.len()
        && text.iter().zip(pattern).enumerate().all(|(index, (found, wanted))| match wanted {
            b'h' if !literal => found.is_ascii_hexdigit(),
            b'd' if !literal => found.is_ascii_digit(),
            b'l' if literal && index >= pattern.len() - 5 => found.is_ascii_alphanumeric(),
            wanted => found == wanted,
        })
}

fn replace(text: &str, pattern: &str, shown: &str) -> String {
    let (mut out, mut rest) = (String::new(), text);
    while let Some(first) = rest.chars().next() {
        if begins(rest.as_bytes(), pattern.as_bytes()) {
            out.push_str(shown);
            rest = &rest[pattern.len()..];
        } else {
            out.push(first);
            rest = &rest[first.len_utf8()..];
        }
    }
    address(out)
}

/// Addresses of services, which are drawn.
fn address(text: String) -> String {
    let octets: Vec<&str> = text.split('.').collect();
    let is_address =
        octets.len() == 4 && octets[0] == "10" && octets.iter().all(|part| part.parse::<u8>().is_ok());
    if is_address { "<address>".to_owned() } else { text }
}

/// Every number of more than one digit.
fn numbers(text: &str) -> String {
    let mut out = String::new();
    let mut digits = String::new();
    for letter in text.chars().chain(std::iter::once('\0')) {
        if letter.is_ascii_digit() {
            digits.push(letter);
            continue;
        }
        match digits.len() {
            0 | 1 => out.push_str(&digits),
            _ => out.push_str("<n>"),
        }
        digits.clear();
        if letter != '\0' {
            out.push(letter);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn ids_times_revisions_and_own_names_go() {
        let saved = BTreeMap::from([("drawn".to_owned(), "web-abcde".to_owned())]);
        let names = Names::new("cf-1", &saved);
        let found = json!({
            "metadata": {"uid": "6a1f2f44-9b1c-4c2e-8a5e-0123456789ab", "resourceVersion": "17", "namespace": "cf-1"},
            "time": "2026-01-01T00:00:00Z", "ip": "10.96.3.4", "message": "too old resource version: 12 (34)",
            "name": "web-abcde", "volume": "kube-api-access-x2b4z", "count": 17,
        });
        let expected = json!({
            "metadata": {"uid": "<uid>", "resourceVersion": "<resourceVersion>", "namespace": "{ns}"},
            "time": "<time>", "ip": "<address>", "message": "too old resource version: <n> (<n>)",
            "name": "{drawn}", "volume": "kube-api-access-<drawn>", "count": 17,
        });
        assert_eq!(value(&found, &names), expected);
    }
}
