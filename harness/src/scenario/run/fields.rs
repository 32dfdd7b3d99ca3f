//! Comparing what an object has with what it should have.

use serde_json::Value;
use sim_core::faults::text_matches;

use super::super::model::Fields;

/// The value at a dotted path, looked for in `properties` when its first part is not at the top. A path that begins with
/// `/` is a JSON pointer.
pub(super) fn at<'a>(value: &'a Value, path: &str) -> Option<&'a Value> {
    if path.starts_with('/') {
        return value.pointer(path);
    }
    let walk = |value: &'a Value| {
        path.split('.').try_fold(value, |value, part| match value {
            Value::Array(all) => all.get(part.parse::<usize>().ok()?),
            other => other.get(part),
        })
    };
    walk(value).or_else(|| walk(value.get("properties")?))
}

/// Whether a value is what a wanted one stands for: the same, or a text that fits a pattern. `null` wants nothing there.
pub(super) fn fits(wanted: &Value, found: Option<&Value>) -> bool {
    match (wanted, found) {
        (Value::Null, None | Some(Value::Null)) => true,
        (Value::String(pattern), Some(Value::String(text))) => text_matches(pattern, text),
        (Value::String(pattern), Some(other)) if !other.is_null() => {
            text_matches(pattern, &other.to_string())
        }
        (Value::Number(wanted), Some(Value::Number(found))) => {
            wanted == found || wanted.as_f64() == found.as_f64()
        }
        (wanted, found) => found == Some(wanted),
    }
}

/// What an object does not have as it should.
pub(super) fn unmet(what: &str, object: &Value, wanted: &Fields) -> Vec<String> {
    let wrong = |(path, wanted): (&String, &Value)| {
        let found = at(object, path);
        (!fits(wanted, found)).then(|| {
            let found = found.map_or_else(|| "not there".to_owned(), ToString::to_string);
            format!("{path} of {what} is {found}, not {wanted}")
        })
    };
    wanted.iter().filter_map(wrong).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn fields_are_found_by_path_and_compared_with_patterns() {
        let object =
            json!({"name": "c", "properties": {"state": "Connected", "count": 3, "list": [{"a": 1}]}});
        let wanted = |pairs: Value| serde_json::from_value::<Fields>(pairs).unwrap();
        let good = json!({"name": "C", "state": "Conn*", "count": 3, "list.0.a": 1, "missing": null, "/properties/count": 3});
        assert_eq!(unmet("it", &object, &wanted(good)), Vec::<String>::new());
        let bad = unmet("it", &object, &wanted(json!({"state": "Offline", "missing": "x"})));
        assert_eq!(bad[0], "missing of it is not there, not \"x\"");
        assert_eq!(bad[1], "state of it is \"Connected\", not \"Offline\"");
    }
}
