//! Cases as they stand in their files.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value};

/// One file of cases.
#[derive(Debug, Clone)]
pub struct CaseFile {
    /// File name without its ending: the area that the cases are about.
    pub area: String,
    /// The cases, in order.
    pub cases: Vec<Case>,
    /// Hash of the file's text, hexadecimal.
    pub hash: String,
}

/// One case: some requests, one after the other, in a namespace of their own.
#[derive(Debug, Clone)]
pub struct Case {
    /// What it is about, in words; unique in its file.
    pub name: String,
    /// What is sent.
    pub steps: Vec<Step>,
}

/// One request, and what of its answer counts.
///
/// Texts may name `{ns}`, the case's own namespace, and whatever an earlier step saved.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Step {
    /// Method and path: `GET /api/v1/namespaces`.
    #[serde(rename = "do")]
    pub request: String,
    /// The name of a body of this file to start from.
    #[serde(rename = "use")]
    pub base: Option<String>,
    /// The body.
    pub body: Option<Value>,
    /// Values to put into the body, by JSON pointer.
    pub set: Map<String, Value>,
    /// JSON pointers to take out of the body.
    pub drop: Vec<String>,
    /// The body as text, as it is.
    pub text: Option<String>,
    /// Its content type; `application/json` unless stated.
    #[serde(rename = "type")]
    pub media: Option<String>,
    /// Further headers.
    pub headers: BTreeMap<String, String>,
    /// Without a client certificate.
    pub anonymous: bool,
    /// Values of the answer that later steps name, by JSON pointer.
    pub save: BTreeMap<String, String>,
    /// Of the body only what stands at these JSON pointers counts.
    pub show: Option<Vec<String>>,
    /// What does not count, by JSON pointer.
    pub hide: Vec<String>,
    /// Fields of these names do not count, wherever they are.
    pub without: Vec<String>,
    /// The request is repeated until it is answered with this code.
    pub until: Option<u16>,
    /// With `until`: and until the body has this value at this pointer.
    pub value: Option<(String, Value)>,
    /// So many events of a watch are read.
    pub events: Option<usize>,
    /// Nothing of the answer counts: the step prepares others.
    pub quiet: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    #[serde(default)]
    bodies: BTreeMap<String, Value>,
    cases: Vec<Map<String, Value>>,
}

impl CaseFile {
    /// Reads the text of a file.
    ///
    /// # Errors
    /// What is wrong with it, for people.
    pub fn parse(area: &str, text: &str) -> Result<Self, String> {
        let at = |why: String| format!("{area}: {why}");
        let raw: Raw = serde_saphyr::from_str(text).map_err(|error| at(error.to_string()))?;
        let mut cases = Vec::new();
        for fields in raw.cases {
            cases.push(case(fields, &raw.bodies).map_err(at)?);
        }
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text.as_bytes());
        let hash = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Self { area: area.to_owned(), cases, hash })
    }
}

fn case(mut fields: Map<String, Value>, bodies: &BTreeMap<String, Value>) -> Result<Case, String> {
    let name = match fields.remove("case") {
        Some(Value::String(name)) => name,
        _ => return Err("a case has no name".into()),
    };
    let steps = match fields.remove("steps") {
        Some(Value::Array(steps)) => steps,
        Some(_) => return Err(format!("{name}: steps must be a list")),
        None => vec![Value::Object(fields)],
    };
    let read = |step: Value| -> Result<Step, String> {
        let mut step: Step = serde_json::from_value(step).map_err(|error| format!("{name}: {error}"))?;
        step.complete(bodies).map_err(|why| format!("{name}: {why}"))?;
        Ok(step)
    };
    let steps = steps.into_iter().map(read).collect::<Result<_, _>>()?;
    Ok(Case { name, steps })
}

impl Step {
    /// Puts the body together.
    fn complete(&mut self, bodies: &BTreeMap<String, Value>) -> Result<(), String> {
        if let Some(base) = &self.base {
            let body = bodies.get(base).ok_or_else(|| format!("there is no body '{base}'"))?;
            self.body = Some(body.clone());
        }
        for (pointer, value) in &self.set {
            let body = self.body.as_mut().ok_or("set without a body")?;
            set(body, pointer, value.clone()).ok_or_else(|| format!("nothing to set at {pointer}"))?;
        }
        for pointer in &self.drop {
            let body = self.body.as_mut().ok_or("drop without a body")?;
            remove(body, pointer);
        }
        Ok(())
    }
}

/// Puts `value` at a JSON pointer, making objects on the way.
fn set(target: &mut Value, pointer: &str, value: Value) -> Option<()> {
    let mut place = target;
    for step in pointer.split('/').skip(1) {
        let step = step.replace("~1", "/").replace("~0", "~");
        if !place.is_object() && !place.is_array() {
            *place = Value::Object(Map::new());
        }
        place = match place {
            Value::Array(items) => {
                let index = if step == "-" { items.len() } else { step.parse().ok()? };
                if index == items.len() {
                    items.push(Value::Null);
                }
                items.get_mut(index)?
            }
            other => other.as_object_mut()?.entry(step).or_insert(Value::Null),
        };
    }
    *place = value;
    Some(())
}

/// Takes out what stands at a JSON pointer, if anything does.
pub(super) fn remove(target: &mut Value, pointer: &str) {
    let Some((owner, last)) = pointer.rsplit_once('/') else { return };
    let last = last.replace("~1", "/").replace("~0", "~");
    match target.pointer_mut(owner) {
        Some(Value::Object(map)) => drop(map.shift_remove(&last)),
        Some(Value::Array(items)) => {
            if let Some(index) = last.parse::<usize>().ok().filter(|index| *index < items.len()) {
                items.remove(index);
            }
        }
        _ => {}
    }
}

/// Takes out the fields of these names, wherever they are.
pub(super) fn strip(target: &mut Value, names: &[String]) {
    match target {
        Value::Object(map) => {
            map.retain(|name, _| !names.contains(name));
            map.values_mut().for_each(|inner| strip(inner, names));
        }
        Value::Array(items) => items.iter_mut().for_each(|item| strip(item, names)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_case_builds_its_body_from_a_named_one() {
        let text = "bodies:\n  map: {data: {a: b}, metadata: {name: x}}\ncases:\n- case: one\n  do: POST /x\n  use: map\n  \
                    set: {/data/c: d, /metadata/labels/e~1f: g}\n  drop: [/data/a]\n";
        let file = CaseFile::parse("area", text).unwrap();
        let expected = json!({"data": {"c": "d"}, "metadata": {"name": "x", "labels": {"e/f": "g"}}});
        assert_eq!(file.cases[0].steps[0].body, Some(expected));
        assert!(CaseFile::parse("area", "cases:\n- case: a\n  do: GET /\n  use: nothing\n").is_err());
        assert!(CaseFile::parse("area", "cases:\n- case: a\n  undo: GET /\n").is_err());
    }
}
