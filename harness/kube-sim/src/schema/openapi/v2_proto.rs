//! The v2 document as protobuf: the message `openapi.v2.Document` of gnostic, which is what Go clients parse.
//!
//! Only what [`super::v2`] writes is encoded; other keys of the document would be left out.

use serde_json::{Map, Value};

/// Encodes a v2 document.
pub(super) fn encode(document: &Value) -> Vec<u8> {
    let mut out = Message::default();
    out.text(1, &document["swagger"]);
    let mut info = Message::default();
    info.text(1, &document["info"]["title"]);
    info.text(2, &document["info"]["version"]);
    out.message(2, info);
    let mut paths = Message::default();
    for (path, item) in fields(&document["paths"]) {
        paths.message(2, named(path, path_item(item)));
    }
    out.message(8, paths);
    out.message(9, schemas(&document["definitions"]));
    out.0
}

/// A message being written.
#[derive(Default)]
struct Message(Vec<u8>);

impl Message {
    fn varint(&mut self, mut value: u64) {
        loop {
            let low = (value & 0x7f) as u8;
            value >>= 7;
            if value == 0 {
                self.0.push(low);
                return;
            }
            self.0.push(low | 0x80);
        }
    }

    fn bytes(&mut self, field: u32, bytes: &[u8]) {
        self.varint(u64::from(field) << 3 | 2);
        self.varint(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
    }

    fn message(&mut self, field: u32, message: Self) {
        self.bytes(field, &message.0);
    }

    fn text(&mut self, field: u32, value: &Value) {
        if let Some(text) = value.as_str() {
            self.bytes(field, text.as_bytes());
        }
    }

    fn texts(&mut self, field: u32, value: &Value) {
        value.as_array().into_iter().flatten().for_each(|item| self.text(field, item));
    }

    fn flag(&mut self, field: u32, value: &Value) {
        if value == true {
            self.varint(u64::from(field) << 3);
            self.varint(1);
        }
    }

    /// `Any`: the value as YAML, of which JSON is a part.
    fn any(&mut self, field: u32, value: &Value) {
        let mut any = Self::default();
        any.bytes(2, value.to_string().as_bytes());
        self.message(field, any);
    }

    fn extensions(&mut self, field: u32, owner: &Value) {
        for (key, value) in fields(owner).filter(|(key, _)| key.starts_with("x-")) {
            let mut any = Self::default();
            any.bytes(2, value.to_string().as_bytes());
            self.message(field, named(key, any));
        }
    }
}

fn fields(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flat_map(Map::iter)
}

/// A name and what it stands for.
fn named(name: &str, value: Message) -> Message {
    let mut out = Message::default();
    out.bytes(1, name.as_bytes());
    out.message(2, value);
    out
}

/// Schemas by name: `Definitions` and `Properties`.
fn schemas(value: &Value) -> Message {
    let mut out = Message::default();
    for (name, one) in fields(value) {
        out.message(1, named(name, schema(one)));
    }
    out
}

fn schema(value: &Value) -> Message {
    let mut out = Message::default();
    out.text(1, &value["$ref"]);
    out.text(2, &value["format"]);
    out.text(3, &value["title"]);
    out.text(4, &value["description"]);
    if let Some(default) = value.get("default") {
        out.any(5, default);
    }
    out.text(13, &value["pattern"]);
    out.texts(19, &value["required"]);
    value["enum"].as_array().into_iter().flatten().for_each(|one| out.any(20, one));
    match &value["additionalProperties"] {
        Value::Null => {}
        free => {
            let mut item = Message::default();
            match free {
                Value::Bool(_) => item.flag(2, free),
                stated => item.message(1, schema(stated)),
            }
            out.message(21, item);
        }
    }
    if value["type"].is_string() {
        let mut kind = Message::default();
        kind.text(1, &value["type"]);
        out.message(22, kind);
    }
    if value["items"].is_object() {
        let mut items = Message::default();
        items.message(1, schema(&value["items"]));
        out.message(23, items);
    }
    value["allOf"].as_array().into_iter().flatten().for_each(|one| out.message(24, schema(one)));
    if value["properties"].is_object() {
        out.message(25, schemas(&value["properties"]));
    }
    out.extensions(31, value);
    out
}

fn path_item(item: &Value) -> Message {
    let mut out = Message::default();
    for (field, method) in [(2, "get"), (3, "put"), (4, "post"), (5, "delete"), (8, "patch")] {
        if item[method].is_object() {
            out.message(field, operation(&item[method]));
        }
    }
    item["parameters"].as_array().into_iter().flatten().for_each(|one| out.message(9, parameter(one)));
    out
}

fn operation(value: &Value) -> Message {
    let mut out = Message::default();
    out.texts(1, &value["tags"]);
    out.text(3, &value["description"]);
    out.text(5, &value["operationId"]);
    out.texts(6, &value["produces"]);
    out.texts(7, &value["consumes"]);
    value["parameters"].as_array().into_iter().flatten().for_each(|one| out.message(8, parameter(one)));
    let mut responses = Message::default();
    for (code, response) in fields(&value["responses"]) {
        let mut reply = Message::default();
        reply.text(1, &response["description"]);
        if response["schema"].is_object() {
            let mut item = Message::default();
            item.message(1, schema(&response["schema"]));
            reply.message(2, item);
        }
        let mut choice = Message::default();
        choice.message(1, reply);
        responses.message(1, named(code, choice));
    }
    out.message(9, responses);
    out.extensions(13, value);
    out
}

/// A `ParametersItem`: in the body, in the query or in the path.
fn parameter(value: &Value) -> Message {
    let mut inner = Message::default();
    let mut parameter = Message::default();
    if value["in"] == "body" {
        inner.text(2, &value["name"]);
        inner.text(3, &value["in"]);
        inner.flag(4, &value["required"]);
        inner.message(5, schema(&value["schema"]));
        parameter.message(1, inner);
    } else {
        let in_path = value["in"] == "path";
        inner.flag(1, &value["required"]);
        inner.text(2, &value["in"]);
        inner.text(3, &value["description"]);
        inner.text(4, &value["name"]);
        inner.text(if in_path { 5 } else { 6 }, &value["type"]);
        inner.flag(if in_path { 19 } else { 20 }, &value["uniqueItems"]);
        let mut choice = Message::default();
        choice.message(if in_path { 4 } else { 3 }, inner);
        parameter.message(2, choice);
    }
    let mut item = Message::default();
    item.message(1, parameter);
    item
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn messages_are_laid_out_as_protobuf_does() {
        let document = json!({"swagger": "2.0", "info": {"title": "T", "version": "v"}, "paths": {},
            "definitions": {"a": {"type": "string", "x-b": [1]}}});
        let wanted: &[&[u8]] = &[
            b"\x0a\x032.0",
            b"\x12\x06\x0a\x01T\x12\x01v",
            b"\x42\x00",
            b"\x4a\x23\x0a\x21\x0a\x01a\x12\x1c",
            b"\xb2\x01\x08\x0a\x06string",
            b"\xfa\x01\x0c\x0a\x03x-b\x12\x05\x12\x03[1]",
        ];
        let encoded = encode(&document);
        assert_eq!(&encoded[..5], wanted[0]);
        assert_eq!(&encoded[5..13], wanted[1]);
        assert_eq!(&encoded[13..15], wanted[2]);
        let rest = &encoded[15..];
        assert!(rest.starts_with(&wanted[3][..1]));
        assert!(rest.windows(wanted[4].len()).any(|part| part == wanted[4]));
        assert!(rest.windows(wanted[5].len()).any(|part| part == wanted[5]));
    }

    #[test]
    fn long_lengths_take_several_bytes() {
        let mut out = Message::default();
        out.varint(300);
        assert_eq!(out.0, [0xac, 0x02]);
    }
}
