use serde_json::{Value, json};

use super::{Rules, examine};

fn thing(rules: Value) -> Value {
    json!({"type": "object", "properties": {"spec": {"type": "object", "x-kubernetes-validations": rules, "properties": {
        "size": {"type": "integer"}, "name": {"type": "string"}, "wait": {"type": "string"},
        "a-b": {"type": "string"}, "ports": {"type": "array", "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["name"], "items": {"type": "object", "properties": {
                "name": {"type": "string"}, "port": {"type": "integer"}},
                "x-kubernetes-validations": [{"rule": "self.port >= oldSelf.port", "message": "ports only grow"}]}},
        "labels": {"type": "object", "additionalProperties": {"type": "string"}}}}}})
}

fn broken(rules: Value, now: &Value, old: Option<&Value>) -> Vec<(String, String)> {
    let wrap = |spec: &Value| json!({"spec": spec});
    let (now, old) = (wrap(now), old.map(wrap));
    let found = Rules::default().check(&thing(rules), &now, old.as_ref(), &[]);
    found.into_iter().map(|cause| (cause.field, cause.message)).collect()
}

fn wrong(rule: &str) -> String {
    let schema = thing(json!([{"rule": rule}]));
    let found = examine(&schema["properties"]["spec"], false, None, Some(1));
    found.problems.into_iter().map(|problem| problem.why).collect::<Vec<_>>().join("; ")
}

#[test]
fn rules_that_do_not_hold_are_told_with_their_message_reason_and_field() {
    let rules = json!([
        {"rule": "self.size < 5", "message": "too big"},
        {"rule": "!has(self.name) || self.name.startsWith('a')", "fieldPath": ".name", "reason": "FieldValueForbidden"},
        {"rule": "self.size != 7", "messageExpression": "'not ' + string(self.size)"},
        {"rule": "self.labels.all(key, self.labels[key] != '')"},
    ]);
    let found = broken(rules.clone(), &json!({"size": 7, "name": "b", "labels": {"x": ""}}), None);
    let expected = [
        ("spec", "Invalid value: \"object\": too big"),
        ("spec.name", "Forbidden: failed rule: !has(self.name) || self.name.startsWith('a')"),
        ("spec", "Invalid value: \"object\": not 7"),
        ("spec", "Invalid value: \"object\": failed rule: self.labels.all(key, self.labels[key] != '')"),
    ];
    let expected: Vec<_> =
        expected.iter().map(|(field, why)| ((*field).to_owned(), (*why).to_owned())).collect();
    assert_eq!(found, expected);
    assert_eq!(broken(rules, &json!({"size": 1, "name": "a", "labels": {}}), None), []);
}

#[test]
fn rules_about_the_old_value_hold_where_it_can_be_told() {
    let rules = json!([{"rule": "self.size >= oldSelf.size", "message": "it shrinks"}]);
    assert_eq!(broken(rules.clone(), &json!({"size": 1}), None), []);
    let shrunk = broken(rules, &json!({"size": 1}), Some(&json!({"size": 2})));
    assert_eq!(shrunk, [("spec".to_owned(), "Invalid value: \"object\": it shrinks".to_owned())]);
    let old = json!({"ports": [{"name": "a", "port": 9}, {"name": "b", "port": 1}]});
    let now =
        json!({"ports": [{"name": "b", "port": 2}, {"name": "a", "port": 8}, {"name": "c", "port": 0}]});
    let found = broken(json!([]), &now, Some(&old));
    assert_eq!(
        found,
        [("spec.ports[1]".to_owned(), "Invalid value: \"object\": ports only grow".to_owned())]
    );
    let optional = json!([{"rule": "!oldSelf.hasValue() || self.size == oldSelf.value().size", "optionalOldSelf": true}]);
    assert_eq!(broken(optional.clone(), &json!({"size": 1}), None), []);
    assert_eq!(broken(optional, &json!({"size": 1}), Some(&json!({"size": 2}))).len(), 1);
}

#[test]
fn names_are_escaped_and_durations_compare() {
    let rules =
        json!([{"rule": "self.a__dash__b == 'x'"}, {"rule": "duration(self.wait) < duration('1m30s')"}]);
    assert_eq!(broken(rules.clone(), &json!({"a-b": "x", "wait": "89s"}), None), []);
    assert_eq!(broken(rules, &json!({"a-b": "y", "wait": "2m"}), None).len(), 2);
}

#[test]
fn a_rule_that_fails_to_run_does_not_hold() {
    let found = broken(json!([{"rule": "self.size > 1 && self.name == 'x'"}]), &json!({"size": 3}), None);
    let why =
        "Invalid value: \"object\": no such key: name evaluating rule: self.size > 1 && self.name == 'x'";
    assert_eq!(found, [("spec".to_owned(), why.to_owned())]);
}

#[test]
fn rules_that_cannot_be_compiled_are_told_as_the_real_server_tells_them() {
    assert_eq!(wrong("self.size > 1 && self.ports.all(p, p.port > 0)"), "");
    assert_eq!(
        wrong("self.size <"),
        "compilation failed: ERROR: <input>:1:12: Syntax error: mismatched input '<EOF>' expecting {'[', '{', '(', '.', \
         '-', '!', 'true', 'false', 'null', NUM_FLOAT, NUM_INT, NUM_UINT, STRING, BYTES, IDENTIFIER}\n | self.size <\n \
         | ...........^"
    );
    assert_eq!(
        wrong("self.nope > 1"),
        "compilation failed: ERROR: <input>:1:5: undefined field 'nope'\n | self.nope > 1\n | ....^"
    );
    assert_eq!(
        wrong("self.size > 'a'"),
        "compilation failed: ERROR: <input>:1:11: found no matching overload for '_>_' applied to '(int, string)'\n | \
         self.size > 'a'\n | ..........^"
    );
    assert!(wrong("other.size > 1").contains("undeclared reference to 'other' (in container '')"));
    assert_eq!(wrong("self.size"), "cel expression must evaluate to a bool");
    assert!(
        wrong("quantity(self.name).isLessThan(quantity('1'))")
            .contains("does not model the function 'isLessThan'")
    );
}

#[test]
fn rules_made_of_pieces_of_rules_cost_an_error_at_most() {
    const PIECES: [&str; 24] = [
        "self", ".", "size", "(", ")", "[", "]", "{", "}", "'", "\"", "<", "&&", "||", "?", ":", "all(",
        "x,", "1", "-", "!", "\\", "é", "in",
    ];
    let mut state = 7_u64;
    for _ in 0..400 {
        let mut rule = String::new();
        for _ in 0..12 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            rule.push_str(PIECES[usize::try_from(state >> 33).unwrap() % PIECES.len()]);
        }
        wrong(&rule);
        broken(json!([{"rule": rule}]), &json!({"size": 1}), None);
    }
    assert!(!wrong(&"(".repeat(5000)).is_empty());
    assert!(!wrong(&format!("{}1", "-".repeat(5000))).is_empty() || !wrong(&"x".repeat(70_000)).is_empty());
}

/// A list of numbers with rules about it.
fn list(rules: Value) -> Value {
    json!({"type": "object", "x-kubernetes-validations": rules, "properties": {
        "list": {"type": "array", "maxItems": 1000, "items": {"type": "integer"}},
        "names": {"type": "array", "items": {"type": "string"}}, "name": {"type": "string", "maxLength": 10}}})
}

fn causes_of(rules: Value, object: &Value) -> Vec<String> {
    let found = Rules::default().check(&list(rules), object, None, &[]);
    found.into_iter().map(|cause| cause.message).collect()
}

#[test]
fn a_rule_that_costs_too_much_is_stopped_and_no_other_is_looked_at() {
    let rules = json!([
        {"rule": "self.list.all(x, self.list.all(y, x >= y || y >= x))", "message": "all compare"},
        {"rule": "self.list.size() == 0"},
    ]);
    let small: Vec<u32> = (0..20).collect();
    let found = causes_of(rules.clone(), &json!({"list": small}));
    assert_eq!(found, ["Invalid value: \"object\": failed rule: self.list.size() == 0"]);
    let large: Vec<u32> = (0..600).collect();
    let why = "Invalid value: \"object\": 'operation cancelled: actual cost limit exceeded': no further validation \
               rules will be run due to call cost exceeds limit for rule: all compare";
    assert_eq!(causes_of(rules, &json!({"list": large})), [why]);
}

#[test]
fn what_a_rule_makes_is_charged_before_it_is_made() {
    let text = "x".repeat(100_000);
    for rule in [
        "self.name.replace('', self.name).size() > 1",
        "self.names.map(x, self.names + self.names).size() > 1",
        "self.names.all(x, self.names.join(self.name).size() > 1)",
        "self.names.all(x, !self.name.matches(x + '{500}'))",
        "self.names.all(x, self.names == self.names)",
    ] {
        let names: Vec<String> = (0..4000).map(|number| format!("name-{number}")).collect();
        let found = causes_of(json!([{"rule": rule}]), &json!({"name": text, "names": names}));
        let stopped = found.iter().any(|why| why.contains("actual cost limit exceeded"));
        assert!(stopped, "{rule}: {found:?}");
    }
}

#[test]
fn rules_mean_the_same_with_what_they_cost() {
    let object = json!({"list": [3, 1, 2], "names": ["b", "a"], "name": "ab"});
    for (rule, holds) in [
        ("self.list.exists_one(x, x > 2)", true),
        ("self.list.exists_one(x, x > 1)", false),
        ("self.list.map(x, x * 2) == [6, 2, 4]", true),
        ("self.list.map(x, x > 1, x + 1) == [4, 3]", true),
        ("self.list.filter(x, x > 1).size() == 2", true),
        ("self.list.exists(x, x > 2) && !self.list.all(x, x > 2)", true),
        ("self.names.join('-') == 'b-a' && self.names.join() == 'ba'", true),
        ("self.name.replace('a', 'bb') == 'bbb' && 'xaya'.replace('a', 'o', 1) == 'xoya'", true),
        ("self.name.matches('^a') && matches(self.name, 'b$') && !self.name.matches('c')", true),
        ("self.name.contains('b') && self.name.startsWith('a') && self.name.endsWith('b')", true),
        ("self.name.split('').size() == 2 && self.name.upperAscii() == 'AB'", true),
        ("'a' in self.names && !('c' in self.names) && 'name' in {'name': 1}", true),
        ("self.names.min() == 'a' && !self.names.isSorted() && self.names.indexOf('a') == 1", true),
        ("has(self.name) && !has(self.gone) ? self.name < 'b' : false", true),
        ("[self.name].all(x, x + x == 'abab') && {'k': self.name}.k == 'ab'", true),
        ("self.?name.optMap(x, x + 'c').orValue('') == 'abc'", true),
        ("self.list[0] == 3 && -self.list[1] == -1 && self.list[2] % 2 == 0", true),
        ("string(self.list[0]) == '3' && int('4') > self.list[0] && bytes('a') == b'a'", true),
    ] {
        let found = causes_of(json!([{"rule": rule}]), &object);
        // What the library does not know of either way is told, never taken for true.
        let unknown = found.iter().any(|why| why.contains("evaluating rule"));
        assert!(unknown || found.is_empty() == holds, "{rule}: {found:?}");
    }
}

#[test]
fn definitions_whose_rules_are_estimated_to_cost_too_much_are_refused() {
    let costs = |rule: &str| {
        let schema = list(json!([{"rule": rule}]));
        let found = examine(&schema, true, None, Some(1));
        (
            found.costs.first().map(|(_, cost)| *cost),
            found.problems.first().map(|problem| problem.why.clone()),
        )
    };
    assert_eq!(costs("self.list.size() > 1"), (Some(4), None));
    assert_eq!(costs("self.list.all(x, x > 1)"), (Some(5003), None));
    let (cost, why) = costs("self.names.all(x, self.names.exists(y, x == y))");
    assert!(cost > Some(1_000_000_000), "{cost:?}");
    assert!(why.unwrap().starts_with("estimated rule cost exceeds budget by factor of more than 100x (try "));
}
