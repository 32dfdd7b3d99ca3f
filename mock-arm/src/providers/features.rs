//! `Microsoft.Features`: registering preview features of a subscription (features API of 2021-07-01).
//!
//! Which features there are is a short list: those that documents about Azure Arc-enabled Kubernetes have named. How long a
//! registration takes, and how it ends, is the profile's.

use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sim_core::clock::later;
use sim_core::ledger::Txn;

use super::refusal::{Kind, Refusal};
use super::seam::{Call, Manner, Provider, Reply, TypeSpec, Verb};
use super::target::Target;
use super::tracked;
use crate::lro::{Operation, State};
use crate::profile::RegistrationOutcome;
use crate::store::{FEATURES, Rows, key};

/// The namespace.
pub const NAMESPACE: &str = "Microsoft.Features";

const KNOWN: &[(&str, &str)] = &[
    ("Microsoft.Kubernetes", "previewAccess"),
    ("Microsoft.KubernetesConfiguration", "extensions"),
    ("Microsoft.KubernetesConfiguration", "fluxConfigurations"),
    ("Microsoft.KubernetesConfiguration", "sourceControlConfiguration"),
    ("Microsoft.ExtendedLocation", "CustomLocations-ppauto"),
];

const TYPES: &[TypeSpec] = &[TypeSpec {
    name: "features",
    verbs: &[Verb::Get, Verb::Post],
    actions: &[],
    list: true,
    gated: false,
    manner: Manner::Own,
}];

/// The provider.
#[derive(Debug, Clone, Copy)]
pub struct Features;

/// What was last asked for, and when.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Asked {
    register: bool,
    at: Timestamp,
}

/// Where the registration of a feature stands, reckoned from what was last asked for.
fn state(call: &Call<'_>, subscription: &str, namespace: &str, feature: &str, txn: &Txn<'_>) -> &'static str {
    let row = txn.row(FEATURES, &key(&[subscription, namespace, feature]));
    let plan = call.profile.features;
    let Some(asked) = row.and_then(|row| Asked::deserialize(&*row.value).ok()) else {
        return if plan.registered { "Registered" } else { "NotRegistered" };
    };
    let span = if asked.register { plan.delay() } else { plan.unregister_delay() };
    let over = call.now >= later(asked.at, span);
    match (asked.register, over, plan.outcome) {
        (false, false, _) => "Unregistering",
        (false, true, _) => "Unregistered",
        (true, _, RegistrationOutcome::Never) => "NotRegistered",
        // Features that Microsoft has to approve by hand stay here.
        (true, _, RegistrationOutcome::Stuck | RegistrationOutcome::Regional) => "Pending",
        (true, false, _) => "Registering",
        (true, true, RegistrationOutcome::Failed) => "NotRegistered",
        (true, true, _) => "Registered",
    }
}

fn object(call: &Call<'_>, subscription: &str, (namespace, feature): (&str, &str), txn: &Txn<'_>) -> Value {
    json!({
        "properties": { "state": state(call, subscription, namespace, feature, txn) },
        "id": format!("/subscriptions/{subscription}/providers/{NAMESPACE}/providers/{namespace}/features/{feature}"),
        "type": "Microsoft.Features/providers/features",
        "name": format!("{namespace}/{feature}"),
    })
}

impl Provider for Features {
    fn namespace(&self) -> &'static str {
        NAMESPACE
    }

    fn types(&self) -> &'static [TypeSpec] {
        TYPES
    }

    fn handle(&self, call: &Call<'_>, txn: &mut Txn<'_>) -> Result<Reply, Refusal> {
        let Target::Features { subscription, of, feature, action } = call.target else {
            return Err(Refusal::not_modelled("this path of Microsoft.Features"));
        };
        let Some(feature) = feature else {
            let wanted = KNOWN.iter().filter(|(owner, _)| of.is_none_or(|of| owner.eq_ignore_ascii_case(of)));
            return Ok(tracked::whole(wanted.map(|known| object(call, subscription, *known, txn))));
        };
        let of = of.unwrap_or_default();
        let known = KNOWN
            .iter()
            .find(|(owner, name)| owner.eq_ignore_ascii_case(of) && name.eq_ignore_ascii_case(feature));
        let Some(&(owner, name)) = known else {
            let text = format!("The feature '{feature}' could not be found.");
            return Err(Refusal::gateway(Kind::NotFound, "FeatureNotFound", text));
        };
        let register = match action {
            None => return Ok(Reply::Ok(Arc::new(object(call, subscription, (owner, name), txn)))),
            Some(action) if action.eq_ignore_ascii_case("register") => true,
            Some(action) if action.eq_ignore_ascii_case("unregister") => false,
            Some(action) => return Err(Refusal::not_modelled(&format!("the action '{action}' of features"))),
        };
        if call.profile.features.outcome == RegistrationOutcome::Forbidden {
            let action = "Microsoft.Features/providers/features/register/action";
            return Err(super::authorization::refusal(call, action, &call.target.scope()));
        }
        let now = state(call, subscription, owner, name, txn);
        let moves =
            if register { now != "Registered" && now != "Registering" } else { now.starts_with("Regist") };
        // What is asked for is plain data: it always has a JSON form.
        if moves && let Ok(asked) = serde_json::to_value(Asked { register, at: call.now }) {
            txn.put(FEATURES, &key(&[subscription, owner, name]), asked);
        }
        Ok(Reply::Ok(Arc::new(object(call, subscription, (owner, name), txn))))
    }

    fn settle(&self, _: &Operation, outcome: State, _: Timestamp, _: &mut Txn<'_>) -> State {
        outcome
    }
}
