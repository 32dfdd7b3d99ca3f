//! Watch streams: replay from the feed, then its tail, with bookmarks and an end.
//!
//! A stream holds nothing of the clock: while it waits, the world may go on.

use std::sync::Arc;
use std::time::Duration;
use std::vec::IntoIter;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use futures::stream;
use http::{HeaderValue, StatusCode, header};
use serde_json::{Value, json};
use sim_core::clock::Stopwatch;
use sim_core::ledger::{Change, Compacted, Row, Watch};
use tokio::sync::watch::Receiver;

use super::negotiate::Form;
use super::{Frames, Server, show};
use crate::api::{Api, Selection};
use crate::registry::Kind;
use crate::status::Status;
use crate::tables::IncludeObject;

/// How long a watch lives when the client does not say, in wall time; the real server draws from 30 to 60 minutes.
const LIFETIME: Duration = Duration::from_secs(45 * 60);

/// How often a client that takes bookmarks gets one, in wall time.
const BOOKMARK_EVERY: Duration = Duration::from_secs(60);

/// How much is written at a time, in bytes.
const PIECE: usize = 64 * 1024;

/// How many changes are taken from the feed at a time.
const BATCH: usize = 256;

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
    frames: Arc<Frames>,
    /// What is there already and has not been written yet.
    initial: IntoIter<Arc<Value>>,
    /// Changes that have not been written yet.
    changes: IntoIter<Change>,
    /// What is to be said once all of the above has been.
    after: Option<Bytes>,
    running: Stopwatch,
    bookmarked: Stopwatch,
    stop: Receiver<bool>,
    ended: bool,
}

/// Starts a stream.
pub(crate) fn start(server: &Server, ask: Ask) -> Result<Response, Status> {
    let api = &server.api;
    let wanted = match ask.from.as_deref() {
        None | Some("" | "0") => None,
        Some(text) => {
            let read = text.parse::<u64>();
            Some(read.map_err(|_| Status::new(500, "", super::options::revision_problem(text)))?)
        }
    };
    let (mut initial, mut after) = (Vec::new(), None);
    let synthetic = wanted.is_none() || ask.initial;
    let from = if synthetic {
        let listed = api.rows(&ask.kind, ask.namespace.as_deref(), &ask.selection)?;
        initial = listed.items;
        if ask.initial && ask.bookmarks {
            after = Some(bookmark(api, &ask, listed.revision, true));
        }
        listed.revision
    } else {
        wanted.unwrap_or_default()
    };
    let prefix = crate::api::key_prefix(&ask.kind, ask.namespace.as_deref());
    // A watch from a revision that is gone is answered, by one event that says so.
    let (watch, gone) = match api.ledger().watch(ask.kind.table(), &prefix, from) {
        Ok(watch) => (watch, None),
        Err(compacted) => {
            let latest = api.ledger().revision();
            let watch = api.ledger().watch(ask.kind.table(), &prefix, latest);
            (watch.map_err(|compacted| too_old(&compacted))?, Some(too_old(&compacted)))
        }
    };
    let clock = api.clock();
    let mut streaming = Streaming {
        api: api.clone(),
        watch,
        frames: server.frames.clone(),
        initial: initial.into_iter(),
        changes: Vec::new().into_iter(),
        after,
        running: clock.stopwatch(),
        bookmarked: clock.stopwatch(),
        stop: server.stop.clone(),
        ended: false,
        ask,
    };
    if let Some(gone) = gone {
        streaming.fail(&gone);
    }
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

fn too_old(compacted: &Compacted) -> Status {
    Status::expired(format!("too old resource version: {} ({})", compacted.requested, compacted.oldest))
}

impl Streaming {
    /// The next piece of the stream; `None` at its end.
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            if let Some(chunk) = self.written() {
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
                changes = self.watch.next_up_to(BATCH) => match changes {
                    Ok(changes) => self.changes = changes.into_iter(),
                    Err(compacted) => self.fail(&too_old(&compacted)),
                },
                () = clock.wall_sleep(pause) => {
                    if self.ask.bookmarks && pause < left {
                        self.bookmarked = clock.stopwatch();
                        self.after = Some(bookmark(&self.api, &self.ask, self.watch.seen(), false));
                    }
                }
                _ = self.stop.changed() => return None,
            }
        }
    }

    /// The next piece of what is there to be said: not much at a time, so that a slow reader costs little.
    fn written(&mut self) -> Option<Bytes> {
        let mut pieces: Vec<Bytes> = Vec::new();
        let mut size = 0;
        while size < PIECE {
            let Some(piece) = self.next_event() else { break };
            size += piece.len();
            pieces.push(piece);
        }
        match pieces.as_slice() {
            [] => None,
            [one] => Some(one.clone()),
            several => Some(several.concat().into()),
        }
    }

    fn next_event(&mut self) -> Option<Bytes> {
        if let Some(row) = self.initial.next() {
            return Some(frame(&self.api, &self.ask, "ADDED", &row));
        }
        while let Some(change) = self.changes.next() {
            if let Some(text) = self.event(&change) {
                return Some(text);
            }
        }
        self.after.take()
    }

    fn fail(&mut self, status: &Status) {
        self.after = Some(line(&json!({"type": "ERROR", "object": status.to_value()})));
        self.ended = true;
    }

    /// What a change means to this watcher; none if nothing.
    fn event(&self, change: &Change) -> Option<Bytes> {
        let wanted = |row: &&Row| {
            let selection = &self.ask.selection;
            selection.labels.matches(&row.value) && selection.fields.matches(&row.value)
        };
        let (after, before) = (change.after.as_ref().filter(wanted), change.before.as_ref().filter(wanted));
        let event = match (before, after) {
            (None, Some(_)) => "ADDED",
            (Some(_), Some(_)) => "MODIFIED",
            (Some(_), None) => "DELETED",
            (None, None) => return None,
        };
        let write = || match (before, after) {
            (Some(before), None) => {
                // What left the selection, or went, is shown as of the commit that made it go.
                let mut gone = Value::clone(&before.value);
                gone["metadata"]["resourceVersion"] = json!(change.revision.to_string());
                frame(&self.api, &self.ask, event, &gone)
            }
            (_, Some(after)) => frame(&self.api, &self.ask, event, &after.value),
            (None, None) => Bytes::new(),
        };
        Some(match self.ask.form {
            Form::Plain => self.frames.text(change, &self.ask.kind, event, write),
            _ => write(),
        })
    }
}

fn frame(api: &Api, ask: &Ask, event: &str, stored: &Value) -> Bytes {
    if ask.form != Form::Plain {
        let object = show::one(api, &ask.kind, Api::shown(&ask.kind, stored), ask.form, ask.include);
        return line(&json!({"type": event, "object": object}));
    }
    let mut text = format!("{{\"type\":\"{event}\",\"object\":").into_bytes();
    // A value has text keys only, so it can always be written.
    let _ = Api::with_shown(&ask.kind, stored, |object| serde_json::to_writer(&mut text, object));
    text.extend_from_slice(b"}\n");
    text.into()
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
