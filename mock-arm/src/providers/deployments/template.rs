//! What a template says: its resources, in the order in which they can be made.

use serde_json::{Map, Value, json};

use super::expression::{Scope, evaluate};

/// A resource of a template, every expression evaluated.
#[derive(Debug, Clone)]
pub(super) struct Planned {
    /// Its resource id.
    pub(super) id: String,
    /// Its full type.
    pub(super) kind: String,
    /// In which version it is written.
    pub(super) version: String,
    /// The body that is PUT.
    pub(super) body: Value,
    /// What the template calls it: its symbol, name and id.
    names: Vec<String>,
    needs: Vec<String>,
}

/// Parameters with the values that are given, or their defaults.
pub(super) fn parameters(
    template: &Value,
    given: &Value,
    scope: &Scope,
) -> Result<Map<String, Value>, String> {
    let mut found = Map::new();
    let known = template.get("parameters").and_then(Value::as_object).cloned().unwrap_or_default();
    for (name, parameter) in &known {
        let value = given.as_object().into_iter().flatten().find(|(one, _)| one.eq_ignore_ascii_case(name));
        let value = match value.and_then(|(_, value)| value.get("value")) {
            Some(value) => value.clone(),
            None => match parameter.get("defaultValue") {
                Some(default) => evaluate(default, scope)?,
                None => {
                    return Err(format!("The value for the template parameter '{name}' is not provided."));
                }
            },
        };
        found.insert(name.clone(), value);
    }
    let unknown = given
        .as_object()
        .into_iter()
        .flatten()
        .find(|(one, _)| !known.keys().any(|name| name.eq_ignore_ascii_case(one)));
    match unknown {
        Some((name, _)) => Err(format!(
            "The following parameters were supplied, but do not correspond to any parameters defined in the template: \
             '{name}'."
        )),
        None => Ok(found),
    }
}

/// The resources of a template, those that others depend on first.
pub(super) fn resources(template: &Value, scope: &Scope) -> Result<Vec<Planned>, String> {
    let mut open: Vec<Planned> = match template.get("resources") {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(list)) => {
            list.iter().map(|one| planned(None, one, scope)).collect::<Result<Vec<_>, _>>()?
        }
        // Newer templates give each resource a symbol.
        Some(Value::Object(map)) => map
            .iter()
            .map(|(symbol, one)| planned(Some(symbol), one, scope))
            .collect::<Result<Vec<_>, _>>()?,
        Some(_) => return Err("'resources' is not a list".into()),
    }
    .into_iter()
    .flatten()
    .collect();
    let mut ordered = Vec::with_capacity(open.len());
    while !open.is_empty() {
        let free = |one: &Planned| {
            let waits = |other: &Planned| one.needs.iter().any(|need| other.names.contains(need));
            !open.iter().any(|other| other.id != one.id && waits(other))
        };
        let Some(at) = open.iter().position(free) else {
            let names: Vec<&str> = open.iter().map(|one| one.id.as_str()).collect();
            return Err(format!("Circular dependency detected on resources: '{}'.", names.join("', '")));
        };
        ordered.push(open.remove(at));
    }
    Ok(ordered)
}

/// One resource; `None` when its condition does not hold.
fn planned(symbol: Option<&String>, resource: &Value, scope: &Scope) -> Result<Option<Planned>, String> {
    for unknown in ["copy", "resources", "existing", "sku", "plan", "zones"] {
        if resource.get(unknown).is_some_and(|value| !value.is_null() && *value != json!([])) {
            return Err(format!("'{unknown}' of a template's resource is not modelled by dryarc"));
        }
    }
    if let Some(condition) = resource.get("condition")
        && evaluate(condition, scope)? != json!(true)
    {
        return Ok(None);
    }
    let text = |name: &str| {
        let value = evaluate(resource.get(name).unwrap_or(&Value::Null), scope)?;
        value.as_str().map(str::to_owned).ok_or_else(|| format!("a resource has no '{name}'"))
    };
    let (kind, name, version) = (text("type")?, text("name")?, text("apiVersion")?);
    let base = match resource.get("scope") {
        None => scope.group["id"].as_str().unwrap_or_default().to_owned(),
        Some(_) => absolute(&text("scope")?, scope),
    };
    let id = id(&base, &kind, &name)?;
    let mut body = Map::new();
    for member in ["location", "tags", "identity", "kind", "properties"] {
        if let Some(value) = resource.get(member) {
            body.insert(member.into(), evaluate(value, scope)?);
        }
    }
    let needs = resource.get("dependsOn").and_then(Value::as_array).cloned().unwrap_or_default();
    let needs: Vec<String> = needs
        .iter()
        .map(|need| Ok(evaluate(need, scope)?.as_str().unwrap_or_default().to_lowercase()))
        .collect::<Result<_, String>>()?;
    let mut names = vec![id.to_lowercase(), name.to_lowercase(), format!("{kind}/{name}").to_lowercase()];
    names.extend(symbol.map(|symbol| symbol.to_lowercase()));
    Ok(Some(Planned { id, kind, version, body: Value::Object(body), names, needs }))
}

/// A scope is a resource id, or one relative to the group.
fn absolute(scope_text: &str, scope: &Scope) -> String {
    if scope_text.starts_with('/') {
        return scope_text.to_owned();
    }
    let group = scope.group["id"].as_str().unwrap_or_default();
    // Namespace/type/name
    format!("{group}/providers/{scope_text}")
}

/// The id of a resource of this type and name below `base`.
fn id(base: &str, kind: &str, name: &str) -> Result<String, String> {
    let (namespace, types) =
        kind.split_once('/').ok_or_else(|| format!("the type '{kind}' has no namespace"))?;
    let (types, names): (Vec<&str>, Vec<&str>) = (types.split('/').collect(), name.split('/').collect());
    if types.len() != names.len() {
        return Err(format!("the name '{name}' does not have as many parts as the type '{kind}'"));
    }
    let pairs = types.iter().zip(&names).map(|(kind, name)| format!("/{kind}/{name}")).collect::<String>();
    Ok(format!("{base}/providers/{namespace}{pairs}"))
}
