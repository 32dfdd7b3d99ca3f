//! The ids that every reply of Resource Manager carries.

use std::sync::{Arc, Mutex, PoisonError};

use http::{HeaderMap, HeaderName, HeaderValue};
use jiff::Timestamp;
use sim_core::seed::Stream;
use uuid::Uuid;

const REQUEST: HeaderName = HeaderName::from_static("x-ms-request-id");
const CORRELATION: HeaderName = HeaderName::from_static("x-ms-correlation-request-id");
const ROUTING: HeaderName = HeaderName::from_static("x-ms-routing-request-id");
const CLIENT: HeaderName = HeaderName::from_static("x-ms-client-request-id");
const RETURN_CLIENT: HeaderName = HeaderName::from_static("x-ms-return-client-request-id");

/// The wall time as ids have it, made once per second.
#[derive(Debug, Default)]
pub(super) struct Stamp(Mutex<(i64, Arc<str>)>);

impl Stamp {
    /// The text for `wall`.
    pub(super) fn of(&self, wall: Timestamp) -> Arc<str> {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if last.0 != wall.as_second() || last.1.is_empty() {
            *last = (wall.as_second(), wall.strftime("%Y%m%dT%H%M%SZ").to_string().into());
        }
        last.1.clone()
    }
}

/// The ids of one request.
#[derive(Debug)]
pub(super) struct Ids {
    request: HeaderValue,
    correlation: HeaderValue,
    client: Option<HeaderValue>,
    id: Uuid,
}

impl Ids {
    /// Draws an id; the correlation id is the caller's, if there is one. The caller's own request id comes back only
    /// when it asks for that.
    pub(super) fn draw(ids: &Stream, headers: &HeaderMap) -> Self {
        let id = ids.uuid();
        let mut text = [0; uuid::fmt::Hyphenated::LENGTH];
        let text = id.hyphenated().encode_lower(&mut text);
        // Hexadecimal digits and hyphens always are a header value.
        let request = HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static(""));
        let wanted =
            headers.get(RETURN_CLIENT).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"true"));
        Self {
            correlation: headers.get(CORRELATION).unwrap_or(&request).clone(),
            client: if wanted { headers.get(CLIENT).cloned() } else { None },
            request,
            id,
        }
    }

    /// The correlation id, for the journal.
    pub(super) fn correlation(&self) -> &str {
        self.correlation.to_str().unwrap_or_default()
    }

    /// Writes the ids into a reply's headers. The region in the routing id says that this is a simulation.
    pub(super) fn write(self, headers: &mut HeaderMap, stamp: &str) {
        let routing = format!("DRYARC:{stamp}:{}", self.id);
        headers.insert(REQUEST, self.request);
        headers.insert(CORRELATION, self.correlation);
        if let Ok(routing) = HeaderValue::try_from(routing) {
            headers.insert(ROUTING, routing);
        }
        if let Some(client) = self.client {
            headers.insert(CLIENT, client);
        }
    }
}
