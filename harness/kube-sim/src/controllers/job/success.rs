//! `successPolicy`: when an indexed job is done before all of its indexes are.

use std::collections::BTreeSet;

use serde_json::Value;

use super::indexes;
use crate::controllers::objects::{list, number, text};

/// The first rule that is met.
pub(super) fn met(job: &Value, completed: &BTreeSet<i64>) -> Option<usize> {
    let completions = number(job, "/spec/completions").unwrap_or_default();
    let count = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
    list(job, "/spec/successPolicy/rules").iter().position(|rule| {
        let wanted = rule["succeededIndexes"].is_string();
        let wanted = wanted.then(|| indexes::read(text(rule, "/succeededIndexes"), completions));
        let matching = match &wanted {
            Some(wanted) => wanted.intersection(completed).count(),
            None => completed.len(),
        };
        match (number(rule, "/succeededCount"), &wanted) {
            (Some(least), _) => count(matching) >= least,
            (None, Some(wanted)) => matching == wanted.len(),
            (None, None) => false,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_rule_wants_indexes_or_a_count_or_so_many_of_some() {
        let met = |rule: Value, completed: &[i64]| {
            let job = json!({"spec": {"completions": 10, "successPolicy": {"rules": [rule]}}});
            super::met(&job, &completed.iter().copied().collect()).is_some()
        };
        assert!(met(json!({"succeededIndexes": "0,2-3"}), &[0, 2, 3]));
        assert!(!met(json!({"succeededIndexes": "0,2-3"}), &[0, 2, 4]));
        assert!(met(json!({"succeededIndexes": "0,2-3", "succeededCount": 1}), &[2, 9]));
        assert!(!met(json!({"succeededCount": 2}), &[5]));
        assert!(!met(json!({}), &[5]));
    }
}
