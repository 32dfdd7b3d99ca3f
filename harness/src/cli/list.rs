//! `dryarc list`.

use std::collections::BTreeMap;

use clap::Args;
use serde_json::{Map, Value};

use super::output::{Output, show, table};
use super::remote::Remote;
use super::{CliError, Context, Exit};

/// List the connected clusters of the world's subscription
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  dryarc list
  dryarc list --resource-group AzureArcTest --output json")]
pub(super) struct List {
    /// Of one resource group only
    #[arg(long, short = 'g')]
    resource_group: Option<String>,
    /// The form of the output; json and yaml are flattened as the Azure CLI's are
    #[arg(long, short, value_enum, default_value = "table", value_name = "FORM")]
    output: Output,
}

impl List {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, CliError> {
        let remote = Remote::connect(context).await?;
        let azure = remote.azure("connectedk8s list");
        let clusters = remote.wait_for(Box::pin(azure.clusters(self.resource_group.as_deref()))).await?;
        let clusters = clusters.map_err(|error| CliError::failed(&error).next(error.next()))?;
        let clusters: Vec<Value> = clusters.into_iter().map(flat).collect();
        show(self.output, &Value::Array(clusters.clone()), || people(&clusters))?;
        Ok(Exit::Ok)
    }
}

/// A resource as the Azure CLI prints it: its properties beside the rest, the resource group named, keys in order.
pub(super) fn flat(resource: Value) -> Value {
    let Value::Object(mut object) = resource else { return resource };
    let group = object.get("id").and_then(Value::as_str).and_then(group_of).map(str::to_owned);
    let properties = match object.remove("properties") {
        Some(Value::Object(properties)) => properties,
        _ => Map::new(),
    };
    let mut sorted: BTreeMap<String, Value> = properties.into_iter().chain(object).collect();
    if let Some(group) = group {
        sorted.insert("resourceGroup".into(), group.into());
    }
    Value::Object(sorted.into_iter().collect())
}

fn group_of(id: &str) -> Option<&str> {
    let mut parts = id.split('/');
    parts.by_ref().find(|part| part.eq_ignore_ascii_case("resourceGroups"))?;
    parts.next()
}

/// Connected clusters, flattened, as a table.
pub(super) fn people(clusters: &[Value]) -> String {
    let row = |one: &Value| {
        let keys = ["name", "location", "resourceGroup", "connectivityStatus", "agentVersion"];
        keys.iter().map(|key| one[*key].as_str().unwrap_or_default().to_owned()).collect()
    };
    let rows: Vec<Vec<String>> = clusters.iter().map(row).collect();
    table(&["NAME", "LOCATION", "RESOURCE GROUP", "STATUS", "AGENTS"], &rows)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_resource_is_flattened_as_the_azure_cli_prints_it() {
        let resource = json!({
            "id": "/subscriptions/s/resourceGroups/g/providers/Microsoft.Kubernetes/connectedClusters/c",
            "name": "c",
            "properties": {"connectivityStatus": "Connected"},
        });
        let flat = flat(resource);
        assert_eq!(flat["connectivityStatus"], "Connected");
        assert_eq!(flat["resourceGroup"], "g");
        assert!(flat.get("properties").is_none());
        assert!(people(&[flat]).contains("Connected"));
    }
}
