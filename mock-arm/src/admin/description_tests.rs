//! The description and the interface hold each other to their word.

use serde_json::{Value, json};

use super::description::OPENAPI;
use super::tests::{call, world};
use crate::lro::{self, Draft, seconds};
use crate::profile::Style;
use crate::world::World;

fn description() -> Value {
    serde_json::from_str(OPENAPI).unwrap()
}

/// What is wrong with a value, as far as the schemas of this description go.
fn wrong(schema: &Value, value: &Value, all: &Value) -> Option<String> {
    if let Some(reference) = schema["$ref"].as_str() {
        return wrong(all.pointer(&reference[1..]).unwrap(), value, all);
    }
    if let Some(parts) = schema["allOf"].as_array() {
        return parts.iter().find_map(|part| wrong(part, value, all));
    }
    if let Some(words) = schema["enum"].as_array()
        && !words.contains(value)
    {
        return Some(format!("{value} is none of {words:?}"));
    }
    let fits = |kind: &str| match kind {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_u64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        other => panic!("{other}"),
    };
    let kinds: Vec<&str> = match &schema["type"] {
        Value::String(kind) => vec![kind],
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    if !kinds.is_empty() && !kinds.iter().any(|kind| fits(kind)) {
        return Some(format!("{value} is no {kinds:?}"));
    }
    for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        if value.get(name).is_none() {
            return Some(format!("'{name}' is missing in {value}"));
        }
    }
    let members = schema["properties"].as_object().into_iter().flatten();
    let in_members = members.filter_map(|(name, schema)| Some((name, schema, value.get(name)?)));
    in_members
        .filter_map(|(name, schema, value)| wrong(schema, value, all).map(|what| format!("{name}: {what}")))
        .next()
        .or_else(|| value.as_array()?.iter().find_map(|item| wrong(&schema["items"], item, all)))
}

fn operation(world: &World, id: &str) {
    let draft = Draft {
        id: id.into(),
        name: "Microsoft.Kubernetes/register/action".into(),
        namespace: "Microsoft.Resources".into(),
        subscription: "s".into(),
        subject: "/subscriptions/s/providers/Microsoft.Kubernetes".into(),
        key: "s/microsoft.kubernetes".into(),
        location: String::new(),
        style: Style::Body,
        retry_after: 10,
        span: seconds(71),
        document: lro::Document::default(),
        fate: crate::profile::Fate::Succeed,
        hidden: std::time::Duration::ZERO,
    };
    let begun: Result<(), ()> = world.ledger.write(|txn| {
        lro::begin(txn, draft, world.clock.now());
        Ok(())
    });
    begun.unwrap();
}

/// A body for an operation, and what stands in its path.
fn body(path: &str, method: &str, snapshot: &Value) -> String {
    let body = match (path, method) {
        ("/v1/clock", "put") => json!({"speed": 60}),
        ("/v1/clock/advance", _) => json!({"span": "1s"}),
        ("/v1/faults", "post") => json!({"id": "f", "hook": "before", "effect": "reset"}),
        ("/v1/providers/{namespace}", "put") => json!({"state": "Registered"}),
        ("/v1/operations/{id}/fail", _) => json!({"code": "Some", "message": "thing"}),
        ("/v1/snapshot", "put") => snapshot.clone(),
        _ => return String::new(),
    };
    body.to_string()
}

#[tokio::test]
async fn the_control_api_answers_as_its_description_says() {
    let all = description();
    let mut seen = 0;
    for (path, methods) in all["paths"].as_object().unwrap() {
        if ["/v1/status", "/v1/clusters", "/v1/shutdown"].contains(&path.as_str()) {
            continue; // of whoever serves these routes
        }
        for (method, described) in methods.as_object().unwrap() {
            let world = world();
            operation(&world, "one");
            let rule = r#"{"id":"one","hook":"before","effect":"reset"}"#;
            assert_eq!(call(&world, "POST", "/v1/faults", rule).await.0, 201);
            world.journal.record(sim_core::journal::Entry::new("gateway", "unrouted").fact("host", "x"));
            let snapshot = call(&world, "GET", "/v1/snapshot", "").await.1;
            let target = path.replace("{id}", "one").replace("{namespace}", "Microsoft.Kubernetes");
            let body = body(path, method, &snapshot);
            let (status, reply) = call(&world, &method.to_uppercase(), &target, &body).await;
            let response = &described["responses"][status.to_string()];
            assert!(response.is_object(), "{method} {path} answered {status}: {reply}");
            let schema = &response["content"]["application/json"]["schema"];
            assert_eq!(wrong(schema, &reply, &all), None, "{method} {path}");
            let (status, problem) = call(&world, &method.to_uppercase(), &format!("{target}?%"), "{").await;
            if status >= 400 {
                let problems = &described["responses"]["default"]["content"]["application/json"]["schema"];
                assert_eq!(wrong(problems, &problem, &all), None, "{method} {path}");
            }
            seen += 1;
        }
    }
    assert!(seen >= 20, "{seen}");
}

#[tokio::test]
async fn a_snapshot_brings_everything_back_and_a_reset_forgets_it() {
    let world = world();
    operation(&world, "one");
    let rule = r#"{"id":"one","hook":"before","effect":"reset"}"#;
    call(&world, "POST", "/v1/faults", rule).await;
    let (_, saved) = call(&world, "GET", "/v1/snapshot", "").await;
    assert_eq!(call(&world, "POST", "/v1/reset", "").await.0, 200);
    assert_eq!(call(&world, "GET", "/v1/operations", "").await.1, json!([]));
    assert_eq!(call(&world, "GET", "/v1/faults", "").await.1, json!([]));
    let (status, loaded) = call(&world, "PUT", "/v1/snapshot", &saved.to_string()).await;
    assert_eq!(status, 200, "{loaded}");
    let (_, again) = call(&world, "GET", "/v1/snapshot", "").await;
    assert_eq!(
        (&again["ledger"]["tables"], &again["faults"]),
        (&saved["ledger"]["tables"], &saved["faults"])
    );
    assert_eq!(again["buckets"], saved["buckets"]);
    let other = World::for_tests(crate::profile::Profile::default());
    let mut foreign = saved.clone();
    foreign["seed"] = 2.into();
    assert_eq!(call(&other, "PUT", "/v1/snapshot", &foreign.to_string()).await.0, 400);
    foreign = saved.clone();
    foreign["format"] = 9.into();
    assert_eq!(call(&other, "PUT", "/v1/snapshot", &foreign.to_string()).await.0, 400);
    let mut later = saved;
    later["time"] = "2026-01-01T01:00:00Z".into();
    assert_eq!(call(&other, "PUT", "/v1/snapshot", &later.to_string()).await.0, 200);
    assert_eq!(other.clock.now().to_string(), "2026-01-01T01:00:00Z");
}
