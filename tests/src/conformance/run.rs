//! Sends the requests of a case and takes down what is answered.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, USER_AGENT, WARNING};
use http::{HeaderMap, Request};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use serde_json::{Map, Value, json};

use super::case::{Case, Step, remove, strip};
use super::normal::{self, Names};
use super::server::Target;

/// How long one answer may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// The wait between two attempts of a step that is repeated.
const PAUSE: Duration = Duration::from_millis(50);

/// How often a step is repeated.
const ATTEMPTS: usize = 200;

/// What was answered to one step, without what differs from run to run; `null` for a step that only prepares.
pub type Outcome = Value;

struct Answer {
    code: u16,
    headers: HeaderMap,
    body: Value,
}

/// Runs a case in a namespace of its own, `namespace`, and removes what it made in the cluster.
///
/// # Errors
/// A case that cannot be sent, or a step that prepares others and is refused.
pub async fn run_case(target: &Target, case: &Case, namespace: &str) -> Result<Vec<Outcome>, String> {
    let mut running = Running { target, namespace, saved: BTreeMap::new(), made: Vec::new() };
    running.open(case).await?;
    let mut outcomes = Vec::new();
    let mut failed = None;
    for step in &case.steps {
        match running.step(step).await {
            Ok(outcome) => outcomes.push(outcome),
            Err(why) => {
                failed = Some(why);
                break;
            }
        }
    }
    running.close().await;
    failed.map_or(Ok(outcomes), Err)
}

struct Running<'a> {
    target: &'a Target,
    namespace: &'a str,
    saved: BTreeMap<String, String>,
    /// Paths of what lives outside of the namespace.
    made: Vec<String>,
}

/// Whether the case needs its namespace, going by its paths.
fn needs_namespace(case: &Case) -> bool {
    case.steps.iter().any(|step| step.request.contains("/namespaces/{ns}"))
}

impl Running<'_> {
    fn filled(&self, text: &str) -> String {
        let mut text = text.replace("{ns}", self.namespace);
        for (name, value) in &self.saved {
            text = text.replace(&format!("{{{name}}}"), value);
        }
        text
    }

    async fn open(&mut self, case: &Case) -> Result<(), String> {
        if !needs_namespace(case) {
            return Ok(());
        }
        let body = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.namespace}});
        let create = Step {
            request: "POST /api/v1/namespaces".into(),
            body: Some(body),
            quiet: true,
            ..Step::default()
        };
        self.step(&create).await?;
        // The controllers have looked at it once its service account is there.
        let account = format!("GET /api/v1/namespaces/{}/serviceaccounts/default", self.namespace);
        let wait = Step { request: account, until: Some(200), quiet: true, ..Step::default() };
        self.step(&wait).await.map(drop)
    }

    async fn close(&mut self) {
        self.made.reverse();
        for path in std::mem::take(&mut self.made) {
            // What is left behind disturbs no other case: all names are the case's own.
            let _ = self.send(&Step { request: format!("DELETE {path}"), ..Step::default() }).await;
        }
    }

    async fn step(&mut self, step: &Step) -> Result<Outcome, String> {
        let mut answer = self.send(step).await?;
        if let Some(wanted) = step.until {
            let reached = |answer: &Answer| {
                let value = step.value.as_ref();
                answer.code == wanted
                    && value.is_none_or(|(at, value)| answer.body.pointer(at) == Some(value))
            };
            for _ in 0..ATTEMPTS {
                if reached(&answer) {
                    break;
                }
                self.target.clock().wall_sleep(PAUSE).await;
                answer = self.send(step).await?;
            }
            if !reached(&answer) {
                return Err(format!("{}: still {} {}", step.request, answer.code, answer.body));
            }
        }
        self.remember(step, &answer);
        if step.quiet {
            if answer.code >= 400 {
                return Err(format!("{}: {} {}", step.request, answer.code, answer.body));
            }
            return Ok(Value::Null);
        }
        Ok(self.shown(step, &answer))
    }

    fn remember(&mut self, step: &Step, answer: &Answer) {
        for (name, pointer) in &step.save {
            if let Some(value) = answer.body.pointer(pointer) {
                let value = value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned);
                self.saved.insert(name.clone(), value);
            }
        }
        let path =
            step.request.strip_prefix("POST ").filter(|path| !path.contains("{ns}/") && !path.contains('?'));
        let name = answer.body.pointer("/metadata/name").and_then(Value::as_str);
        let persistent = answer.body.pointer("/metadata/uid").is_some();
        if let (Some(path), Some(name), 201, true) = (path, name, answer.code, persistent) {
            self.made.push(format!("{path}/{name}"));
        }
    }

    async fn send(&self, step: &Step) -> Result<Answer, String> {
        let (method, path) =
            step.request.split_once(' ').ok_or_else(|| format!("'{}' is no request", step.request))?;
        let mut request = Request::builder().method(method).header(USER_AGENT, "conformance/1.0");
        let body = match (&step.text, &step.body) {
            (Some(text), _) => Some(text.clone()),
            (None, Some(body)) => Some(body.to_string()),
            (None, None) => None,
        };
        if let Some(media) = step.media.as_deref().or(body.as_ref().map(|_| "application/json")) {
            request = request.header(CONTENT_TYPE, media);
        }
        if !step.headers.contains_key("accept") {
            request = request.header(ACCEPT, "application/json");
        }
        for (name, value) in &step.headers {
            request = request.header(name, self.filled(value));
        }
        let body = Bytes::from(self.filled(&body.unwrap_or_default()));
        let filled = self.filled(path);
        let sent = self.target.send(step.anonymous, request, &filled, body);
        let read = async {
            let (head, body) = sent.await?.into_parts();
            let bytes = match step.events {
                Some(events) if head.status.is_success() => lines(body, events).await?,
                _ => body.collect().await.map_err(|error| format!("{path}: {error}"))?.to_bytes().to_vec(),
            };
            let media =
                head.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
            let body = parsed(media, step.events, &bytes);
            Ok(Answer { code: head.status.as_u16(), headers: head.headers, body })
        };
        let late = |_| format!("{}: no answer for {} s", step.request, PATIENCE.as_secs());
        self.target.clock().wall_timeout(PATIENCE, read).await.map_err(late)?
    }

    fn shown(&self, step: &Step, answer: &Answer) -> Outcome {
        let names = Names::new(self.namespace, &self.saved);
        let mut body = normal::value(&answer.body, &names);
        for pointer in &step.hide {
            remove(&mut body, pointer);
        }
        strip(&mut body, &step.without);
        if let Some(show) = &step.show
            && answer.code < 400
        {
            let picked =
                show.iter().map(|at| (at.clone(), body.pointer(at).cloned().unwrap_or(json!("<none>"))));
            body = Value::Object(picked.collect::<Map<_, _>>());
        }
        let mut outcome = json!({"code": answer.code});
        let warnings = answer.headers.get_all(WARNING).iter().filter_map(|value| value.to_str().ok());
        let warnings: Vec<Value> = warnings.map(|text| normal::text(text, &names).into()).collect();
        if !warnings.is_empty() {
            outcome["warnings"] = warnings.into();
        }
        let media =
            answer.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        if media != "application/json" {
            outcome["type"] = media.into();
        }
        outcome["body"] = body;
        outcome
    }
}

/// The first `count` lines of a stream.
async fn lines(mut body: Incoming, count: usize) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    while bytes.iter().filter(|byte| **byte == b'\n').count() < count {
        let Some(frame) = body.frame().await else { break };
        let frame = frame.map_err(|error| format!("the stream broke: {error}"))?;
        bytes.extend_from_slice(frame.data_ref().map(AsRef::as_ref).unwrap_or_default());
    }
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let kept: Vec<&str> = text.lines().take(count).collect();
    Ok(kept.join("\n").into_bytes())
}

fn parsed(media: &str, events: Option<usize>, bytes: &[u8]) -> Value {
    let text = String::from_utf8_lossy(bytes);
    if events.is_some() {
        let read = |line: &str| serde_json::from_str(line).unwrap_or_else(|_| Value::from(line));
        return text.lines().map(read).collect();
    }
    match media.split(';').next().unwrap_or_default() {
        "application/yaml" => serde_saphyr::from_str(&text).unwrap_or_else(|_| text.into()),
        _ => serde_json::from_slice(bytes).unwrap_or_else(|_| text.into()),
    }
}
