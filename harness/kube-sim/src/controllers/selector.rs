//! Label selectors (`meta/v1 LabelSelector`) and plain label maps.

use serde_json::{Map, Value};

use super::objects::{list, text};

type Labels = Map<String, Value>;

/// The labels of an object.
pub(crate) fn labels(object: &Value) -> Option<&Labels> {
    object.pointer("/metadata/labels").and_then(Value::as_object)
}

/// Whether `selector` (`matchLabels` and `matchExpressions`) selects an object. An absent selector selects nothing, an
/// empty one everything.
pub(crate) fn selects(selector: Option<&Value>, object: &Value) -> bool {
    selector.is_some_and(|selector| matches_labels(selector, labels(object)))
}

/// Whether a selector of the form `key: value` selects an object; an empty or absent one selects nothing.
pub(crate) fn selects_map(selector: Option<&Value>, object: &Value) -> bool {
    let Some(wanted) = selector.and_then(Value::as_object).filter(|wanted| !wanted.is_empty()) else {
        return false;
    };
    has_all(wanted, labels(object))
}

/// Whether an object carries all of these labels.
pub(crate) fn has_labels(wanted: Option<&Value>, object: &Value) -> bool {
    wanted.and_then(Value::as_object).is_none_or(|wanted| has_all(wanted, labels(object)))
}

fn has_all(wanted: &Labels, labels: Option<&Labels>) -> bool {
    wanted.iter().all(|(key, value)| labels.and_then(|labels| labels.get(key)) == Some(value))
}

fn matches_labels(selector: &Value, labels: Option<&Labels>) -> bool {
    let exact = selector.get("matchLabels").and_then(Value::as_object);
    exact.is_none_or(|wanted| has_all(wanted, labels))
        && list(selector, "/matchExpressions").iter().all(|requirement| {
            let found =
                labels.and_then(|labels| labels.get(text(requirement, "/key"))).and_then(Value::as_str);
            requirement_holds(requirement, found)
        })
}

/// Whether one requirement (`key`, `operator`, `values`) holds for the label's value; knows the operators of label and
/// of node selectors. An unknown operator holds for nothing.
pub(crate) fn requirement_holds(requirement: &Value, found: Option<&str>) -> bool {
    let values = list(requirement, "/values");
    let listed = || found.is_some_and(|found| values.iter().any(|value| value.as_str() == Some(found)));
    let compare = |holds: fn(i64, i64) -> bool| {
        let wanted = values.first().and_then(Value::as_str).and_then(|text| text.parse().ok());
        let found = found.and_then(|text| text.parse().ok());
        matches!((found, wanted), (Some(found), Some(wanted)) if holds(found, wanted))
    };
    match text(requirement, "/operator") {
        "In" => listed(),
        "NotIn" => !listed(),
        "Exists" => found.is_some(),
        "DoesNotExist" => found.is_none(),
        "Gt" => compare(|found, wanted| found > wanted),
        "Lt" => compare(|found, wanted| found < wanted),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn selectors_follow_the_rules_of_label_selectors() {
        let pod = json!({"metadata": {"labels": {"app": "web", "tier": "1"}}});
        let selector = json!({"matchLabels": {"app": "web"}, "matchExpressions": [
            {"key": "tier", "operator": "In", "values": ["1", "2"]},
            {"key": "gone", "operator": "DoesNotExist"},
        ]});
        assert!(selects(Some(&selector), &pod));
        assert!(!selects(None, &pod));
        assert!(selects(Some(&json!({})), &pod));
        assert!(!selects(Some(&json!({"matchLabels": {"app": "db"}})), &pod));
        assert!(!selects_map(Some(&json!({})), &pod));
        assert!(requirement_holds(&json!({"operator": "Gt", "values": ["3"]}), Some("4")));
    }
}
