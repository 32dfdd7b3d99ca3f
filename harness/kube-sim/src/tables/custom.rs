//! Columns of custom resources (`additionalPrinterColumns`).

use jiff::Timestamp;
use serde_json::{Value, json};

use super::age::{parse, since};
use super::jsonpath::Path;
use super::{Cells, name, text};

struct Column {
    definition: Value,
    kind: String,
    /// None when the path is not understood: the column stays empty.
    path: Option<Path>,
}

/// The columns of one custom kind.
pub(super) struct Columns(Vec<Column>);

impl Columns {
    pub(super) fn new(stated: &[Value]) -> Self {
        let age = [json!({"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"})];
        let columns = if stated.is_empty() { &age } else { stated };
        Self(columns.iter().map(column).collect())
    }

    pub(super) fn definitions(&self) -> Value {
        let first =
            json!({"name": "Name", "type": "string", "format": "name", "description": "", "priority": 0});
        std::iter::once(first).chain(self.0.iter().map(|column| column.definition.clone())).collect()
    }

    pub(super) fn cells(&self, object: &Value, now: Timestamp) -> Cells {
        std::iter::once(name(object)).chain(self.0.iter().map(|column| column.cell(object, now))).collect()
    }
}

fn column(stated: &Value) -> Column {
    let path = text(&stated["jsonPath"], "");
    let described = format!("Custom resource definition column (in JSONPath format): {path}");
    Column {
        definition: json!({
            "name": stated["name"], "type": stated["type"], "format": text(&stated["format"], ""),
            "description": text(&stated["description"], &described),
            "priority": stated["priority"].as_i64().unwrap_or(0),
        }),
        kind: text(&stated["type"], "string").to_owned(),
        path: Path::parse(path),
    }
}

impl Column {
    fn cell(&self, object: &Value, now: Timestamp) -> Value {
        let Some(found) = self.path.as_ref().and_then(|path| path.find(object).into_iter().next()) else {
            return Value::Null;
        };
        match (self.kind.as_str(), found) {
            (_, Value::Null) => Value::Null,
            ("string", Value::String(text)) => json!(text),
            ("string", other) => json!(other.to_string()),
            ("integer", Value::Number(number)) => number.as_i64().or_else(|| whole(number.as_f64()?)).into(),
            ("number", number @ Value::Number(_)) | ("boolean", number @ Value::Bool(_)) => number.clone(),
            ("date", time @ Value::String(_)) => match parse(time) {
                Some(_) => json!(since(time, now)),
                None => json!("<invalid>"),
            },
            _ => Value::Null,
        }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "a fraction is cut off, as the real printer does")]
fn whole(number: f64) -> Option<i64> {
    number.is_finite().then_some(number as i64)
}
