//! The ids that every reply of Resource Manager carries.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue};
use jiff::Timestamp;
use sim_core::seed::Stream;

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
    routing: HeaderValue,
    correlation: HeaderValue,
    client: Option<HeaderValue>,
}

impl Ids {
    /// Draws an id; the correlation id is the caller's, if there is one. The caller's own request id comes back only
    /// when it asks for that. The region in the routing id says that this is a simulation.
    pub(super) fn draw(ids: &Stream, headers: &HeaderMap, stamp: &str) -> Self {
        let mut text = BytesMut::with_capacity(64);
        text.extend_from_slice(b"DRYARC:");
        text.extend_from_slice(stamp.as_bytes());
        text.extend_from_slice(b":");
        let start = text.len();
        let mut id = [0; uuid::fmt::Hyphenated::LENGTH];
        text.extend_from_slice(ids.uuid().hyphenated().encode_lower(&mut id).as_bytes());
        let routing = text.freeze();
        let request = value(routing.slice(start..));
        let wanted =
            headers.get(RETURN_CLIENT).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"true"));
        Self {
            correlation: headers.get(CORRELATION).unwrap_or(&request).clone(),
            client: if wanted { headers.get(CLIENT).cloned() } else { None },
            request,
            routing: value(routing),
        }
    }

    /// The correlation id, for the journal.
    pub(super) fn correlation(&self) -> &str {
        self.correlation.to_str().unwrap_or_default()
    }

    /// Writes the ids into a reply's headers.
    pub(super) fn write(self, headers: &mut HeaderMap) {
        headers.insert(REQUEST, self.request);
        headers.insert(CORRELATION, self.correlation);
        headers.insert(ROUTING, self.routing);
        if let Some(client) = self.client {
            headers.insert(CLIENT, client);
        }
    }
}

/// Letters, digits, colons and hyphens always are a header value.
fn value(text: Bytes) -> HeaderValue {
    HeaderValue::from_maybe_shared(text).unwrap_or(HeaderValue::from_static(""))
}
