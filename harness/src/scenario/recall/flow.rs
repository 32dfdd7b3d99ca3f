//! Values on one line of YAML.

use serde_json::Value;

/// A value in YAML's flow style. Texts are bare where that is safe.
pub(super) fn flow(value: &Value) -> String {
    match value {
        Value::Object(members) => {
            let members: Vec<String> =
                members.iter().map(|(name, value)| format!("{}: {}", text(name), flow(value))).collect();
            format!("{{{}}}", members.join(", "))
        }
        Value::Array(all) => format!("[{}]", all.iter().map(flow).collect::<Vec<_>>().join(", ")),
        Value::String(one) => text(one),
        other => other.to_string(),
    }
}

/// A text: bare if it begins with a letter, has nothing in it that means something, and is no word of YAML.
pub(super) fn text(one: &str) -> String {
    let safe = |letter: char| letter.is_ascii_alphanumeric() || "-_./".contains(letter);
    let words = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"];
    let bare = one.starts_with(|first: char| first.is_ascii_alphabetic())
        && one.chars().all(safe)
        && !words.contains(&one.to_ascii_lowercase().as_str());
    if bare { one.to_owned() } else { Value::from(one).to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_written_on_a_line_reads_back() {
        let value = json!({"a": "edge-1", "b": ["*/x", "yes", "", "1", "2024-01-01", "a: b # c", "\"q\"\n"], "c": {"d": 1.5, "e": true}});
        let line = flow(&value);
        assert!(line.starts_with("{a: edge-1, b: [\"*/x\", \"yes\""), "{line}");
        assert_eq!(serde_saphyr::from_str::<Value>(&line).unwrap(), value);
    }
}
