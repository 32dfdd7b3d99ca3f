//! The pipelines that others use: their YAML, and the shell in it.

use serde_json::Value;

use crate::repository;

/// A pipeline file of this repository, as data.
///
/// # Errors
/// When it cannot be read or is no YAML.
pub fn read(path: &str) -> Result<Value, String> {
    let text =
        std::fs::read_to_string(repository::root().join(path)).map_err(|error| format!("{path}: {error}"))?;
    serde_saphyr::from_str(&text).map_err(|error| format!("{path}: {error}"))
}

/// Shell of a pipeline: where it stands, and its lines.
pub type Script = (String, String);

/// Every piece of shell below `value`: `run` steps, and the lists `before_script` and `script`.
#[must_use]
pub fn scripts(place: &str, value: &Value) -> Vec<Script> {
    match value {
        Value::Object(fields) => fields.iter().flat_map(|(name, field)| named(place, name, field)).collect(),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .flat_map(|(index, item)| scripts(&format!("{place}[{index}]"), item))
            .collect(),
        _ => Vec::new(),
    }
}

fn named(place: &str, name: &str, field: &Value) -> Vec<Script> {
    let here = format!("{place}.{name}");
    match (name, field) {
        ("run", Value::String(text)) => vec![(here, text.clone())],
        ("before_script" | "script", Value::Array(lines)) => {
            let lines: Vec<&str> = lines.iter().filter_map(Value::as_str).collect();
            vec![(here, lines.join("\n"))]
        }
        _ => scripts(&here, field),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn shell_is_found_wherever_it_stands() {
        let file = json!({ "jobs": { "a": { "steps": [{ "uses": "x" }, { "run": "echo 1" }] } },
                           ".b": { "before_script": ["set -e", "echo 2"] } });
        let found = scripts("f", &file);
        assert!(found.contains(&("f.jobs.a.steps[1].run".into(), "echo 1".into())), "{found:?}");
        assert!(found.contains(&("f..b.before_script".into(), "set -e\necho 2".into())), "{found:?}");
    }
}
