//! What a strict decoder would say: unknown and duplicate fields, values of the wrong type.

use std::collections::BTreeSet;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use super::quantity;
use crate::registry::Kind;
use crate::schema::{ObjectType, Place};

/// Fields that the type does not have, in the words of the real server: `unknown field "spec.replica"`.
///
/// For `fieldValidation=Strict` join them behind `strict decoding error: `; for `Warn` each is a warning. The directives of
/// strategic merge (`$patch`, `$setElementOrder/…`) are no fields: patches can be looked at as well as objects.
#[must_use]
pub fn unknown_fields(of: &ObjectType, object: &Value) -> Vec<String> {
    let mut found = Vec::new();
    look(of.root(), object, "", &mut found);
    found
}

fn look(place: Place<'_>, value: &Value, path: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) if place.known() => {
            for (name, inner) in fields.iter().filter(|(name, _)| !is_directive(name)) {
                let below = below(path, name);
                match place.named_field(name).or_else(|| place.values()) {
                    Some(field) => look(field, inner, &below, found),
                    None if place.open() => {}
                    None => found.push(format!("unknown field \"{below}\"")),
                }
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                look(place.items(), item, &format!("{path}[{index}]"), found);
            }
        }
        _ => {}
    }
}

fn is_directive(name: &str) -> bool {
    let prefixes = ["$setElementOrder/", "$deleteFromPrimitiveList/"];
    name == "$patch" || name == "$retainKeys" || prefixes.iter().any(|prefix| name.starts_with(prefix))
}

fn below(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

/// The first value of a wrong type, in the words of the real server: `json: cannot unmarshal string into Go struct field
/// DeploymentSpec.spec.replicas of type int32`, or what is wrong with a quantity.
#[must_use]
pub fn type_error(of: &ObjectType, kind: &Kind, object: &Value) -> Option<String> {
    wrong(of.root(), object, "", &kind.kind)
}

fn wrong(place: Place<'_>, value: &Value, path: &str, owner: &str) -> Option<String> {
    if !place.known() || value.is_null() {
        return None;
    }
    if place.type_name() == Some("Quantity") {
        return quantity::problem(value).map(ToOwned::to_owned);
    }
    if let (Some("Time" | "MicroTime"), Value::String(text)) = (place.type_name(), value)
        && text.parse::<jiff::Timestamp>().is_err()
    {
        return Some(format!(
            "parsing time {text:?} as \"2006-01-02T15:04:05Z07:00\": cannot parse {text:?} as \"2006\""
        ));
    }
    let (found, fits) = match (value, place.kind()) {
        (_, None) => ("", true),
        (Value::String(_), Some(kind)) => ("string", kind == "string"),
        (Value::Bool(_), Some(kind)) => ("bool", kind == "boolean"),
        (Value::Array(_), Some(kind)) => ("array", kind == "array"),
        (Value::Object(_), Some(kind)) => ("object", kind == "object"),
        (Value::Number(number), Some("integer")) => ("number", number.is_i64() || number.is_u64()),
        (_, Some(kind)) => ("number", kind == "number"),
    };
    if !fits {
        let shown = match value {
            Value::Number(number) if place.kind() == Some("integer") => format!("number {number}"),
            _ => found.to_owned(),
        };
        let go = go_type(place);
        return Some(format!(
            "json: cannot unmarshal {shown} into Go struct field {owner}.{path} of type {go}"
        ));
    }
    let owner = place.type_name().unwrap_or(owner);
    match value {
        Value::Object(fields) => fields.iter().find_map(|(name, inner)| match place.named_field(name) {
            Some(field) => wrong(field, inner, &below(path, name), owner),
            None => wrong(place.values()?, inner, path, owner),
        }),
        Value::Array(items) => items.iter().find_map(|item| wrong(place.items(), item, path, owner)),
        _ => None,
    }
}

fn go_type(place: Place<'_>) -> String {
    let format = place.schema().and_then(|schema| schema.get("format")).and_then(Value::as_str);
    match (place.kind(), place.type_name()) {
        (Some("object"), Some(name)) => format!("v1.{name}"),
        (Some("integer"), _) => format.unwrap_or("int64").to_owned(),
        (Some("boolean"), _) => "bool".to_owned(),
        (Some("number"), _) => "float64".to_owned(),
        (Some("array"), _) => format!("[]{}", go_type(place.items())),
        (Some("object"), None) => match place.values() {
            Some(values) => format!("map[string]{}", go_type(values)),
            None => "map[string]interface {}".to_owned(),
        },
        _ => "string".to_owned(),
    }
}

/// Fields that stand twice in a JSON text: `duplicate field "spec.replicas"`. A text that is not JSON has none.
#[must_use]
pub fn duplicate_fields(json: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    let mut reader = serde_json::Deserializer::from_slice(json);
    // What was found before a mistake in the JSON still holds; the mistake itself is the decoder's to report.
    let _ = Duplicates { path: String::new(), found: &mut found }.deserialize(&mut reader);
    found
}

struct Duplicates<'a> {
    path: String,
    found: &'a mut Vec<String>,
}

impl<'de> DeserializeSeed<'de> for Duplicates<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Duplicates<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut seen = BTreeSet::new();
        while let Some(name) = map.next_key::<String>()? {
            let path = below(&self.path, &name);
            if !seen.insert(name) {
                self.found.push(format!("duplicate field \"{path}\""));
            }
            map.next_value_seed(Duplicates { path, found: &mut *self.found })?;
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let mut index = 0;
        let at = |index: usize| format!("{}[{index}]", self.path);
        while items.next_element_seed(Duplicates { path: at(index), found: &mut *self.found })?.is_some() {
            index += 1;
        }
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
}
