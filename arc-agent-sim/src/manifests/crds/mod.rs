//! The agents' custom resource definitions: groups, kinds and fields of the chart.

mod arc;
mod clusterconfig;
mod schema;

use serde_json::{Value, json};

use schema::Schema;

/// Every CRD of the agents, `arc.azure.com` first.
pub(super) fn all() -> Vec<Value> {
    arc::kinds().into_iter().chain(clusterconfig::kinds()).map(|crd| crd.object()).collect()
}

/// One kind: namespaced, one served and stored version, with a status subresource.
struct Crd {
    group: &'static str,
    kind: &'static str,
    plural: &'static str,
    short: Option<&'static str>,
    spec: Schema,
    status: Schema,
    columns: Vec<Column>,
    labels: Vec<(&'static str, &'static str)>,
    annotations: Vec<(&'static str, &'static str)>,
}

/// A printer column: name, type, path.
type Column = (&'static str, &'static str, &'static str);

/// The column that every kind ends with.
const AGE: Column = ("Age", "date", ".metadata.creationTimestamp");

impl Crd {
    fn new(
        group: &'static str,
        kind: &'static str,
        plural: &'static str,
        spec: Schema,
        status: Schema,
    ) -> Self {
        Self {
            group,
            kind,
            plural,
            short: None,
            spec,
            status,
            columns: Vec::new(),
            labels: Vec::new(),
            annotations: Vec::new(),
        }
    }

    fn short(mut self, name: &'static str) -> Self {
        self.short = Some(name);
        self
    }

    fn columns(mut self, columns: &[Column]) -> Self {
        self.columns = columns.to_vec();
        self
    }

    fn object(self) -> Value {
        let pairs = |pairs: &[(&str, &str)]| -> Value {
            pairs.iter().map(|(key, value)| ((*key).to_owned(), Value::from(*value))).collect()
        };
        let mut metadata = json!({ "name": format!("{}.{}", self.plural, self.group) });
        for (field, entries) in [("labels", &self.labels), ("annotations", &self.annotations)] {
            if !entries.is_empty() {
                metadata[field] = pairs(entries);
            }
        }
        let mut names = json!({
            "kind": self.kind,
            "listKind": format!("{}List", self.kind),
            "plural": self.plural,
            "singular": self.kind.to_lowercase(),
        });
        if let Some(short) = self.short {
            names["shortNames"] = json!([short]);
        }
        json!({
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": metadata,
            "spec": {
                "group": self.group,
                "names": names,
                "scope": "Namespaced",
                "versions": [{
                    "name": "v1beta1",
                    "served": true,
                    "storage": true,
                    "schema": { "openAPIV3Schema": root(self.kind, self.spec, self.status) },
                    "subresources": { "status": {} },
                    "additionalPrinterColumns": printer_columns(&self.columns),
                }],
            },
        })
    }
}

fn root(kind: &str, spec: Schema, status: Schema) -> Value {
    Schema::object(&[
        ("apiVersion", Schema::string()),
        ("kind", Schema::string()),
        ("metadata", Schema::map_of_anything()),
        ("spec", spec.describe("The desired state.")),
        ("status", status.describe("What the agents report.")),
    ])
    .describe(&format!("{kind} of the Azure Arc agents."))
    .into_value()
}

fn printer_columns(columns: &[Column]) -> Vec<Value> {
    let column = |(name, kind, path): &Column| json!({ "name": name, "type": kind, "jsonPath": path });
    columns.iter().chain([&AGE]).map(column).collect()
}
