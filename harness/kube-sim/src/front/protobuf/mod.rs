//! Request bodies in `application/vnd.kubernetes.protobuf`, which Kubernetes' Go clients send for built-in kinds.
//!
//! Answers to clients that ask for it are written in it too ([`encode`]), but for errors, tables and watches, which such clients
//! take in JSON. What is read comes out as the JSON that the same client would have sent: the Go types encode fields that are not pointers even when they are zero, so zeros of fields
//! that JSON would omit are dropped.

mod encode;
mod messages;
mod special;
mod wire;

use serde_json::{Map, Value, json};

pub(super) use messages::Messages;

use crate::api::meta;
use crate::status::Status;
use messages::{Field, Repeat, Shape};
use wire::{Datum, Reader};

/// What every body begins with.
const MAGIC: &[u8] = b"k8s\0";

/// How deep messages may be nested: more than any kind needs, schemas of schemas included.
const DEPTH: usize = 100;

/// A body that cannot be read, and why.
#[derive(Debug, PartialEq, Eq)]
struct Malformed(&'static str);

type Read<T> = Result<T, Malformed>;

impl Messages {
    /// The object in a body.
    pub(super) fn object(&self, body: &[u8]) -> Result<Value, Status> {
        let refused =
            |error: Malformed| Status::bad_request(format!("the protobuf body cannot be read: {}", error.0));
        let envelope = body
            .strip_prefix(MAGIC)
            .ok_or(Malformed("it does not begin with the magic number of Kubernetes"));
        let (api_version, kind, raw) = envelope.and_then(open).map_err(refused)?;
        let message = Self::name_of(api_version, kind);
        if self.get(&message).is_none() {
            return Err(Status::unsupported_media_type(format!(
                "kube-sim does not read {kind} of {api_version} as application/vnd.kubernetes.protobuf; send application/json"
            )));
        }
        let fields = self.message(&message, raw, DEPTH).map_err(refused)?;
        let mut object = Map::new();
        object.insert("apiVersion".into(), api_version.into());
        object.insert("kind".into(), kind.into());
        object.extend(fields);
        Ok(Value::Object(object))
    }

    fn message(&self, name: &str, bytes: &[u8], depth: usize) -> Read<Map<String, Value>> {
        let depth = depth.checked_sub(1).ok_or(Malformed("it is nested too deep"))?;
        let fields = self.get(name).unwrap_or_default();
        let mut map = Map::new();
        let mut reader = Reader::new(bytes);
        while let Some((number, datum)) = reader.next()? {
            // Fields of a newer version are passed over, as the real server does.
            let Some(field) = fields.iter().find(|field| field.number == number) else { continue };
            self.add(field, &datum, &mut map, depth)?;
        }
        Ok(map)
    }

    fn add(&self, field: &Field, datum: &Datum<'_>, map: &mut Map<String, Value>, depth: usize) -> Read<()> {
        match field.repeat {
            Repeat::Once => {
                let value = self.value(&field.shape, datum, depth)?;
                if field.inline {
                    map.extend(value.as_object().cloned().unwrap_or_default());
                } else if field.keeps_zero && !value.is_null() || !is_zero(&value) {
                    map.insert(field.name.clone(), value);
                }
            }
            Repeat::List => {
                let value = self.value(&field.shape, datum, depth)?;
                let list = map.entry(field.name.clone()).or_insert_with(|| json!([]));
                if let Some(list) = list.as_array_mut() {
                    list.push(value);
                }
            }
            Repeat::Map => {
                let (key, value) = self.entry(&field.shape, datum.bytes()?, depth)?;
                let inner = map.entry(field.name.clone()).or_insert_with(|| json!({}));
                meta::as_map(inner).insert(key, value);
            }
        }
        Ok(())
    }

    fn entry(&self, shape: &Shape, bytes: &[u8], depth: usize) -> Read<(String, Value)> {
        let (mut key, mut value) = (String::new(), None);
        let mut reader = Reader::new(bytes);
        while let Some((number, datum)) = reader.next()? {
            match number {
                1 => datum.text()?.clone_into(&mut key),
                2 => value = Some(self.value(shape, &datum, depth)?),
                _ => {}
            }
        }
        let absent = || match shape {
            Shape::Message(_) => json!({}),
            Shape::Text | Shape::Bytes => json!(""),
            _ => Value::Null,
        };
        Ok((key, value.unwrap_or_else(absent)))
    }

    fn value(&self, shape: &Shape, datum: &Datum<'_>, depth: usize) -> Read<Value> {
        Ok(match shape {
            Shape::Text => datum.text()?.into(),
            Shape::Bytes => {
                use base64::Engine as _;
                base64::engine::general_purpose::STANDARD.encode(datum.bytes()?).into()
            }
            Shape::Integer => datum.integer()?.into(),
            Shape::Bool => (datum.integer()? != 0).into(),
            Shape::Float => datum.float()?.into(),
            Shape::Message(name) => Value::Object(self.message(name, datum.bytes()?, depth)?),
            Shape::Special(special) => self.special(*special, datum.bytes()?, depth)?,
        })
    }
}

fn is_zero(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(value) => !value,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(map) => map.is_empty(),
    }
}

/// `apiVersion`, `kind` and content of the envelope (`runtime.Unknown`).
fn open(bytes: &[u8]) -> Read<(&str, &str, &[u8])> {
    let (mut api_version, mut kind, mut raw) = ("", "", &[][..]);
    let mut reader = Reader::new(bytes);
    while let Some((number, datum)) = reader.next()? {
        match number {
            1 => {
                let mut named = Reader::new(datum.bytes()?);
                while let Some((number, datum)) = named.next()? {
                    match number {
                        1 => api_version = datum.text()?,
                        2 => kind = datum.text()?,
                        _ => {}
                    }
                }
            }
            2 => raw = datum.bytes()?,
            _ => {}
        }
    }
    Ok((api_version, kind, raw))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A field of bytes: number, length, content.
    fn field(number: u8, content: &[u8]) -> Vec<u8> {
        let mut bytes = vec![number << 3 | 2, u8::try_from(content.len()).unwrap()];
        bytes.extend_from_slice(content);
        bytes
    }

    fn body(kind: &str, raw: &[u8]) -> Vec<u8> {
        let named = [field(1, b"v1"), field(2, kind.as_bytes())].concat();
        [MAGIC.to_vec(), field(1, &named), field(2, raw)].concat()
    }

    #[test]
    fn a_body_becomes_the_json_that_the_client_would_have_sent() {
        // What a Go client sends for a Service with a target port by name and all that it leaves empty.
        let metadata = [field(1, b"web"), field(2, b""), field(8, b"")].concat();
        let target = [vec![8, 1, 16, 0], field(3, b"http")].concat();
        let port = [field(1, b""), vec![24, 80], field(4, &target), vec![40, 0]].concat();
        let selector = [field(1, b"app"), field(2, b"web")].concat();
        let spec = [field(1, &port), field(2, &selector)].concat();
        let raw = [field(1, &metadata), field(2, &spec), field(3, &field(1, b""))].concat();
        assert_eq!(
            Messages::read().object(&body("Service", &raw)).unwrap(),
            json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"},
                "spec": {"ports": [{"port": 80, "targetPort": "http"}], "selector": {"app": "web"}}})
        );
    }

    #[test]
    fn what_cannot_be_read_is_refused_without_a_panic() {
        let messages = Messages::read();
        let whole = body("Service", &field(1, &field(1, b"web")));
        for end in 0..whole.len() {
            let _ = messages.object(&whole[..end]);
        }
        assert_eq!(messages.object(b"{}").unwrap_err().code, 400);
        assert_eq!(messages.object(&body("Gadget", b"")).unwrap_err().code, 415);
        assert_eq!(messages.object(&body("Service", &[0x0a, 0xff])).unwrap_err().code, 400);
    }
}
