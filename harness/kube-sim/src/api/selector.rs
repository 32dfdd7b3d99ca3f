//! Label and field selectors: parsing their text, and matching.

use std::fmt;

use serde_json::Value;

use super::label_parser::{self, Requirement};
use crate::registry::Kind;
use crate::status::Status;

/// Requirements on labels, all of which must hold. The default matches everything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LabelSelector(Vec<Requirement>);

impl LabelSelector {
    /// Reads `a=b,c!=d,e in (f,g),h,!i,j>1`.
    ///
    /// # Errors
    /// 400 for text that is no selector.
    pub fn parse(text: &str) -> Result<Self, Status> {
        label_parser::parse(text).map(Self).map_err(Status::bad_request)
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
            Requirement::Above(key, limit) => number(get(key)).is_some_and(|found| found > *limit),
            Requirement::Below(key, limit) => number(get(key)).is_some_and(|found| found < *limit),
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
                Requirement::Above(key, number) => write!(f, "{comma}{key}>{number}")?,
                Requirement::Below(key, number) => write!(f, "{comma}{key}<{number}")?,
            }
        }
        Ok(())
    }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned)
}

fn number(label: Option<&str>) -> Option<i64> {
    label?.parse().ok()
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
            if field.is_empty() && value.is_empty() {
                continue;
            }
            if !selectable(kind, field) {
                return Err(Status::bad_request(unsupported(kind, field)));
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
    own_fields(kind).contains(&field)
}

/// What the real server says of a field that objects of a kind cannot be selected by.
fn unsupported(kind: &Kind, field: &str) -> String {
    if kind.custom.is_some() || !own_fields(kind).is_empty() {
        return format!("field label not supported: {field}");
    }
    format!("{field:?} is not a known field selector: only \"metadata.name\", \"metadata.namespace\"")
}

/// Fields beside those of the metadata.
fn own_fields(kind: &Kind) -> &'static [&'static str] {
    match kind.kind.as_str() {
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
    }
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
        for text in ["=", "a in b", "a b", "app in web)", "a,"] {
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
