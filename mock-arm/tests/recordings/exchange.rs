//! One recorded exchange.

use std::path::Path;

use serde_json::{Map, Value};

const HOST: &str = "https://management.azure.com";

/// A request and its reply.
#[derive(Debug)]
pub(crate) struct Exchange {
    /// Which file it stands in.
    pub(crate) file: String,
    /// Its line, from zero.
    pub(crate) line: usize,
    /// The method.
    pub(crate) method: String,
    /// Path and query.
    pub(crate) uri: String,
    /// The body sent, if any.
    pub(crate) request: Option<Value>,
    /// The status.
    pub(crate) status: u16,
    /// Headers by lower-case name.
    pub(crate) headers: Map<String, Value>,
    /// The body; null or a text when it was no JSON object.
    pub(crate) body: Value,
}

/// The recordings in `folder`, in the order of files and lines.
pub(crate) fn load(folder: &Path) -> Vec<Exchange> {
    let mut files: Vec<_> = folder.read_dir().unwrap().flatten().map(|entry| entry.path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "jsonl"));
    files.sort();
    let mut found = Vec::new();
    for file in files {
        let name = file.file_stem().unwrap().to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&file).unwrap();
        let lines = text.lines().filter(|line| !line.is_empty()).enumerate();
        found.extend(lines.map(|(line, text)| read(&name, line, text)));
    }
    found
}

fn read(file: &str, line: usize, text: &str) -> Exchange {
    let text = if file == "errors" { super::transpose::modelled(text) } else { text.to_owned() };
    let mut value: Value = serde_json::from_str(&text).unwrap();
    let text = |value: &Value, key: &str| value[key].as_str().unwrap_or_default().to_owned();
    let request = match value["request_body"].take() {
        Value::Null => None,
        // Some recorders keep a body as text.
        Value::String(body) => serde_json::from_str(&body).ok(),
        body => Some(body),
    };
    let uri = text(&value, "uri");
    // Some recorders blank versions out.
    let uri = uri.strip_prefix(HOST).unwrap_or(&uri).replace("0000-00-00", "2021-04-01");
    Exchange {
        file: file.into(),
        line,
        method: text(&value, "method"),
        uri,
        request,
        status: value["status"].as_u64().and_then(|status| u16::try_from(status).ok()).unwrap(),
        headers: value["headers"].as_object().cloned().unwrap_or_default(),
        body: value["body"].take(),
    }
}

impl Exchange {
    /// The path without the query.
    pub(crate) fn path(&self) -> &str {
        self.uri.split('?').next().unwrap_or_default()
    }

    /// The members of the path.
    pub(crate) fn parts(&self) -> Vec<&str> {
        self.path().split('/').filter(|part| !part.is_empty()).collect()
    }

    /// `api-version=…` of the query.
    pub(crate) fn version(&self) -> String {
        let query = self.uri.split('?').nth(1).unwrap_or_default();
        let found = query.split('&').find(|part| part.to_lowercase().starts_with("api-version="));
        found.unwrap_or_default().to_owned()
    }

    /// The error code of the reply; empty when it is no error.
    pub(crate) fn code(&self) -> &str {
        self.body.pointer("/error/code").and_then(Value::as_str).unwrap_or_default()
    }

    /// What the request is about, without names: the innermost namespace with its types, or the words of the path.
    pub(crate) fn route(&self) -> String {
        let parts = self.parts();
        let last = parts.iter().rposition(|part| part.eq_ignore_ascii_case("providers"));
        let words: Vec<&str> = match last {
            Some(index) => {
                let rest = &parts[index + 1..];
                let types = rest.iter().skip(1).step_by(2);
                rest.first().into_iter().chain(types).copied().collect()
            }
            None => parts.iter().step_by(2).copied().collect(),
        };
        words.join("/").to_lowercase()
    }

    /// The name of the test.
    pub(crate) fn title(&self) -> String {
        format!("{}::{:03} {} {} {}", self.file, self.line, self.method, self.route(), self.status)
    }
}
