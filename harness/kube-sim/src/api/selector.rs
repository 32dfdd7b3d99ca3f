//! Label and field selectors: parsing their text, and matching.

use std::fmt;

use serde_json::Value;

use crate::registry::Kind;
use crate::status::Status;

/// One requirement on a label.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Requirement {
    In(String, Vec<String>),
    NotIn(String, Vec<String>),
    Exists(String),
    Absent(String),
}

/// Requirements on labels, all of which must hold. The default matches everything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LabelSelector(Vec<Requirement>);

impl LabelSelector {
    /// Reads `a=b,c!=d,e in (f,g),h,!i`.
    ///
    /// # Errors
    /// 400 for text that is no selector.
    pub fn parse(text: &str) -> Result<Self, Status> {
        let mut requirements = Vec::new();
        for part in split_outside_parentheses(text) {
            requirements.push(requirement(part.trim()).ok_or_else(|| {
                Status::bad_request(format!(
                    "unable to parse requirement: \"{}\" is not a label selector",
                    part.trim()
                ))
            })?);
        }
        Ok(Self(requirements))
    }

    /// From the `matchLabels` and `matchExpressions` of an object. An empty object matches everything, and so does
    /// `null`: callers that mean "nothing" by an absent selector must say so themselves.
    #[must_use]
    pub fn of(selector: &Value) -> Self {
        let mut requirements = Vec::new();
        let labels = selector["matchLabels"].as_object().into_iter().flatten();
        for (key, value) in labels {
            requirements.push(Requirement::In(key.clone(), vec![plain(value)]));
        }
        for expression in selector["matchExpressions"].as_array().into_iter().flatten() {
            let key = expression["key"].as_str().unwrap_or_default().to_owned();
            let values = || expression["values"].as_array().into_iter().flatten().map(plain).collect();
            requirements.push(match expression["operator"].as_str().unwrap_or_default() {
                "NotIn" => Requirement::NotIn(key, values()),
                "Exists" => Requirement::Exists(key),
                "DoesNotExist" => Requirement::Absent(key),
                _ => Requirement::In(key, values()),
            });
        }
        Self(requirements)
    }

    /// From a plain map of labels, as services and replication controllers have it.
    #[must_use]
    pub fn of_map(labels: &Value) -> Self {
        let labels = labels.as_object().into_iter().flatten();
        Self(labels.map(|(key, value)| Requirement::In(key.clone(), vec![plain(value)])).collect())
    }

    /// Whether nothing is required.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether an object with these `metadata.labels` is wanted.
    #[must_use]
    pub fn matches_labels(&self, labels: &Value) -> bool {
        let get = |key: &str| labels.get(key).and_then(Value::as_str);
        self.0.iter().all(|requirement| match requirement {
            Requirement::In(key, values) => get(key).is_some_and(|label| values.iter().any(|v| v == label)),
            Requirement::NotIn(key, values) => get(key).is_none_or(|label| values.iter().all(|v| v != label)),
            Requirement::Exists(key) => get(key).is_some(),
            Requirement::Absent(key) => get(key).is_none(),
        })
    }

    /// Whether this object is wanted.
    #[must_use]
    pub fn matches(&self, object: &Value) -> bool {
        self.0.is_empty() || self.matches_labels(&object["metadata"]["labels"])
    }
}

impl fmt::Display for LabelSelector {
    /// The text that [`LabelSelector::parse`] reads.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, requirement) in self.0.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            match requirement {
                Requirement::In(key, values) => match values.as_slice() {
                    [one] => write!(f, "{comma}{key}={one}")?,
                    many => write!(f, "{comma}{key} in ({})", many.join(","))?,
                },
                Requirement::NotIn(key, values) => write!(f, "{comma}{key} notin ({})", values.join(","))?,
                Requirement::Exists(key) => write!(f, "{comma}{key}")?,
                Requirement::Absent(key) => write!(f, "{comma}!{key}")?,
            }
        }
        Ok(())
    }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned)
}

fn split_outside_parentheses(text: &str) -> Vec<&str> {
    let (mut parts, mut depth, mut start) = (Vec::new(), 0, 0);
    for (index, character) in text.char_indices() {
        match character {
            '(' => depth += 1,
            ')' => depth -= 1,
            ',' if depth == 0 => {
                parts.extend(text.get(start..index));
                start = index + 1;
            }
            _ => {}
        }
    }
    parts.extend(text.get(start..));
    parts.retain(|part| !part.trim().is_empty());
    parts
}

fn requirement(part: &str) -> Option<Requirement> {
    let word = |text: &str| {
        let text = text.trim();
        let fits = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
        text.chars().all(fits).then(|| text.to_owned())
    };
    let key = |text: &str| word(text).filter(|key| !key.is_empty());
    if let Some(absent) = part.strip_prefix('!') {
        return key(absent).map(Requirement::Absent);
    }
    if let Some((left, list)) = part.strip_suffix(')').and_then(|part| part.split_once('(')) {
        let values = list.split(',').map(word).collect::<Option<Vec<_>>>()?;
        let (name, operator) = left.trim().rsplit_once(char::is_whitespace)?;
        return match operator {
            "in" => Some(Requirement::In(key(name)?, values)),
            "notin" => Some(Requirement::NotIn(key(name)?, values)),
            _ => None,
        };
    }
    for (operator, equal) in [("!=", false), ("==", true), ("=", true)] {
        if let Some((left, right)) = part.split_once(operator) {
            let (key, values) = (key(left)?, vec![word(right)?]);
            return Some(if equal { Requirement::In(key, values) } else { Requirement::NotIn(key, values) });
        }
    }
    key(part).map(Requirement::Exists)
}

/// Requirements on fields, all of which must hold. The default matches everything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FieldSelector(Vec<(String, bool, String)>);

impl FieldSelector {
    /// Reads `metadata.name=x,status.phase!=Running` for a kind.
    ///
    /// # Errors
    /// 400 for text that is no selector, or a field that this kind cannot be selected by.
    pub fn parse(text: &str, kind: &Kind) -> Result<Self, Status> {
        let mut requirements = Vec::new();
        for part in text.split(',').filter(|part| !part.is_empty()) {
            let found = [("!=", false), ("==", true), ("=", true)]
                .into_iter()
                .find_map(|(operator, equal)| part.split_once(operator).map(|(l, r)| (l, equal, r)));
            let Some((field, equal, value)) = found else {
                return Err(Status::bad_request(format!(
                    "invalid selector: '{part}'; can't understand '{part}'"
                )));
            };
            if !selectable(kind, field) {
                return Err(Status::bad_request(format!("field label not supported: {field}")));
            }
            requirements.push((field.to_owned(), equal, value.to_owned()));
        }
        Ok(Self(requirements))
    }

    /// Wants the object of this name.
    #[must_use]
    pub fn name(name: &str) -> Self {
        Self(vec![("metadata.name".into(), true, name.into())])
    }

    /// The name that must match, if one does.
    #[must_use]
    pub fn wanted_name(&self) -> Option<&str> {
        let by_name = |(field, equal, _): &&(String, bool, String)| *equal && field == "metadata.name";
        self.0.iter().find(by_name).map(|(_, _, value)| value.as_str())
    }

    /// Whether this object is wanted.
    #[must_use]
    pub fn matches(&self, object: &Value) -> bool {
        self.0.iter().all(|(field, equal, wanted)| (value_at(object, field) == *wanted) == *equal)
    }
}

fn value_at(object: &Value, field: &str) -> String {
    let mut here = object;
    for step in field.split('.') {
        here = &here[step];
    }
    match here {
        // Booleans that are left out are false.
        Value::Null if field.ends_with("unschedulable") || field.ends_with("hostNetwork") => "false".into(),
        Value::Null => String::new(),
        value => plain(value),
    }
}

fn selectable(kind: &Kind, field: &str) -> bool {
    if field == "metadata.name" || (field == "metadata.namespace" && kind.namespaced) {
        return true;
    }
    if let Some(custom) = &kind.custom {
        return custom.selectable_fields.iter().any(|one| one == field);
    }
    let fields: &[&str] = match kind.kind.as_str() {
        "Pod" => &[
            "spec.nodeName",
            "spec.restartPolicy",
            "spec.schedulerName",
            "spec.serviceAccountName",
            "spec.hostNetwork",
            "status.phase",
            "status.podIP",
            "status.nominatedNodeName",
        ],
        "Event" => &[
            "involvedObject.kind",
            "involvedObject.namespace",
            "involvedObject.name",
            "involvedObject.uid",
            "involvedObject.apiVersion",
            "involvedObject.resourceVersion",
            "involvedObject.fieldPath",
            "reason",
            "reportingComponent",
            "source",
            "type",
        ],
        "Secret" => &["type"],
        "Namespace" => &["status.phase"],
        "Node" => &["spec.unschedulable"],
        "ReplicaSet" | "ReplicationController" => &["status.replicas"],
        "Job" => &["status.successful"],
        "CertificateSigningRequest" => &["spec.signerName"],
        "Service" => &["spec.clusterIP", "spec.type"],
        _ => &[],
    };
    fields.contains(&field)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::Registry;
    use serde_json::json;

    #[test]
    fn label_selectors_mean_what_kubectl_users_mean() {
        let object = json!({"metadata": {"labels": {"app": "web", "tier": "front", "x.io/y": ""}}});
        for text in
            ["app=web", "app==web,tier!=back", "app in (web, db),!gone", "x.io/y", "x.io/y=", "a notin (b)"]
        {
            assert!(LabelSelector::parse(text).unwrap().matches(&object), "{text}");
        }
        for text in ["app=db", "gone", "!app", "tier notin (front)", "app in (db)"] {
            assert!(!LabelSelector::parse(text).unwrap().matches(&object), "{text}");
        }
        for text in ["=", "a in b", "a b", "app in web)"] {
            assert!(LabelSelector::parse(text).is_err(), "{text}");
        }
        let selector = json!({"matchLabels": {"app": "web"}, "matchExpressions": [{"key": "z", "operator": "DoesNotExist"}]});
        assert!(LabelSelector::of(&selector).matches(&object));
    }

    #[test]
    fn field_selectors_are_limited_to_what_the_kind_offers() {
        let pods = Registry::builtin().find("", "v1", "pods").unwrap();
        let pod =
            json!({"metadata": {"name": "a"}, "spec": {"nodeName": "n"}, "status": {"phase": "Running"}});
        assert!(FieldSelector::parse("spec.nodeName=n,status.phase!=Failed", &pods).unwrap().matches(&pod));
        assert_eq!(FieldSelector::parse("metadata.name=a", &pods).unwrap().wanted_name(), Some("a"));
        assert!(FieldSelector::parse("spec.containers=x", &pods).is_err());
        assert!(FieldSelector::parse("nothing", &pods).is_err());
    }
}
