//! A container's environment: `env`, `envFrom`, service links, and what the simulation adds.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use indexmap::IndexMap;
use serde_json::Value;

use super::expand::expand;
use super::fields::{self, PodFacts};
use crate::controllers::objects::{join, list, name, namespace, number, text};
use crate::controllers::store::Store;

/// Variables in the order in which they were first set.
pub(crate) type Env = IndexMap<String, String>;

/// Adds what a container's `envFrom` and `env` ask for. The error is the message that a real kubelet reports with
/// `CreateContainerConfigError`.
pub(crate) fn add_own(
    env: &mut Env,
    store: &Store,
    facts: PodFacts<'_>,
    container: &Value,
) -> Result<(), String> {
    let space = namespace(facts.pod);
    for source in list(container, "/envFrom") {
        let prefix = text(source, "/prefix");
        for (kind, field) in [(Source::ConfigMap, "configMapRef"), (Source::Secret, "secretRef")] {
            if let Some(reference) = source.get(field) {
                let optional = reference["optional"].as_bool().unwrap_or_default();
                let data = kind.data(store, space, text(reference, "/name"), optional)?;
                env.extend(data.into_iter().map(|(key, value)| {
                    (format!("{prefix}{key}"), String::from_utf8_lossy(&value).into_owned())
                }));
            }
        }
    }
    for variable in list(container, "/env") {
        let value = match variable.get("valueFrom").filter(|from| !from.is_null()) {
            None => Some(expand(text(variable, "/value"), |name| env.get(name).cloned())),
            Some(from) => value_from(store, facts, container, from)?,
        };
        if let Some(value) = value {
            env.insert(text(variable, "/name").to_owned(), value);
        }
    }
    Ok(())
}

fn value_from(
    store: &Store,
    facts: PodFacts<'_>,
    container: &Value,
    from: &Value,
) -> Result<Option<String>, String> {
    for (kind, field) in [(Source::ConfigMap, "configMapKeyRef"), (Source::Secret, "secretKeyRef")] {
        let Some(reference) = from.get(field) else { continue };
        let optional = reference["optional"].as_bool().unwrap_or_default();
        let (object, key) = (text(reference, "/name"), text(reference, "/key"));
        let data = kind.data(store, namespace(facts.pod), object, optional)?;
        return match data.get(key) {
            Some(value) => Ok(Some(String::from_utf8_lossy(value).into_owned())),
            None if optional => Ok(None),
            None => {
                let place = join(namespace(facts.pod), object);
                Err(format!("couldn't find key {key} in {} {place}", kind.title()))
            }
        };
    }
    if let Some(reference) = from.get("fieldRef") {
        return fields::field(facts, text(reference, "/fieldPath")).map(Some);
    }
    if let Some(reference) = from.get("resourceFieldRef") {
        let named = text(reference, "/containerName");
        let container = if named.is_empty() { text(container, "/name") } else { named };
        let divisor = divisor(reference);
        return fields::resource(facts, container, text(reference, "/resource"), &divisor).map(Some);
    }
    let field = from.as_object().and_then(|map| map.keys().next()).map_or("", String::as_str);
    Err(format!("valueFrom.{field} is not modelled by kube-sim"))
}

/// The divisor of a resource reference, as text.
pub(crate) fn divisor(reference: &Value) -> String {
    match &reference["divisor"] {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => String::new(),
    }
}

/// Where keyed data comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    ConfigMap,
    Secret,
}

impl Source {
    fn title(self) -> &'static str {
        match self {
            Self::ConfigMap => "ConfigMap",
            Self::Secret => "Secret",
        }
    }

    /// The decoded content of a ConfigMap or Secret; empty when it is missing and optional.
    pub(crate) fn data(
        self,
        store: &Store,
        space: &str,
        name: &str,
        optional: bool,
    ) -> Result<BTreeMap<String, Vec<u8>>, String> {
        let kinds = store.kinds();
        let (kind, word) = match self {
            Self::ConfigMap => (&kinds.config_maps, "configmap"),
            Self::Secret => (&kinds.secrets, "secret"),
        };
        let Some(object) = store.get(kind, &join(space, name)) else {
            return if optional { Ok(BTreeMap::new()) } else { Err(format!("{word} \"{name}\" not found")) };
        };
        let encoded = |field: &str| entries(&object, field, |text| STANDARD.decode(text).unwrap_or_default());
        Ok(match self {
            Self::Secret => encoded("data"),
            Self::ConfigMap => {
                let mut data = entries(&object, "data", |text| text.as_bytes().to_vec());
                data.extend(encoded("binaryData"));
                data
            }
        })
    }
}

fn entries(object: &Value, field: &str, decode: impl Fn(&str) -> Vec<u8>) -> BTreeMap<String, Vec<u8>> {
    let map = object.get(field).and_then(Value::as_object);
    map.into_iter()
        .flatten()
        .map(|(key, value)| (key.clone(), decode(value.as_str().unwrap_or_default())))
        .collect()
}

/// Adds the variables that describe the namespace's Services, unless the pod does not want them. The addresses are
/// those of the simulated cluster network, which nothing routes.
pub(crate) fn add_service_links(env: &mut Env, store: &Store, pod: &Value) {
    if pod.pointer("/spec/enableServiceLinks") == Some(&Value::Bool(false)) {
        return;
    }
    for service in store.list(&store.kinds().services, namespace(pod)) {
        let address = text(&service, "/spec/clusterIP");
        let ports = list(&service, "/spec/ports");
        let Some(first) = ports.first() else { continue };
        if address.is_empty() || address == "None" {
            continue;
        }
        let prefix = name(&service).to_ascii_uppercase().replace(['-', '.'], "_");
        let port = |port: &Value| number(port, "/port").unwrap_or_default();
        env.insert(format!("{prefix}_SERVICE_HOST"), address.to_owned());
        env.insert(format!("{prefix}_SERVICE_PORT"), port(first).to_string());
        for named in ports.iter().filter(|port| !text(port, "/name").is_empty()) {
            let name = text(named, "/name").to_ascii_uppercase().replace('-', "_");
            env.insert(format!("{prefix}_SERVICE_PORT_{name}"), port(named).to_string());
        }
        env.insert(format!("{prefix}_PORT"), format!("tcp://{address}:{}", port(first)));
    }
}
