//! What differs between a recorded reply and a simulated one.

use serde_json::{Map, Value};

use super::exchange::Exchange;
use super::stage::{Answer, SUBSCRIPTION, Stage};

/// Members whose text is compared, not only their form.
const EXACT: &[&str] = &[
    "id",
    "name",
    "type",
    "location",
    "resourceId",
    "kind",
    "code",
    "message",
    "target",
    "provisioningState",
    "connectivityStatus",
    "status",
    "privateLinkState",
    "azureHybridBenefit",
    "agentAutoUpgrade",
    "publicNetworkAccess",
    "registrationState",
    "registrationPolicy",
    "hostType",
    "hostResourceId",
    "namespace",
    "extensionType",
    "releaseTrain",
];

/// Headers of transport and edge, which say nothing about Resource Manager, and those that the recorder strips.
const IGNORED: &[&str] = &[
    "connection",
    "content-length",
    "date",
    "mise-correlation-id",
    "retry-after",
    "retry-after-ms",
    "server",
    "transfer-encoding",
    "vary",
    "x-ms-correlation-request-id",
    "x-ms-client-request-id",
    "x-ms-request-id",
    "x-ms-routing-request-id",
    "x-msedge-ref",
];

/// Members whose content belongs to the caller or to the day of the recording.
const FREE: &[&str] = &["tags", "configurationSettings", "configurationProtectedSettings"];

/// All differences, each as one line.
pub(crate) fn differences(stage: &Stage, exchange: &Exchange, answer: &Answer) -> Vec<String> {
    let mut found = Vec::new();
    if exchange.status != answer.status {
        let code = answer.body.pointer("/error/message").and_then(Value::as_str).unwrap_or_default();
        found.push(format!("status: {} here {} {code}", exchange.status, answer.status));
        return found;
    }
    let ours = stage.subscription();
    headers(exchange, &answer.headers, &ours, &mut found);
    let wanted =
        if exchange.body == Value::Null && answer.body == "" { &answer.body } else { &exchange.body };
    body("", "", wanted, &answer.body, &ours, &mut found);
    found
}

fn headers(exchange: &Exchange, answer: &Map<String, Value>, ours: &str, found: &mut Vec<String>) {
    let counted = |name: &&String| !IGNORED.contains(&name.as_str());
    for name in exchange.headers.keys().filter(counted).filter(|name| !answer.contains_key(*name)) {
        found.push(format!("header {name}: not here"));
    }
    for (name, value) in answer.iter().filter(|(name, _)| counted(name)) {
        let Some(recorded) = exchange.headers.get(name) else {
            found.push(format!("header {name}: only here"));
            continue;
        };
        let (recorded, value) = (
            form(recorded.as_str().unwrap_or_default(), ours),
            form(value.as_str().unwrap_or_default(), ours),
        );
        if recorded != value {
            found.push(format!("header {name}: {recorded} here {value}"));
        }
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "text",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn body(place: &str, name: &str, recorded: &Value, here: &Value, ours: &str, found: &mut Vec<String>) {
    match (recorded, here) {
        (Value::Object(recorded), Value::Object(here)) if !FREE.contains(&name) => {
            for key in recorded.keys().filter(|key| !here.contains_key(*key)) {
                found.push(format!("body {place}/{key}: not here"));
            }
            for (key, value) in here {
                match recorded.get(key) {
                    Some(recorded) => body(&format!("{place}/{key}"), key, recorded, value, ours, found),
                    None => found.push(format!("body {place}/{key}: only here")),
                }
            }
        }
        (Value::Array(recorded), Value::Array(here)) => {
            if recorded.is_empty() != here.is_empty() {
                found.push(format!("body {place}: {} items here {}", recorded.len(), here.len()));
            }
            // Items of lists and types are alike; the first stands for all, and its fellow is the one of the same id.
            let id = |item: &Value| item["id"].as_str().map(|id| form(id, ours).to_lowercase());
            let fellow = |first: &Value| here.iter().find(|item| id(item).is_some() && id(item) == id(first));
            let pair = recorded.first().and_then(|first| Some((first, fellow(first).or(here.first())?)));
            if let Some((recorded, here)) = pair {
                body(&format!("{place}/0"), name, recorded, here, ours, found);
            }
        }
        (Value::String(recorded), Value::String(here)) => {
            let (recorded, here) = (form(recorded, ours), form(here, ours));
            let same =
                if EXACT.contains(&name) { recorded == here } else { class(&recorded) == class(&here) };
            if !same {
                found.push(format!("body {place}: {recorded} here {here}"));
            }
        }
        _ if kind(recorded) != kind(here) => {
            found.push(format!("body {place}: {} here {}", kind(recorded), kind(here)));
        }
        _ => {}
    }
}

/// A text with what is drawn replaced by what kind it is: subscription, identifiers, signatures, counters.
fn form(text: &str, ours: &str) -> String {
    let text = text.replace(SUBSCRIPTION, "{sub}").replace(ours, "{sub}");
    // Links of today carry a time and a signature.
    let mut text = text.split("&t=").next().unwrap_or_default().to_owned();
    if let Some((start, rest)) = text.split_once("operationresults/") {
        let (id, query) = rest.split_once('?').unwrap_or((rest, ""));
        text = format!("{start}operationresults/{}?{query}", job(id));
    }
    let mut out = String::with_capacity(text.len());
    let mut word = String::new();
    for c in text.chars().chain(std::iter::once('\0')) {
        if c.is_ascii_alphanumeric() || c == '-' {
            word.push(c);
            continue;
        }
        out.push_str(token(&word).unwrap_or(&word));
        word.clear();
        if c != '\0' {
            out.push(c);
        }
    }
    out
}

/// The text behind the id of a group's deletion; long names end in a hash.
fn job(id: &str) -> String {
    use base64::Engine as _;
    let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(id).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes).into_owned();
    match text.split_once('|') {
        Some((start, rest)) if rest.len() > 16 => format!("{start}|{{hash}}{}", &rest[16..]),
        _ => text,
    }
}

fn token(word: &str) -> Option<&'static str> {
    let hex = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let lengths: Vec<usize> = word.split('-').map(str::len).collect();
    let all_hex = word.split('-').all(hex);
    if !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit()) && word.len() > 2 {
        return Some("{number}");
    }
    match lengths.as_slice() {
        [8, 4, 4, 4, 12] if all_hex => Some("{guid}"),
        [64] if all_hex => Some("{hex64}"),
        [.., 12] if all_hex && word.contains("-0000-") => Some("{etag}"),
        _ => None,
    }
}

/// What kind of text it is, for texts whose content is not compared.
fn class(text: &str) -> &'static str {
    let bytes = text.as_bytes();
    let moment = bytes.len() > 19 && bytes[4] == b'-' && bytes[10] == b'T' && bytes[13] == b':';
    match text {
        "{guid}" => "guid",
        _ if moment && text.ends_with('Z') => "moment",
        _ if moment => "moment with offset",
        _ => "text",
    }
}
