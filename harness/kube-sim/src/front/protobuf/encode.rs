//! Answers in `application/vnd.kubernetes.protobuf`: the same table of messages, read the other way round.
//!
//! Zeros that JSON leaves out are left out here too: readers of protobuf take what is missing for zero.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde_json::{Map, Value};

use super::messages::{Field, Messages, Repeat, Shape};
use super::special::Special;
use super::{DEPTH, MAGIC};

/// What is written so far.
#[derive(Default)]
struct Writer(Vec<u8>);

impl Writer {
    fn varint(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.0.push((number & 0x7f) as u8 | 0x80);
            number >>= 7;
        }
        self.0.push(number as u8);
    }

    fn integer(&mut self, field: u64, number: i64) {
        self.varint(field << 3);
        self.varint(number.cast_unsigned());
    }

    fn bytes(&mut self, field: u64, content: &[u8]) {
        self.varint(field << 3 | 2);
        self.varint(content.len() as u64);
        self.0.extend_from_slice(content);
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

impl Messages {
    /// An object or a list of objects as a whole body; none when its kind has no message.
    pub(in super::super) fn encode(&self, object: &Value) -> Option<Vec<u8>> {
        let (api_version, kind) = (text(object.get("apiVersion")?), text(object.get("kind")?));
        let content = match kind.strip_suffix("List").filter(|_| object["items"].is_array()) {
            Some(single) => self.list(&Self::name_of(api_version, single), object)?,
            None => {
                let name = match (api_version, kind) {
                    ("v1", "Status") => "meta.Status".to_owned(),
                    _ => Self::name_of(api_version, kind),
                };
                self.get(&name)?;
                self.message_of(&name, object.as_object()?, DEPTH)
            }
        };
        let mut named = Writer::default();
        named.bytes(1, api_version.as_bytes());
        named.bytes(2, kind.as_bytes());
        let mut body = Writer(MAGIC.to_vec());
        body.bytes(1, &named.0);
        body.bytes(2, &content);
        body.bytes(3, b"");
        body.bytes(4, b"");
        Some(body.0)
    }

    fn list(&self, name: &str, list: &Value) -> Option<Vec<u8>> {
        self.get(name)?;
        let mut writer = Writer::default();
        writer.bytes(1, &self.message_of("meta.ListMeta", list["metadata"].as_object()?, DEPTH));
        for item in list["items"].as_array()?.iter().filter_map(Value::as_object) {
            writer.bytes(2, &self.message_of(name, item, DEPTH));
        }
        Some(writer.0)
    }

    fn message_of(&self, name: &str, map: &Map<String, Value>, depth: usize) -> Vec<u8> {
        let mut writer = Writer::default();
        let Some(depth) = depth.checked_sub(1) else { return writer.0 };
        for field in self.get(name).unwrap_or_default() {
            if field.inline {
                if let Shape::Message(name) = field.shape {
                    writer.bytes(field.number, &self.message_of(name, map, depth));
                }
                continue;
            }
            let Some(value) = map.get(&field.name).filter(|value| !value.is_null()) else { continue };
            self.field(&mut writer, field, value, depth);
        }
        writer.0
    }

    fn field(&self, writer: &mut Writer, field: &Field, value: &Value, depth: usize) {
        match field.repeat {
            Repeat::Once => self.put(writer, field.number, &field.shape, value, depth),
            Repeat::List => {
                for item in value.as_array().into_iter().flatten() {
                    self.put(writer, field.number, &field.shape, item, depth);
                }
            }
            Repeat::Map => {
                for (key, value) in value.as_object().into_iter().flatten() {
                    let mut entry = Writer::default();
                    entry.bytes(1, key.as_bytes());
                    self.put(&mut entry, 2, &field.shape, value, depth);
                    writer.bytes(field.number, &entry.0);
                }
            }
        }
    }

    fn put(&self, writer: &mut Writer, number: u64, shape: &Shape, value: &Value, depth: usize) {
        match shape {
            Shape::Text => writer.bytes(number, text(value).as_bytes()),
            Shape::Bytes => writer.bytes(number, &STANDARD.decode(text(value)).unwrap_or_default()),
            Shape::Integer => writer.integer(number, value.as_i64().unwrap_or_default()),
            Shape::Bool => writer.integer(number, i64::from(value == true)),
            Shape::Float => {
                writer.varint(number << 3 | 1);
                writer.0.extend_from_slice(&value.as_f64().unwrap_or_default().to_le_bytes());
            }
            Shape::Message(name) => {
                let inner = value.as_object().map(|map| self.message_of(name, map, depth));
                writer.bytes(number, &inner.unwrap_or_default());
            }
            Shape::Special(special) => writer.bytes(number, &self.special_of(*special, value, depth)),
        }
    }

    fn special_of(&self, special: Special, value: &Value, depth: usize) -> Vec<u8> {
        const SCHEMA: &str = "apiextensions.JSONSchemaProps";
        let mut writer = Writer::default();
        let schema = |value: &Value| match value.as_object() {
            Some(map) => self.message_of(SCHEMA, map, depth),
            None => Vec::new(),
        };
        match special {
            Special::Quantity => match value {
                Value::String(text) => writer.bytes(1, text.as_bytes()),
                other => writer.bytes(1, other.to_string().as_bytes()),
            },
            Special::IntOrString => match value.as_i64() {
                Some(number) => {
                    writer.integer(1, 0);
                    writer.integer(2, number);
                    writer.bytes(3, b"");
                }
                None => {
                    writer.integer(1, 1);
                    writer.integer(2, 0);
                    writer.bytes(3, text(value).as_bytes());
                }
            },
            Special::Time | Special::MicroTime => {
                if let Ok(time) = text(value).parse::<Timestamp>() {
                    writer.integer(1, time.as_second());
                    writer.integer(2, i64::from(time.subsec_nanosecond()));
                }
            }
            Special::Duration => {
                let span: Option<jiff::SignedDuration> = text(value).parse().ok();
                let nanos = span.and_then(|span| i64::try_from(span.as_nanos()).ok());
                writer.integer(1, nanos.unwrap_or_default());
            }
            Special::Raw => writer.bytes(1, value.to_string().as_bytes()),
            Special::List => {
                let items = value.as_array().into_iter().flatten();
                items.for_each(|item| writer.bytes(1, text(item).as_bytes()));
            }
            Special::SchemaOrArray => match value.as_array() {
                Some(several) => several.iter().for_each(|one| writer.bytes(2, &schema(one))),
                None => writer.bytes(1, &schema(value)),
            },
            Special::SchemaOrBool => match value.as_bool() {
                Some(flag) => writer.integer(1, i64::from(flag)),
                None => {
                    writer.integer(1, 1);
                    writer.bytes(2, &schema(value));
                }
            },
            Special::SchemaOrTexts => match value.as_array() {
                Some(texts) => texts.iter().for_each(|one| writer.bytes(2, text(one).as_bytes())),
                None => writer.bytes(1, &schema(value)),
            },
        }
        writer.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read_back(object: &Value) -> Value {
        let messages = Messages::read();
        messages.object(&messages.encode(object).unwrap()).unwrap()
    }

    #[test]
    fn what_is_written_can_be_read() {
        let meta = json!({
            "name": "a", "namespace": "n", "uid": "6a1f2f44-9b1c-4c2e-8a5e-0123456789ab", "resourceVersion": "17",
            "generation": 3, "creationTimestamp": "2026-01-01T00:00:00Z", "labels": {"a": "b", "c": ""},
            "managedFields": [{"manager": "m", "operation": "Apply", "apiVersion": "v1", "time": "2026-01-01T00:00:01Z",
                "fieldsType": "FieldsV1", "fieldsV1": {"f:data": {".": {}}}}],
        });
        for object in [
            json!({"apiVersion": "v1", "kind": "Secret", "metadata": meta, "data": {"k": "AAEC", "e": ""}, "type": "Opaque"}),
            json!({"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": {
                "ports": [{"name": "http", "protocol": "TCP", "port": 80, "targetPort": 8080},
                    {"name": "s", "protocol": "TCP", "port": 443, "targetPort": "https"}], "clusterIP": "10.96.0.9"},
                "status": {"loadBalancer": {}}}),
            json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta, "spec": {"replicas": 0,
                "selector": {"matchLabels": {"a": "b"}}, "strategy": {"type": "RollingUpdate",
                    "rollingUpdate": {"maxUnavailable": "25%", "maxSurge": 1}},
                "template": {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i",
                    "resources": {"limits": {"cpu": "100m"}}, "securityContext": {"runAsNonRoot": false}}]}}}}),
            json!({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": meta, "spec": {
                "holderIdentity": "me", "renewTime": "2026-01-01T00:00:00.000123Z", "leaseDurationSeconds": 15}}),
        ] {
            let mut expected = object.clone();
            let mut found = read_back(&object);
            // Objects without content are no fields of their own.
            for side in [&mut expected, &mut found] {
                side.as_object_mut()
                    .unwrap()
                    .retain(|_, value| value != &json!({}) && value != &json!({"loadBalancer": {}}));
            }
            assert_eq!(found, expected);
        }
    }

    #[test]
    fn lists_and_statuses_have_messages_and_tables_have_none() {
        let messages = Messages::read();
        let list = json!({"apiVersion": "v1", "kind": "ConfigMapList", "metadata": {"resourceVersion": "5"},
            "items": [{"metadata": {"name": "a"}, "data": {"k": "v"}}]});
        let body = messages.encode(&list).unwrap();
        assert!(body.starts_with(b"k8s\0\n\x13\n\x02v1\x12\x0dConfigMapList\x12"));
        assert!(
            messages
                .encode(&json!({"apiVersion": "v1", "kind": "Status", "metadata": {}, "code": 200}))
                .is_some()
        );
        assert!(messages.encode(&json!({"apiVersion": "meta.k8s.io/v1", "kind": "Table"})).is_none());
    }
}
