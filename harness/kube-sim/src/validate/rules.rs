//! The rules in CEL of a CustomResourceDefinition: each can be compiled, and neither it nor all of them may cost too much.

use serde_json::Value;

use super::errors::Errors;
use crate::rules::{Cardinality, OF_A_SCHEMA, Wrongness, beyond, examine, most_often};

/// How many of the rules that cost most are named.
const NAMED: usize = 4;

/// All rules of the schema of a version.
pub(super) fn check(schema: &Value, path: &str, errors: &mut Errors) {
    let mut walk = Walk { errors, costs: Vec::new() };
    walk.place(schema, path, &Above { root: true, lost: None, often: Some(1) });
    let mut costs = walk.costs;
    let total = costs.iter().fold(0, |sum: u64, (_, cost)| sum.saturating_add(*cost));
    if total <= OF_A_SCHEMA {
        return;
    }
    costs.retain(|(_, cost)| *cost >= OF_A_SCHEMA / 100);
    costs.sort_by_key(|(_, cost)| std::cmp::Reverse(*cost));
    for (path, _) in costs.into_iter().take(NAMED) {
        errors.forbidden(
            path,
            "contributed to estimated rule cost total exceeding cost limit for entire OpenAPIv3 schema",
        );
    }
    let what = "x-kubernetes-validations estimated rule cost total for entire OpenAPIv3 schema";
    errors.forbidden(path, &beyond(what, total, OF_A_SCHEMA));
}

/// What the places above say of one.
struct Above<'a> {
    /// Whether it is the whole object.
    root: bool,
    /// The path of the list within which its old value cannot be told.
    lost: Option<&'a str>,
    /// How often it can occur.
    often: Cardinality,
}

struct Walk<'a> {
    errors: &'a mut Errors,
    /// What rules cost, by their paths.
    costs: Vec<(String, u64)>,
}

impl Walk<'_> {
    /// What is below a place comes before the place itself.
    fn place(&mut self, schema: &Value, path: &str, above: &Above<'_>) {
        let often = most_often(above.often, schema);
        for (field, inner) in schema["properties"].as_object().into_iter().flatten() {
            let below = Above { root: false, lost: above.lost, often };
            self.place(inner, &format!("{path}.properties[{field}]"), &below);
        }
        if schema["items"].is_object() {
            let keyed = schema["x-kubernetes-list-type"] == "map";
            let below = Above { root: false, lost: above.lost.or((!keyed).then_some(path)), often };
            self.place(&schema["items"], &format!("{path}.items"), &below);
        }
        if schema["additionalProperties"].is_object() {
            let below = Above { root: false, lost: above.lost, often };
            self.place(&schema["additionalProperties"], &format!("{path}.additionalProperties"), &below);
        }
        let found = examine(schema, above.root, above.lost, above.often);
        for problem in found.problems {
            let path = format!("{path}.{}", problem.field);
            match problem.wrong {
                Wrongness::Missing => self.errors.required(path, &problem.why),
                Wrongness::Invalid(shown) => self.errors.invalid_shown(path, &shown, &problem.why),
                Wrongness::Forbidden => self.errors.forbidden(path, &problem.why),
            }
        }
        self.costs.extend(found.costs.into_iter().map(|(field, cost)| (format!("{path}.{field}"), cost)));
    }
}
