//! The journal: as an array, or as lines that keep coming.

use std::collections::VecDeque;

use axum::Json;
use axum::body::Body;
use axum::extract::{Query, State};
use axum::http::{Uri, header};
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use futures::stream;
use serde::Deserialize;
use sim_core::journal::{Event, Filter, Journal};

use super::problem::Problem;
use crate::world::World;

/// The header that says how many old events were dropped to stay within bounds.
const DROPPED_HEADER: &str = "dryarc-journal-dropped";

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Wanted {
    after: u64,
    actor: Option<String>,
    kind: Option<String>,
    text: Option<String>,
    follow: bool,
}

pub(super) async fn read(State(world): State<World>, uri: Uri) -> Result<Response, Problem> {
    let Query(wanted) = Query::<Wanted>::try_from_uri(&uri).map_err(|error| {
        Problem::invalid(
            format!("the query '{}' cannot be used: {error}", uri.query().unwrap_or_default()),
            "use after=NUMBER, actor=, kind=, text= and follow=true",
        )
    })?;
    let Wanted { after, actor, kind, text, follow } = wanted;
    let filter = Filter { after, actor, kind, text };
    let mut response = if follow {
        follow_journal(world.journal.clone(), filter, |event| serde_json::to_vec(&event).ok())
    } else {
        Json(world.journal.read(&filter)).into_response()
    };
    response.headers_mut().insert(DROPPED_HEADER, world.journal.dropped().into());
    Ok(response)
}

/// How a follower writes an event; `None` leaves it out.
pub(super) type Form = fn(Event) -> Option<Vec<u8>>;

/// The events that the filter accepts, each as a line in the given form: from those that are held on, without end.
pub(super) fn follow_journal(journal: Journal, filter: Filter, form: Form) -> Response {
    let body = Body::from_stream(lines(journal, filter, form));
    ([(header::CONTENT_TYPE, "application/x-ndjson")], body).into_response()
}

/// Where a follower stands.
struct Follower {
    journal: Journal,
    filter: Filter,
    form: Form,
    /// The last position looked at, whether it was wanted or not.
    seen: u64,
    ready: VecDeque<Bytes>,
}

fn lines(
    journal: Journal,
    filter: Filter,
    form: Form,
) -> impl stream::Stream<Item = Result<Bytes, std::convert::Infallible>> {
    let seen = filter.after;
    let start = Follower { journal, filter, form, seen, ready: VecDeque::new() };
    stream::unfold(start, async |mut follower| {
        loop {
            if let Some(line) = follower.ready.pop_front() {
                return Some((Ok(line), follower));
            }
            follower.look().await;
        }
    })
}

impl Follower {
    async fn look(&mut self) {
        self.journal.changed(self.seen).await;
        let all = Filter { after: self.seen, ..Filter::default() };
        for event in self.journal.read(&all) {
            self.seen = self.seen.max(event.seq);
            if self.filter.accepts(&event)
                && let Some(mut line) = (self.form)(event)
            {
                line.push(b'\n');
                self.ready.push_back(line.into());
            }
        }
    }
}
