//! Providers without sockets, on a clock that only moves when told.

mod around;
mod authorization;
mod clusters;
mod deployments;
mod groups;
mod registration;

use std::time::Duration;

use serde_json::{Value, json};
use sim_core::clock::later;
use sim_core::faults::Rule;
use sim_core::journal::Filter;
use uuid::Uuid;

use super::Registry;
use super::kubernetes::agent::{self, Report};
use super::refusal::{Kind, Refusal};
use super::seam::{Actor, Call, Conditions, Query, Reply, Verb};
use super::target::Target;
use crate::lro::{Operation, control};
use crate::profile::{Profile, Registration, RegistrationOutcome};
use crate::world::World;

const VERSION: &str = "2024-07-15-preview";
const KEY: &str =
    "MEgCQQC7VJTUt9Us8cKjMzEfYyjiWA4R4/M2bS1GB4t7NXp98C3SC6dVMvDuictGeurT8jNbvJZHtCSuYEvuNMoSfm76AgMBAAE=";

struct Cloud {
    world: World,
    registry: Registry,
    elapsed: Duration,
    conditions: Conditions<'static>,
}

impl Cloud {
    fn new(profile: Profile) -> Self {
        Self {
            world: World::for_tests(profile),
            registry: Registry::default(),
            elapsed: Duration::ZERO,
            conditions: Conditions::default(),
        }
    }

    /// A cloud whose namespaces are registered, with the group `G` in eastus.
    fn ready() -> Self {
        let registered = Registration { registered: true, ..Registration::default() };
        let cloud =
            Self::new(Profile { registration: [("*".to_owned(), registered)].into(), ..Profile::default() });
        cloud.ok(Verb::Put, "/resourceGroups/G", json!({"location": "East US"}));
        cloud
    }

    fn now(&self) -> jiff::Timestamp {
        later(self.world.clock.now(), self.elapsed)
    }

    /// Lets world time pass for the providers.
    fn pass(&mut self, seconds: u64) -> usize {
        self.elapsed += Duration::from_secs(seconds);
        self.registry.settle_due(&self.world, self.now())
    }

    fn path(&self, rest: &str) -> String {
        format!("/subscriptions/{}{rest}", self.world.profile.subscriptions[0].id)
    }

    fn cluster(&self) -> String {
        self.path("/resourceGroups/G/providers/Microsoft.Kubernetes/connectedClusters/C-1")
    }

    fn call_as(&self, verb: Verb, url: &str, version: &str, body: Option<&Value>) -> Result<Reply, Refusal> {
        let (path, query) = url.split_once('?').unwrap_or((url, ""));
        let target = Target::parse(path, verb == Verb::Post);
        let route = self.registry.route(&self.world.profile, &target, verb, version)?;
        let call = Call {
            verb,
            target: &target,
            version: route.version,
            query: &Query::parse(query),
            body,
            conditions: self.conditions,
            actor: Actor { id: Uuid::from_u128(5), kind: "Application" },
            now: self.now(),
            wall: self.world.clock.wall(),
            relay: &self.world.relay,
            rendered: &self.world.rendered,
            profile: &self.world.profile,
            seed: self.world.seed,
        };
        self.world.ledger.write(|txn| route.handle(&call, txn))
    }

    /// A call below the subscription that must be answered.
    fn ok(&self, verb: Verb, rest: &str, body: Value) -> Reply {
        self.call_as(verb, &self.path(rest), VERSION, Some(&body)).unwrap()
    }

    fn refused(&self, verb: Verb, url: &str, body: Value) -> (Kind, String) {
        let refusal = self.call_as(verb, url, VERSION, Some(&body)).unwrap_err();
        (refusal.kind, refusal.error.code.into_owned())
    }

    fn get(&self, url: &str) -> Value {
        value(self.call_as(Verb::Get, url, VERSION, None).unwrap())
    }

    fn registration_state(&self) -> Value {
        self.get(&self.path("/providers/microsoft.kubernetes"))["registrationState"].clone()
    }
}

fn value(reply: Reply) -> Value {
    match reply {
        Reply::Ok(body) | Reply::Created(body) => (*body).clone(),
        Reply::Resource { body, .. } => serde_json::from_slice(&body).unwrap(),
        other => panic!("no body in {other:?}"),
    }
}

fn operation(reply: Reply) -> Operation {
    match reply {
        Reply::Resource { operation: Some(operation), .. } | Reply::Accepted(operation) => *operation,
        other => panic!("no operation in {other:?}"),
    }
}

fn put_body() -> Value {
    json!({
        "location": "eastus",
        "identity": {"type": "SystemAssigned"},
        "properties": {"agentPublicKeyCertificate": KEY, "distribution": "kind"},
    })
}

fn put(cloud: &Cloud) -> Reply {
    cloud.call_as(Verb::Put, &cloud.cluster(), VERSION, Some(&put_body())).unwrap()
}

#[test]
fn a_group_is_made_once_keeps_its_region_and_takes_everything_with_it() {
    let mut cloud = Cloud::ready();
    let again = cloud.ok(Verb::Put, "/resourcegroups/g", json!({"location": "eastus", "tags": {"a": "b"}}));
    assert!(matches!(again, Reply::Ok(_)));
    assert_eq!(value(again)["name"], "g");
    let url = cloud.path("/resourceGroups/G");
    let refused = |body| cloud.refused(Verb::Put, &url, body);
    assert_eq!(
        refused(json!({"location": "westus"})),
        (Kind::Conflict, "InvalidResourceGroupLocation".into())
    );
    assert_eq!(refused(json!({})), (Kind::Invalid, "LocationRequired".into()));
    assert_eq!(refused(json!([])), (Kind::Invalid, "InvalidRequestContent".into()));
    assert_eq!(refused(json!({"location": "mars"})).1, "LocationNotAvailableForResourceGroup");
    put(&cloud);

    let deletion = operation(cloud.ok(Verb::Delete, "/resourceGroups/G", Value::Null));
    assert_eq!(cloud.get(&url)["properties"]["provisioningState"], "Deleting");
    assert_eq!(cloud.refused(Verb::Put, &cloud.cluster(), put_body()).1, "ResourceGroupBeingDeleted");
    let same = operation(cloud.ok(Verb::Delete, "/resourceGroups/G", Value::Null));
    assert_eq!(same.id, deletion.id);
    cloud.pass(20);
    assert_eq!(cloud.refused(Verb::Get, &url, Value::Null).1, "ResourceGroupNotFound");
    assert_eq!(cloud.refused(Verb::Get, &cloud.cluster(), Value::Null).1, "ResourceGroupNotFound");
    let result = cloud.path(&format!("/operationresults/{}", deletion.id));
    let Reply::Outcome(ended) = cloud.call_as(Verb::Get, &result, VERSION, None).unwrap() else { panic!() };
    assert!(!ended.is_running());
}

#[test]
fn a_failed_group_deletion_rolls_back() {
    let mut cloud = Cloud::ready();
    let rule: Rule = serde_json::from_value(json!({
        "id": "r", "hook": "settle", "match": {"facts": {"operation": "*resourceGroups/delete"}},
        "effect": "fail", "code": "InUse", "message": "still used",
    }))
    .unwrap();
    cloud.world.faults.add(rule);
    let deletion = operation(cloud.ok(Verb::Delete, "/resourceGroups/G", Value::Null));
    cloud.pass(60);
    let group = cloud.get(&cloud.path("/resourceGroups/G"));
    assert_eq!(group["properties"]["provisioningState"], "Succeeded");
    let ended = cloud.world.ledger.read(|view| crate::lro::get(view, &deletion.id)).unwrap();
    let crate::lro::State::Failed { error } = ended.state else { panic!("{:?}", ended.state) };
    assert_eq!(
        (error.code.as_ref(), error.details[0].code.as_ref()),
        ("ResourceGroupDeletionBlocked", "InUse")
    );
}

#[test]
fn a_cluster_is_accepted_then_succeeds_and_keeps_what_agents_reported() {
    let mut cloud = Cloud::ready();
    let reply = put(&cloud);
    assert!(matches!(reply, Reply::Resource { created: true, .. }));
    let write = operation(reply);
    let url = cloud.cluster();
    let resource = cloud.get(&url);
    assert_eq!(resource["type"], "microsoft.kubernetes/connectedclusters");
    assert_eq!(resource["properties"]["provisioningState"], "Accepted");
    assert_eq!(resource["properties"]["connectivityStatus"], "Connecting");
    assert_eq!(resource["properties"].get("agentVersion"), None);
    assert_eq!(resource["tags"], json!({}));
    let principal = resource["identity"]["principalId"].clone();
    cloud.pass(7);
    assert_eq!(cloud.get(&url)["properties"]["provisioningState"], "Succeeded");
    let status = format!("/providers/Microsoft.Kubernetes/locations/EASTUS/operationStatuses/{}", write.id);
    let Reply::Status(ended) = cloud.call_as(Verb::Get, &status, VERSION, None).unwrap() else { panic!() };
    assert!(ended.ended.is_some());

    let report =
        Report { agent_version: Some("1.2.3".into()), total_node_count: Some(3), ..Report::default() };
    agent::report(&cloud.world.ledger, &url.parse().unwrap(), &report, cloud.now()).unwrap();
    let mut whole = cloud.get(&url);
    assert_eq!(whole["properties"]["connectivityStatus"], "Connected");
    assert_eq!(whole["systemData"]["lastModifiedBy"], agent::ARC_APPLICATION);
    whole["properties"]["agentVersion"] = json!("9.9.9");
    whole["properties"]["distribution"] = json!("k3s");
    cloud.call_as(Verb::Put, &url, VERSION, Some(&whole)).unwrap();
    let resource = cloud.get(&url);
    assert_eq!(resource["properties"]["agentVersion"], "1.2.3");
    assert_eq!(resource["properties"]["distribution"], "k3s");
    assert_eq!(resource["properties"]["connectivityStatus"], "Connected");
    assert_eq!(resource["identity"]["principalId"], principal);
    cloud.pass(15 * 60);
    assert_eq!(cloud.get(&url)["properties"]["connectivityStatus"], "Offline");
}

#[test]
fn the_same_seed_repeats_identities_and_a_cluster_made_again_has_another() {
    let identities = |waits: [u64; 2]| {
        let mut cloud = Cloud::ready();
        let principal = |reply| value(reply)["identity"]["principalId"].as_str().unwrap().to_owned();
        cloud.pass(waits[0]);
        let first = principal(put(&cloud));
        cloud.pass(60);
        operation(cloud.call_as(Verb::Delete, &cloud.cluster(), VERSION, None).unwrap());
        cloud.pass(waits[1]);
        [first, principal(put(&cloud))]
    };
    let one = identities([0, 60]);
    assert_eq!(one, identities([1234, 77]), "the moment does not show");
    assert_ne!(one[0], one[1]);
}

#[test]
fn a_cluster_is_patched_at_once_and_deleted_in_a_while() {
    let mut cloud = Cloud::ready();
    put(&cloud);
    cloud.pass(7);
    let url = cloud.cluster();
    let change = json!({"tags": {"x": "y"}, "properties": {"distribution": null, "azureHybridBenefit": "True", "infrastructure": "aws", "agentVersion": "9"}});
    let patched = value(cloud.call_as(Verb::Patch, &url, VERSION, Some(&change)).unwrap());
    assert_eq!(patched["tags"], json!({"x": "y"}));
    assert_eq!(patched["properties"].get("distribution"), None);
    assert_eq!(patched["properties"]["azureHybridBenefit"], "True");
    for fixed in ["infrastructure", "agentVersion"] {
        assert_eq!(patched["properties"].get(fixed), None, "{fixed}");
    }

    operation(cloud.call_as(Verb::Delete, &url, VERSION, None).unwrap());
    assert_eq!(cloud.get(&url)["properties"]["provisioningState"], "Deleting");
    assert_eq!(cloud.refused(Verb::Put, &url, put_body()), (Kind::Conflict, "Conflict".into()));
    cloud.pass(7);
    assert_eq!(cloud.refused(Verb::Get, &url, Value::Null), (Kind::NotFound, "ResourceNotFound".into()));
    assert!(matches!(cloud.call_as(Verb::Delete, &url, VERSION, None).unwrap(), Reply::Nothing));
}

#[test]
fn a_cluster_without_what_it_needs_is_refused_by_name() {
    let cloud = Cloud::ready();
    let url = cloud.cluster();
    let without = |pointer: &str, value: Value| {
        let mut body = put_body();
        *body.pointer_mut(pointer).unwrap() = value;
        let refusal = cloud.call_as(Verb::Put, &url, VERSION, Some(&body)).unwrap_err();
        (refusal.error.code.to_string(), refusal.error.target.unwrap_or_default())
    };
    assert_eq!(without("/location", Value::Null).0, "LocationRequired");
    assert_eq!(without("/location", json!("mexicocentral")).0, "LocationNotAvailableForResourceType");
    assert_eq!(without("/identity", Value::Null).1, "identity");
    assert_eq!(without("/identity/type", json!("UserAssigned")).1, "identity.type");
    assert_eq!(without("/properties", json!(3)).1, "properties");
    let key = "/properties/agentPublicKeyCertificate";
    assert_eq!(without(key, Value::Null).1, "properties.agentPublicKeyCertificate");
    assert_eq!(without(key, json!("")).1, "properties.agentPublicKeyCertificate");
    let long = format!("{}{}", url, "x".repeat(80));
    assert_eq!(cloud.refused(Verb::Put, &long, put_body()).1, "InvalidResourceName");
    put(&cloud);
    assert_eq!(without("/location", json!("westus2")).0, "InvalidResourceLocation");
}

#[test]
fn an_operation_can_be_stuck_hurried_and_failed() {
    let mut cloud = Cloud::ready();
    let rule = r#"{"id":"r","hook":"settle","match":{"facts":{"resource":"*/C-1"}},"effect":"stuck"}"#;
    cloud.world.faults.add(serde_json::from_str(rule).unwrap());
    let write = operation(put(&cloud));
    cloud.pass(3600);
    assert_eq!(cloud.get(&cloud.cluster())["properties"]["provisioningState"], "Accepted");
    cloud.world.faults.clear(None);
    let error = arm_wire::error::ArmError::new("Broken", "no");
    control::fail(&cloud.world.ledger, &write.id, error, cloud.now()).unwrap();
    cloud.pass(0);
    assert_eq!(cloud.get(&cloud.cluster())["properties"]["provisioningState"], "Failed");
    assert!(control::advance(&cloud.world.ledger, &write.id, cloud.now()).is_err());
    let events = cloud.world.journal.read(&Filter { kind: Some("operation".into()), ..Filter::default() });
    assert_eq!(events.last().unwrap().facts["state"], "Failed");
}

#[test]
fn lists_show_what_is_there_and_filter_it() {
    let cloud = Cloud::ready();
    put(&cloud);
    let count = |rest: &str| match cloud.call_as(Verb::Get, &cloud.path(rest), VERSION, None).unwrap() {
        Reply::Page(page) => page.items.len(),
        other => panic!("{other:?}"),
    };
    assert_eq!(count("/resourceGroups"), 1);
    assert_eq!(count("/resources?$filter=resourceType eq 'Microsoft.Kubernetes/connectedClusters'"), 1);
    assert_eq!(count("/resources?$filter=name eq 'other'"), 0);
    assert_eq!(count("/resourceGroups/g/resources"), 1);
    assert_eq!(count("/providers/Microsoft.Kubernetes/connectedClusters"), 1);
    assert_eq!(count("/resourceGroups/G/providers/Microsoft.Kubernetes/connectedclusters"), 1);
    assert!(count("/locations") > 50);
    assert!(count("/providers") > 10);
}

#[test]
fn what_is_not_there_or_not_modelled_is_refused_by_name() {
    let cloud = Cloud::ready();
    let code = |verb, rest: &str| cloud.refused(verb, &cloud.path(rest), json!({})).1;
    assert_eq!(
        code(Verb::Put, "/resourceGroups/G/providers/Microsoft.Compute/virtualMachines/v"),
        "NotModelled"
    );
    assert_eq!(code(Verb::Get, "/resourceGroups/G/providers/Contoso.Things/x/y"), "InvalidResourceNamespace");
    assert_eq!(
        code(Verb::Get, "/resourceGroups/G/providers/Microsoft.Kubernetes/nope/y"),
        "InvalidResourceType"
    );
    put(&cloud);
    let flux =
        format!("{}/providers/Microsoft.KubernetesConfiguration/fluxConfigurations/x", cloud.cluster());
    let refusal = cloud.call_as(Verb::Get, &flux, "2023-05-01", None).unwrap_err();
    assert_eq!(refusal.kind, Kind::NotModelled);
    assert!(refusal.error.message.contains("Microsoft.KubernetesConfiguration/fluxConfigurations"));
    for action in ["moveResources", "exportTemplate"] {
        let refusal =
            cloud.call_as(Verb::Post, &cloud.path(&format!("/resourceGroups/G/{action}")), VERSION, None);
        assert!(refusal.unwrap_err().error.message.contains(action));
    }
    assert_eq!(code(Verb::Post, "/resourceGroups/G"), "MethodNotAllowed");
    assert_eq!(code(Verb::Get, "/tagNames"), "NotModelled");
    let other = "/subscriptions/00000000-0000-0000-0000-000000000009/resourceGroups";
    assert_eq!(cloud.refused(Verb::Get, other, Value::Null).1, "SubscriptionNotFound");
    assert_eq!(
        cloud.refused(Verb::Get, "/subscriptions/x/resourceGroups", Value::Null).1,
        "InvalidSubscriptionId"
    );
    assert_eq!(cloud.refused(Verb::Get, "/index.html", Value::Null).1, "InvalidRequestUri");
}

#[test]
fn versions_newer_than_all_are_served_as_the_newest_unless_the_profile_is_strict() {
    let cloud = Cloud::ready();
    put(&cloud);
    let url = cloud.cluster();
    assert!(cloud.call_as(Verb::Get, &url, "2099-01-01", None).is_ok());
    let unknown = cloud.call_as(Verb::Get, &url, "2021-05-01", None).unwrap_err();
    assert_eq!(unknown.error.code, "NoRegisteredProviderFound");
    let strict = Cloud::new(Profile { strict: true, ..Profile::default() });
    assert!(strict.call_as(Verb::Get, &url, "2099-01-01", None).is_err());
    assert!(strict.call_as(Verb::Get, &strict.path("/resourceGroups"), "2024-11-01", None).is_ok());
}

#[test]
fn lists_are_only_read() {
    let cloud = Cloud::ready();
    let body = json!({"location": "eastus"});
    for path in ["/resourceGroups", "/providers", "/providers/Microsoft.Kubernetes"] {
        let url = cloud.path(path);
        for verb in [Verb::Head, Verb::Put, Verb::Patch, Verb::Delete, Verb::Post] {
            let refusal = cloud.call_as(verb, &url, "2021-04-01", Some(&body)).unwrap_err();
            assert_eq!(refusal.kind, Kind::MethodNotAllowed, "{verb:?} {path}");
        }
        assert!(cloud.call_as(Verb::Get, &url, "2021-04-01", None).is_ok(), "{path}");
    }
}
