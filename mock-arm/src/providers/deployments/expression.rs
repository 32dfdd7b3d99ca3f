//! Template expressions: texts in brackets (template function reference of Azure Resource Manager).
//!
//! Modelled: `parameters`, `variables`, `concat`, `format`, `toLower`, `toUpper`, `string`, `uniqueString`, `resourceGroup`,
//! `subscription`, `resourceId`, `extensionResourceId`, `if`, `equals`, `not`, `true`, `false`, `null`, and members of what they
//! return. Everything else is refused by its name.

use serde_json::{Map, Value, json};

/// What expressions can speak of.
#[derive(Debug, Default)]
pub(super) struct Scope {
    pub(super) parameters: Map<String, Value>,
    pub(super) variables: Map<String, Value>,
    pub(super) subscription: String,
    pub(super) tenant: String,
    pub(super) group: Value,
}

/// How deep expressions and values may be nested.
const DEEPEST: usize = 32;

/// The value with every expression in it replaced by what it stands for.
pub(super) fn evaluate(value: &Value, scope: &Scope) -> Result<Value, String> {
    walk(value, scope, 0)
}

fn walk(value: &Value, scope: &Scope, depth: usize) -> Result<Value, String> {
    if depth > DEEPEST {
        return Err("the template is nested too deeply".into());
    }
    Ok(match value {
        Value::String(text) => match text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            // Two brackets stand for one.
            Some(_) if text.starts_with("[[") => text.get(1..).unwrap_or_default().into(),
            Some(inner) => Parser { rest: inner, scope, depth }.whole()?,
            None => value.clone(),
        },
        Value::Array(items) => {
            items.iter().map(|item| walk(item, scope, depth + 1)).collect::<Result<Vec<_>, _>>()?.into()
        }
        Value::Object(members) => {
            let walked =
                members.iter().map(|(name, member)| Ok((name.clone(), walk(member, scope, depth + 1)?)));
            Value::Object(walked.collect::<Result<Map<_, _>, String>>()?)
        }
        other => other.clone(),
    })
}

struct Parser<'a> {
    rest: &'a str,
    scope: &'a Scope,
    depth: usize,
}

impl<'a> Parser<'a> {
    fn whole(mut self) -> Result<Value, String> {
        let value = self.value()?;
        self.rest = self.rest.trim_start();
        if self.rest.is_empty() { Ok(value) } else { Err(format!("'{}' was not expected", self.rest)) }
    }

    fn take(&mut self, start: char) -> bool {
        self.rest = self.rest.trim_start();
        match self.rest.strip_prefix(start) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn word(&mut self) -> &'a str {
        self.rest = self.rest.trim_start();
        let end = self.rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        word
    }

    fn value(&mut self) -> Result<Value, String> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err("the expression is nested too deeply".into());
        }
        let mut value = if self.take('\'') { self.text()? } else { self.term()? };
        loop {
            if self.take('.') {
                let name = self.word();
                value = value.get(name).cloned().ok_or_else(|| format!("there is no member '{name}'"))?;
            } else if self.take('[') {
                let index = self.value()?;
                if !self.take(']') {
                    return Err("']' is missing".into());
                }
                let found = match &index {
                    Value::String(name) => value.get(name),
                    other => other.as_u64().and_then(|at| value.get(usize::try_from(at).ok()?)),
                };
                value = found.cloned().ok_or_else(|| format!("there is no member {index}"))?;
            } else {
                self.depth -= 1;
                return Ok(value);
            }
        }
    }

    /// The rest of a text in single quotes, in which two stand for one.
    fn text(&mut self) -> Result<Value, String> {
        let mut text = String::new();
        loop {
            let (part, rest) = self.rest.split_once('\'').ok_or("a text has no end")?;
            text.push_str(part);
            self.rest = rest;
            match self.rest.strip_prefix('\'') {
                Some(rest) => {
                    text.push('\'');
                    self.rest = rest;
                }
                None => return Ok(text.into()),
            }
        }
    }

    fn term(&mut self) -> Result<Value, String> {
        let word = self.word();
        if let Ok(number) = word.parse::<i64>() {
            return Ok(number.into());
        }
        if !self.take('(') {
            return Err(format!("'{word}' is no expression"));
        }
        let mut arguments = Vec::new();
        while !self.take(')') {
            if !arguments.is_empty() && !self.take(',') {
                return Err(format!("',' or ')' is missing after an argument of '{word}'"));
            }
            arguments.push(self.value()?);
        }
        self.call(word, &arguments)
    }

    fn call(&self, name: &str, arguments: &[Value]) -> Result<Value, String> {
        let scope = self.scope;
        let text = |at: usize| arguments.get(at).and_then(Value::as_str).unwrap_or_default();
        let named = |place: &Map<String, Value>, kind: &str| {
            let found = place.iter().find(|(known, _)| known.eq_ignore_ascii_case(text(0)));
            found.map(|(_, value)| value.clone()).ok_or_else(|| format!("there is no {kind} '{}'", text(0)))
        };
        Ok(match name.to_ascii_lowercase().as_str() {
            "parameters" => named(&scope.parameters, "parameter")?,
            "variables" => named(&scope.variables, "variable")?,
            "concat" => arguments.iter().map(plain).collect::<String>().into(),
            "string" => arguments.first().map(plain).unwrap_or_default().into(),
            "format" => format_text(text(0), arguments.get(1..).unwrap_or_default()).into(),
            "tolower" => text(0).to_lowercase().into(),
            "toupper" => text(0).to_uppercase().into(),
            "uniquestring" => unique(&arguments.iter().map(plain).collect::<Vec<_>>().join("/")).into(),
            "resourcegroup" => scope.group.clone(),
            "subscription" => json!({
                "id": format!("/subscriptions/{}", scope.subscription),
                "subscriptionId": scope.subscription,
                "tenantId": scope.tenant,
            }),
            "resourceid" => resource_id(scope.group["id"].as_str().unwrap_or_default(), arguments)?.into(),
            "extensionresourceid" => resource_id(text(0), arguments.get(1..).unwrap_or_default())?.into(),
            "if" => arguments
                .get(if text_is_true(arguments.first()) { 1 } else { 2 })
                .cloned()
                .unwrap_or_default(),
            "equals" => (arguments.first() == arguments.get(1)).into(),
            "not" => (!text_is_true(arguments.first())).into(),
            "true" => true.into(),
            "false" => false.into(),
            "null" => Value::Null,
            _ => return Err(format!("the template function '{name}' is not modelled by dryarc")),
        })
    }
}

fn text_is_true(value: Option<&Value>) -> bool {
    value == Some(&Value::Bool(true))
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn format_text(pattern: &str, arguments: &[Value]) -> String {
    let filled =
        |text: String, (at, value): (usize, &Value)| text.replace(&format!("{{{at}}}"), &plain(value));
    arguments.iter().enumerate().fold(pattern.to_owned(), filled)
}

/// Thirteen letters that depend on the text only; other ones than the real function's.
fn unique(text: &str) -> String {
    let mut hash = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let mut letters = String::new();
    for _ in 0..13 {
        let letter = b'a' + u8::try_from(hash % 26).unwrap_or_default();
        letters.push(char::from(letter));
        hash = (hash / 26) ^ hash.rotate_left(17);
    }
    letters
}

/// `base/providers/Namespace/type/name/…` of a type and as many names as it has parts.
fn resource_id(base: &str, arguments: &[Value]) -> Result<String, String> {
    let at = arguments.iter().position(|one| one.as_str().is_some_and(|text| text.contains('/')));
    let (at, kind) = at
        .and_then(|at| Some((at, arguments.get(at)?.as_str()?)))
        .ok_or("the resource id has no type with a namespace")?;
    if at > 0 {
        return Err("resource ids of other groups and subscriptions are not modelled by dryarc".into());
    }
    let (namespace, types) = kind.split_once('/').unwrap_or((kind, ""));
    let mut id = format!("{base}/providers/{namespace}");
    let mut names = arguments.iter().skip(1);
    for part in types.split('/') {
        let name = names.next().and_then(Value::as_str).ok_or("the resource id has too few names")?;
        id = format!("{id}/{part}/{name}");
    }
    Ok(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope() -> Scope {
        Scope {
            parameters: json!({"name": "c", "many": ["x", "y"]}).as_object().cloned().unwrap_or_default(),
            variables: json!({"v": {"inner": 3}}).as_object().cloned().unwrap_or_default(),
            subscription: "s".into(),
            tenant: "t".into(),
            group: json!({"id": "/subscriptions/s/resourceGroups/g", "name": "g", "location": "eastus"}),
        }
    }

    #[test]
    fn expressions_stand_for_values() {
        for (text, wanted) in [
            ("plain", json!("plain")),
            ("[[not an expression]", json!("[not an expression]")),
            ("[parameters('NAME')]", json!("c")),
            ("[variables('v').inner]", json!(3)),
            ("[parameters('many')[1]]", json!("y")),
            ("[concat('it''s ', toUpper(parameters('name')), 1)]", json!("it's C1")),
            ("[format('{0}-{1}', 'a', resourceGroup().location)]", json!("a-eastus")),
            ("[subscription().tenantId]", json!("t")),
            ("[if(equals(parameters('name'), 'c'), 'yes', 'no')]", json!("yes")),
            (
                "[resourceId('Microsoft.Kubernetes/connectedClusters', parameters('name'))]",
                json!("/subscriptions/s/resourceGroups/g/providers/Microsoft.Kubernetes/connectedClusters/c"),
            ),
            ("[extensionResourceId('/base', 'N/t', 'x')]", json!("/base/providers/N/t/x")),
        ] {
            assert_eq!(evaluate(&json!(text), &scope()), Ok(wanted), "{text}");
        }
        let inner = evaluate(&json!({"a": ["[parameters('name')]"]}), &scope());
        assert_eq!(inner, Ok(json!({"a": ["c"]})));
        let drawn = |text: &str| evaluate(&json!(format!("[uniqueString('{text}')]")), &scope()).unwrap();
        assert_eq!(drawn("a"), drawn("a"));
        assert_ne!(drawn("a"), drawn("b"));
    }

    #[test]
    fn what_is_broken_or_not_modelled_is_named() {
        let deep = format!("[{}1{}]", "concat(".repeat(100), ")".repeat(100));
        for (text, why) in [
            ("[reference('x')]", "'reference'"),
            ("[parameters('none')]", "'none'"),
            ("[concat('a'", "'[concat"),
            ("[concat('a]", "no end"),
            ("[concat('a') b]", "'b'"),
            ("[nope]", "'nope'"),
            ("[variables('v').other]", "'other'"),
            ("[resourceId('N/t')]", "too few"),
            (deep.as_str(), "too deeply"),
        ] {
            match evaluate(&json!(text), &scope()) {
                Err(error) => assert!(error.contains(why), "{text}: {error}"),
                Ok(value) => assert_eq!(value, json!(text), "{text}"),
            }
        }
    }
}
