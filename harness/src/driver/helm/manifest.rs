//! The manifest of a release: YAML documents, each with a comment that names its template.

use serde::Deserialize as _;
use serde_json::Value;

/// The template that an object comes from.
type Source = fn(&Value) -> &'static str;

/// The manifest of some objects.
pub(crate) fn text(chart: &str, objects: &[Value], source: Source) -> String {
    let document = |object: &Value| {
        // Objects are plain data: they always have a YAML form.
        let yaml = serde_saphyr::to_string(object).unwrap_or_default();
        format!("---\n# Source: {chart}/templates/{}\n{}\n", source(object), yaml.trim_end())
    };
    objects.iter().map(document).collect()
}

/// The objects of a manifest.
pub(super) fn objects(manifest: &str) -> Result<Vec<Value>, String> {
    let mut all = Vec::new();
    for document in manifest.split("\n---").flat_map(|part| part.split("---\n")) {
        if document.lines().all(|line| line.trim().is_empty() || line.starts_with('#')) {
            continue;
        }
        let value: Value = serde_saphyr::from_str(document)
            .map_err(|error| format!("the release's manifest cannot be read: {error}"))?;
        if Value::deserialize(&value).is_ok_and(|value| value.is_object()) {
            all.push(value);
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_manifest_is_read_back() {
        let all = [
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"x": "---\nno\n", "y": "true"}}),
            json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "b"}}),
        ];
        let text = text("chart", &all[1..], |_| "b.yaml");
        assert!(text.starts_with("---\n# Source: chart/templates/b.yaml\n"), "{text}");
        assert_eq!(objects(&text).unwrap(), all[1..]);
        assert_eq!(objects("\n---\n# only a comment\n---\nkind: A\n---\nkind: B\n").unwrap().len(), 2);
    }
}
