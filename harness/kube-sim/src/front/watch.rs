//! Watch streams: replay from the feed, then its tail, with bookmarks and an end.
//!
//! A stream holds nothing of the clock: while it waits, the world may go on.

use std::collections::VecDeque;
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use futures::stream;
use http::{HeaderValue, StatusCode, header};
use serde_json::{Value, json};
use sim_core::clock::Stopwatch;
use sim_core::ledger::{Change, Watch};
use std::sync::Arc;
use tokio::sync::watch::Receiver;

use super::negotiate::Form;
use super::show;
use crate::api::{Api, Selection};
use crate::registry::Kind;
use crate::status::Status;
use crate::tables::IncludeObject;

/// How long a watch lives when the client does not say, in wall time; the real server draws from 30 to 60 minutes.
const LIFETIME: Duration = Duration::from_secs(45 * 60);

/// How often a client that takes bookmarks gets one, in wall time.
const BOOKMARK_EVERY: Duration = Duration::from_secs(60);

/// What a watch was asked for.
#[derive(Debug)]
pub(crate) struct Ask {
    pub(crate) kind: Arc<Kind>,
    pub(crate) namespace: Option<String>,
    pub(crate) selection: Selection,
    pub(crate) form: Form,
    pub(crate) include: IncludeObject,
    /// The `resourceVersion` parameter.
    pub(crate) from: Option<String>,
    pub(crate) lifetime: Option<Duration>,
    pub(crate) bookmarks: bool,
    pub(crate) initial: bool,
}

struct Streaming {
    api: Api,
    ask: Ask,
    watch: Watch,
    ready: VecDeque<Bytes>,
    running: Stopwatch,
    bookmarked: Stopwatch,
    stop: Receiver<bool>,
    ended: bool,
}

/// Starts a stream.
pub(crate) fn start(api: &Api, ask: Ask, stop: Receiver<bool>) -> Result<Response, Status> {
    let wanted = match ask.from.as_deref() {
        None | Some("" | "0") => None,
        Some(text) => {
            let read = text.parse::<u64>();
            Some(read.map_err(|_| Status::new(500, "", super::options::revision_problem(text)))?)
        }
    };
    let mut ready = VecDeque::new();
    let synthetic = wanted.is_none() || ask.initial;
    let from = if synthetic {
        let listed = api.list(&ask.kind, ask.namespace.as_deref(), &ask.selection)?;
        for item in listed.items {
            ready.push_back(frame(api, &ask, "ADDED", item));
        }
        if ask.initial && ask.bookmarks {
            ready.push_back(bookmark(api, &ask, listed.revision, true));
        }
        listed.revision
    } else {
        wanted.unwrap_or_default()
    };
    let prefix = crate::api::key_prefix(&ask.kind, ask.namespace.as_deref());
    let opened = api.ledger().watch(ask.kind.table(), &prefix, from);
    let watch = match opened {
        Ok(watch) => watch,
        Err(compacted) => {
            return Err(Status::expired(format!(
                "too old resource version: {} ({})",
                compacted.requested, compacted.oldest
            )));
        }
    };
    let clock = api.clock();
    let streaming = Streaming {
        api: api.clone(),
        watch,
        ready,
        running: clock.stopwatch(),
        bookmarked: clock.stopwatch(),
        stop,
        ended: false,
        ask,
    };
    let body = Body::from_stream(stream::unfold(streaming, |mut streaming| async move {
        let chunk = streaming.next().await?;
        Some((Ok::<_, std::convert::Infallible>(chunk), streaming))
    }));
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::OK;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache, private"));
    Ok(response)
}

impl Streaming {
    /// The next piece of the stream; `None` at its end.
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            if let Some(chunk) = self.drain() {
                return Some(chunk);
            }
            if self.ended || *self.stop.borrow() {
                return None;
            }
            let left = self.ask.lifetime.unwrap_or(LIFETIME).checked_sub(self.running.elapsed())?;
            let pause = if self.ask.bookmarks {
                left.min(BOOKMARK_EVERY.saturating_sub(self.bookmarked.elapsed()))
            } else {
                left
            };
            let clock = self.api.clock().clone();
            tokio::select! {
                changes = self.watch.next() => match changes {
                    Ok(changes) => self.take(&changes),
                    Err(compacted) => self.fail(&Status::expired(format!(
                        "too old resource version: {} ({})", compacted.requested, compacted.oldest))),
                },
                () = clock.wall_sleep(pause) => {
                    if self.ask.bookmarks && pause < left {
                        self.bookmarked = clock.stopwatch();
                        let chunk = bookmark(&self.api, &self.ask, self.watch.seen(), false);
                        self.ready.push_back(chunk);
                    }
                }
                _ = self.stop.changed() => return None,
            }
        }
    }

    /// Everything that is ready, as one piece.
    fn drain(&mut self) -> Option<Bytes> {
        let first = self.ready.pop_front()?;
        if self.ready.is_empty() {
            return Some(first);
        }
        let mut all = first.to_vec();
        for chunk in self.ready.drain(..) {
            all.extend_from_slice(&chunk);
        }
        Some(all.into())
    }

    fn fail(&mut self, status: &Status) {
        self.ready.push_back(line(&json!({"type": "ERROR", "object": status.to_value()})));
        self.ended = true;
    }

    fn take(&mut self, changes: &[Change]) {
        for change in changes {
            let (after, before) = self.api.shown(&self.ask.kind, change);
            let wanted = |object: &Value| {
                self.ask.selection.labels.matches(object) && self.ask.selection.fields.matches(object)
            };
            let after = after.filter(|object| wanted(object));
            let before = before.filter(|object| wanted(object));
            let (event, object) = match (before, after) {
                (None, Some(after)) => ("ADDED", after),
                (Some(_), Some(after)) => ("MODIFIED", after),
                (Some(mut before), None) => {
                    // What left the selection, or went, is shown as of the commit that made it go.
                    before["metadata"]["resourceVersion"] = json!(change.revision.to_string());
                    ("DELETED", before)
                }
                (None, None) => continue,
            };
            self.ready.push_back(frame(&self.api, &self.ask, event, object));
        }
    }
}

fn frame(api: &Api, ask: &Ask, event: &str, object: Value) -> Bytes {
    let object = show::one(api, &ask.kind, object, ask.form, ask.include);
    line(&json!({"type": event, "object": object}))
}

fn bookmark(api: &Api, ask: &Ask, revision: u64, initial: bool) -> Bytes {
    let mut metadata = json!({"resourceVersion": revision.to_string()});
    if initial {
        metadata["annotations"] = json!({"k8s.io/initial-events-end": "true"});
    }
    let object = match ask.form {
        Form::Plain => {
            json!({"kind": ask.kind.kind, "apiVersion": ask.kind.api_version(), "metadata": metadata})
        }
        Form::Metadata => {
            json!({"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": metadata})
        }
        Form::Table => show::table(api, &ask.kind, &[], metadata, ask.include),
    };
    line(&json!({"type": "BOOKMARK", "object": object}))
}

fn line(event: &Value) -> Bytes {
    let mut bytes = super::render::to_bytes(event);
    bytes.push(b'\n');
    bytes.into()
}
