use serde_json::{Value, json};
use sim_core::journal::Event;

use super::super::{RunOptions, Scenario, Verdict, run};
use super::{RecallError, Source, recall};

const SUBSCRIPTION: &str = "11111111-2222-3333-4444-555555555555";

/// A journal, one entry a second.
#[derive(Default)]
struct Told(Vec<Event>);

impl Told {
    fn event(&mut self, actor: &str, kind: &str, facts: Value) {
        let seq = self.0.len() as u64 + 1;
        let time = format!("2026-03-01T00:{:02}:{:02}Z", seq / 60, seq % 60);
        let event = json!({ "seq": seq, "time": time, "actor": actor, "actorSeq": seq, "kind": kind, "facts": facts });
        self.0.push(serde_json::from_value(event).unwrap());
    }

    fn request(&mut self, [command, run]: [&str; 2], method: &str, path: &str, status: u16, code: &str) {
        let path = path.replace("/S", &format!("/subscriptions/{SUBSCRIPTION}"));
        let mut facts = json!({
            "method": method, "host": "management.azure.com", "path": path, "surface": "arm",
            "apiVersion": "2024-11-01", "status": status,
        });
        for (name, value) in [("command", command), ("run", run), ("code", code)] {
            if !value.is_empty() {
                facts[name] = value.into();
            }
        }
        if status != 503 {
            facts["caller"] = "c".into();
        }
        if method == "PUT" {
            facts["location"] = "westeurope".into();
        }
        self.event("arm", "request", facts);
    }

    fn rule(&mut self, definition: Value) {
        self.event("control", "fault-added", json!({ "rule": definition["id"], "definition": definition }));
    }

    fn struck(&mut self, id: &str, method: &str, path: &str) {
        let path = path.replace("/S", &format!("/subscriptions/{SUBSCRIPTION}"));
        self.event("faults", "fault", json!({ "rule": id, "method": method, "path": path }));
    }

    fn recalled(self) -> Result<String, RecallError> {
        recall(&Source {
            world: "default".into(),
            seed: 7,
            subscription: SUBSCRIPTION.into(),
            tenant: "no such tenant".into(),
            registered: true,
            proxies: false,
            rules: Vec::new(),
            events: self.0,
        })
    }
}

const CLUSTER: &str = "/S/resourceGroups/shop/providers/Microsoft.Kubernetes/connectedClusters/till-1";

fn unavailable(told: &mut Told) {
    let rule = json!({
        "id": "down", "hook": "before",
        "match": { "facts": { "method": "PUT", "path": "*/connectedClusters/*" }, "nth": [1, 2, 3, 4], "from": null },
        "effect": "respond", "status": 503, "code": "ServiceUnavailable", "message": "not now",
    });
    told.rule(rule);
    told.rule(json!({ "id": "idle", "hook": "wire", "match": { "facts": {} }, "effect": "reset" }));
    told.request(["provider register", "r1"], "POST", "/S/providers/Microsoft.Kubernetes/register", 200, "");
    told.request(["provider register", "r1"], "GET", "/S/providers/Microsoft.Kubernetes", 200, "");
    told.request(
        ["provider register", "r2"],
        "POST",
        "/S/providers/Microsoft.KubernetesConfiguration/register",
        200,
        "",
    );
    told.request(
        ["provider register", "r2"],
        "GET",
        "/S/providers/Microsoft.KubernetesConfiguration",
        200,
        "",
    );
    told.request(["group create", "r3"], "PUT", "/S/resourcegroups/shop", 201, "");
    told.request(["", ""], "GET", "/S/resourcegroups/shop", 200, "");
    let connect = ["connectedk8s connect", "r4"];
    told.request(connect, "GET", "/S/providers/Microsoft.Kubernetes", 200, "");
    told.request(connect, "GET", CLUSTER, 404, "ResourceNotFound");
    for _ in 0..4 {
        told.struck("down", "PUT", CLUSTER);
        told.request(connect, "PUT", CLUSTER, 503, "ServiceUnavailable");
    }
}

fn performed(text: &str) -> String {
    let scenario = Scenario::read("recalled", text).unwrap();
    let (scenario, options) = (scenario, RunOptions::default());
    let report = std::thread::Builder::new()
        .stack_size(16 << 20)
        .spawn(move || run(&scenario, &options))
        .unwrap()
        .join()
        .unwrap();
    if report.verdict == Verdict::Passed { String::new() } else { report.problems().join("\n") }
}

#[test]
fn what_failed_becomes_a_scenario_that_fails_the_same_way_and_is_remedied() {
    let mut told = Told::default();
    unavailable(&mut told);
    told.event("control", "faults-cleared", json!({ "rule": "down" }));
    let again = ["connectedk8s connect", "r5"];
    told.request(again, "PUT", CLUSTER, 201, "");
    let resource = CLUSTER.replace("/S", &format!("/subscriptions/{SUBSCRIPTION}"));
    told.event(
        "arm",
        "operation",
        json!({ "operation": "Microsoft.Kubernetes/connectedClusters/write", "resource": resource, "state": "Succeeded" }),
    );
    told.event("data-plane", "heartbeat", json!({ "cluster": resource }));
    let text = told.recalled().unwrap();
    for line in [
        "world: {seed: 7, start: \"2026-03-01T00:00:01Z\", registered: false}",
        "- register: {namespaces: [Microsoft.Kubernetes], within: \"10m\"}",
        "- group: {name: shop, location: westeurope}",
        "- arm: {method: GET, path: \"/subscriptions/{subscription}/resourcegroups/shop\", version: \"2024-11-01\"}",
        "- onboard: {name: till-1, group: shop, location: westeurope}",
        "    expect: {armCode: ServiceUnavailable}",
        "  what: As was done then.",
        "    - clear: down",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
    assert!(text.contains("nth: [1, 2, 3, 4]}") && text.contains("# fired 4 times"), "{text}");
    assert!(!text.contains("id: idle"), "{text}");
    assert_eq!(performed(&text), "", "{text}");
}

#[test]
fn a_journal_that_ends_with_the_failure_gets_an_assumed_remedy_that_says_so() {
    let mut told = Told::default();
    unavailable(&mut told);
    let text = told.recalled().unwrap();
    assert!(text.contains("Assumed: nothing goes wrong any more"), "{text}");
    assert!(text.contains("    - clear: down\n    - onboard: {name: till-1"), "{text}");
    assert_eq!(performed(&text), "", "{text}");
}

#[test]
fn a_write_whose_body_nobody_knows_is_a_comment_and_a_plain_request_a_step() {
    let mut told = Told::default();
    told.request(
        ["", ""],
        "PUT",
        "/S/resourceGroups/g/providers/Microsoft.ExtendedLocation/customLocations/l",
        201,
        "",
    );
    told.request(
        ["", ""],
        "DELETE",
        "/S/resourceGroups/g/providers/Microsoft.ExtendedLocation/customLocations/l",
        404,
        "ResourceGroupNotFound",
    );
    let text = told.recalled().unwrap();
    assert!(text.contains("  # - arm: {method: PUT, path: \"/subscriptions/{subscription}/"), "{text}");
    assert!(text.contains("the journal holds no bodies"), "{text}");
    assert!(text.contains("expect: {status: 404, armCode: ResourceGroupNotFound}"), "{text}");
}

#[test]
fn a_journal_without_a_failure_makes_no_scenario() {
    assert_eq!(Told::default().recalled(), Err(RecallError::Nothing));
    let mut told = Told::default();
    told.request(["group create", "r"], "PUT", "/S/resourcegroups/shop", 201, "");
    assert_eq!(told.recalled(), Err(RecallError::NoFailure(1)));
}

#[test]
fn a_connect_of_which_the_journal_does_not_tell_the_end_is_said_to_be_assumed() {
    let mut told = Told::default();
    told.request(["connectedk8s connect", "r"], "PUT", CLUSTER, 201, "");
    let text = told.recalled().unwrap();
    assert!(text.contains("does not tell how it ended"), "{text}");
    assert!(text.contains("expect: {exit: 1}"), "{text}");
}
