//! Types whose JSON is not that of their fields: quantities, times, numbers that may be texts, raw JSON.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::wire::{Datum, Reader};
use super::{Malformed, Messages, Read};
use crate::api::meta;

/// The schema type that three of these refer to.
const SCHEMA: &str = "apiextensions.JSONSchemaProps";

/// Such a type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Special {
    Quantity,
    IntOrString,
    Time,
    MicroTime,
    Duration,
    /// JSON as bytes.
    Raw,
    /// A list of texts in a message of its own.
    List,
    SchemaOrArray,
    SchemaOrBool,
    SchemaOrTexts,
}

impl Special {
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "Quantity" => Self::Quantity,
            "IntOrString" => Self::IntOrString,
            "Time" => Self::Time,
            "MicroTime" => Self::MicroTime,
            "Duration" => Self::Duration,
            "RawExtension" | "FieldsV1" | "JSON" => Self::Raw,
            "List" => Self::List,
            "JSONSchemaPropsOrArray" => Self::SchemaOrArray,
            "JSONSchemaPropsOrBool" => Self::SchemaOrBool,
            "JSONSchemaPropsOrStringArray" => Self::SchemaOrTexts,
            _ => return None,
        })
    }
}

fn fields(bytes: &[u8]) -> Read<Vec<(u64, Datum<'_>)>> {
    let (mut reader, mut all) = (Reader::new(bytes), Vec::new());
    while let Some(field) = reader.next()? {
        all.push(field);
    }
    Ok(all)
}

impl Messages {
    pub(super) fn special(&self, special: Special, bytes: &[u8], depth: usize) -> Read<Value> {
        let fields = fields(bytes)?;
        let first = |number: u64| fields.iter().find(|(own, _)| *own == number).map(|(_, datum)| datum);
        let integer = |number: u64| first(number).map_or(Ok(0), Datum::integer);
        let texts = |number: u64| {
            let wanted = fields.iter().filter(|(own, _)| *own == number);
            wanted.map(|(_, datum)| datum.text().map(Value::from)).collect::<Read<Vec<_>>>()
        };
        let schema = |datum: &Datum<'_>| {
            Ok::<_, Malformed>(Value::Object(self.message(SCHEMA, datum.bytes()?, depth)?))
        };
        Ok(match special {
            Special::Quantity => first(1).map_or(Ok(Value::Null), |datum| datum.text().map(Value::from))?,
            Special::IntOrString if integer(1)? == 0 => integer(2)?.into(),
            Special::IntOrString => first(3).map_or(Ok(json!("")), |datum| datum.text().map(Value::from))?,
            // The zero time is an empty message.
            Special::Time | Special::MicroTime if fields.is_empty() => Value::Null,
            Special::Time => meta::time(moment(integer(1)?, integer(2)?)?).into(),
            Special::MicroTime => meta::micro_time(moment(integer(1)?, integer(2)?)?).into(),
            Special::Duration => {
                let span = SignedDuration::from_nanos(integer(1)?);
                format!("{}s", span.as_secs_f64()).into()
            }
            Special::Raw => match first(1) {
                None => Value::Null,
                Some(datum) => serde_json::from_slice(datum.bytes()?)
                    .map_err(|_| Malformed("embedded JSON is not JSON"))?,
            },
            Special::List => Value::Array(texts(1)?),
            Special::SchemaOrArray => match first(1) {
                Some(datum) => schema(datum)?,
                None => {
                    let several = fields.iter().filter(|(number, _)| *number == 2);
                    Value::Array(several.map(|(_, datum)| schema(datum)).collect::<Read<_>>()?)
                }
            },
            Special::SchemaOrBool => match first(2) {
                Some(datum) => schema(datum)?,
                None => (integer(1)? != 0).into(),
            },
            Special::SchemaOrTexts => match first(1) {
                Some(datum) => schema(datum)?,
                None => Value::Array(texts(2)?),
            },
        })
    }
}

fn moment(seconds: i64, nanos: i64) -> Read<Timestamp> {
    let nanos = i32::try_from(nanos).map_err(|_| Malformed("a time is out of range"))?;
    Timestamp::new(seconds, nanos).map_err(|_| Malformed("a time is out of range"))
}
