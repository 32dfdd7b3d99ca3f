//! Applies a template: each resource is written as if a client had PUT it.

use serde_json::{Map, Value, json};
use sim_core::ledger::Txn;

use super::super::refusal::{Kind, Refusal};
use super::super::registry::Registry;
use super::super::seam::{Call, Conditions, Query, Verb};
use super::super::target::{Target, Typed};
use super::expression::{Scope, evaluate};
use super::template::{self, Planned};
use crate::store::groups;

/// What came of a template.
pub(super) struct Applied {
    pub(super) ids: Vec<String>,
    pub(super) keys: Vec<String>,
    pub(super) parameters: Value,
    pub(super) outputs: Value,
    pub(super) providers: Value,
    pub(super) hash: String,
}

fn invalid(text: String) -> Refusal {
    let message = format!("Deployment template validation failed: '{text}'.");
    Refusal::gateway(Kind::Invalid, "InvalidTemplate", message)
}

/// The template and the scope in which its expressions are read.
fn read<'a>(call: &Call<'a>, typed: &Typed<'_>, txn: &Txn<'_>) -> Result<(&'a Value, Scope), Refusal> {
    let properties = call.object()?.get("properties").and_then(Value::as_object);
    let properties = properties.ok_or_else(|| Refusal::invalid_content("'properties' is missing"))?;
    if properties
        .get("mode")
        .and_then(Value::as_str)
        .is_some_and(|mode| mode.eq_ignore_ascii_case("Complete"))
    {
        return Err(Refusal::not_modelled("the mode Complete of deployments"));
    }
    for link in ["templateLink", "parametersLink"] {
        if properties.contains_key(link) {
            return Err(Refusal::not_modelled(&format!("'{link}' of deployments")));
        }
    }
    let template = properties.get("template").filter(|template| template.is_object());
    let template = template.ok_or_else(|| invalid("the template is missing, or no object".into()))?;
    let (subscription, group) =
        (typed.subscription.unwrap_or_default(), typed.group.as_deref().unwrap_or_default());
    let found = groups::get(txn, subscription, group).ok_or_else(|| Refusal::group_not_found(group))?;
    let mut scope = Scope {
        subscription: subscription.to_owned(),
        tenant: call.profile.tenant.id.to_string(),
        group: (**found).clone(),
        ..Scope::default()
    };
    let given = properties.get("parameters").cloned().unwrap_or_default();
    scope.parameters = template::parameters(template, &given, &scope).map_err(invalid)?;
    // Variables can speak of those before them.
    for (name, value) in template.get("variables").and_then(Value::as_object).into_iter().flatten() {
        let value = evaluate(value, &scope).map_err(invalid)?;
        scope.variables.insert(name.clone(), value);
    }
    Ok((template, scope))
}

/// The resources that a template would write, in order.
pub(super) fn plan(call: &Call<'_>, typed: &Typed<'_>, txn: &Txn<'_>) -> Result<Vec<Planned>, Refusal> {
    let (template, scope) = read(call, typed, txn)?;
    template::resources(template, &scope).map_err(invalid)
}

/// Writes the resources of a template.
pub(super) fn apply(call: &Call<'_>, typed: &Typed<'_>, txn: &mut Txn<'_>) -> Result<Applied, Refusal> {
    let (template, scope) = read(call, typed, txn)?;
    let planned = template::resources(template, &scope).map_err(invalid)?;
    let registry = Registry::default();
    let mut keys = Vec::with_capacity(planned.len());
    for one in &planned {
        let target = Target::parse(&one.id, false);
        let written = write(&registry, call, one, &target, txn);
        written.map_err(|refusal| {
            let message = format!(
                "The template deployment '{}' is not valid according to the validation procedure. See inner errors for \
                 details.",
                typed.name()
            );
            let kind = if refusal.kind == Kind::NotModelled { Kind::NotModelled } else { Kind::Invalid };
            let mut outer = Refusal::gateway(kind, "InvalidTemplateDeployment", message);
            outer.error.details.push((*refusal.error).target(one.id.clone()));
            outer
        })?;
        if let Target::Resource(typed) = &target {
            keys.push(typed.key());
        }
    }
    let outputs = outputs(template, &scope).map_err(invalid)?;
    Ok(Applied {
        ids: planned.iter().map(|one| one.id.clone()).collect(),
        keys,
        parameters: typed_values(template, "parameters", &scope.parameters),
        outputs,
        providers: providers(&planned),
        hash: call.seed.uuid(&format!("template/{template}")).as_u128().to_string(),
    })
}

fn write(
    registry: &Registry,
    call: &Call<'_>,
    one: &Planned,
    target: &Target<'_>,
    txn: &mut Txn<'_>,
) -> Result<(), Refusal> {
    if one.kind.eq_ignore_ascii_case("Microsoft.Resources/deployments") {
        return Err(Refusal::not_modelled("nested deployments"));
    }
    let route = registry.route(call.profile, target, Verb::Put, &one.version)?;
    let inner = Call {
        verb: Verb::Put,
        target,
        version: route.version,
        query: &Query::default(),
        body: Some(&one.body),
        conditions: Conditions::default(),
        ..*call
    };
    route.handle(&inner, txn).map(drop)
}

/// Parameters or outputs in the form of a reply: each with its type.
fn typed_values(template: &Value, place: &str, values: &Map<String, Value>) -> Value {
    let kind = |name: &str| template[place][name]["type"].as_str().unwrap_or("String").to_owned();
    let secret = |name: &str| kind(name).to_lowercase().starts_with("secure");
    let shown = values.iter().map(|(name, value)| {
        let shown = if secret(name) {
            json!({ "type": kind(name) })
        } else {
            json!({ "type": kind(name), "value": value })
        };
        (name.clone(), shown)
    });
    Value::Object(shown.collect())
}

fn outputs(template: &Value, scope: &Scope) -> Result<Value, String> {
    let mut values = Map::new();
    for (name, output) in template.get("outputs").and_then(Value::as_object).into_iter().flatten() {
        values.insert(name.clone(), evaluate(output.get("value").unwrap_or(&Value::Null), scope)?);
    }
    Ok(typed_values(template, "outputs", &values))
}

/// The namespaces that a deployment touched.
fn providers(planned: &[Planned]) -> Value {
    let mut found: Vec<Value> = Vec::new();
    for one in planned {
        let (namespace, kind) = one.kind.split_once('/').unwrap_or((&one.kind, ""));
        let location = one.body.get("location").cloned();
        let entry = json!({ "resourceType": kind, "locations": [location] });
        match found.iter_mut().find(|known| known["namespace"] == namespace) {
            Some(known) => {
                if let Some(types) = known["resourceTypes"].as_array_mut() {
                    types.push(entry);
                }
            }
            None => found.push(json!({ "namespace": namespace, "resourceTypes": [entry] })),
        }
    }
    found.into()
}
