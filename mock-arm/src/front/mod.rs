//! The only place that knows HTTP.
//!
//! [`chain`] is the way of a request, top to bottom; [`render`] writes what providers answer; [`listener`] is TLS.

mod address;
mod authn;
mod body;
mod chain;
mod faults;
#[cfg(test)]
mod hostile_tests;
mod ids;
pub mod listener;
mod reading;
mod record;
mod relaxed;
mod relay;
mod render;
#[cfg(test)]
mod tests;
mod throttle;

use std::sync::Arc;

use axum::body::{Body, HttpBody as _};
use axum::response::Response;
use http::header::CONTENT_LENGTH;
use http::{HeaderValue, Method, Request};
use sim_core::seed::Stream;

use crate::providers::Registry;
use crate::world::World;

/// What the chain works with.
#[derive(Debug)]
pub struct Front {
    world: World,
    registry: Registry,
    ids: Stream,
    stamp: ids::Stamp,
    throttle: throttle::Throttle,
    relay: relay::Relay,
}

impl Front {
    /// A front before `world` and the providers of `registry`.
    #[must_use]
    pub fn new(world: World, registry: Registry) -> Self {
        let ids = world.seed.stream("arm/request");
        let throttle = throttle::Throttle::new(world.buckets.clone());
        let relay = relay::Relay::default();
        Self { world, registry, ids, stamp: ids::Stamp::default(), throttle, relay }
    }

    /// Answers one request: every path and method goes through the chain. It never fails, and a panic becomes an answer.
    pub async fn answer(&self, request: Request<Body>) -> Response {
        let head = request.method() == Method::HEAD;
        measured(head, chain::serve(self, request).await)
    }

    fn stamp(&self, wall: jiff::Timestamp) -> Arc<str> {
        self.stamp.of(wall)
    }
}

/// Says how long the body is where nobody else does: when there is none, and for HEAD, whose answer goes without the body that it
/// tells the length of (RFC 9110, 9.3.2).
fn measured(head: bool, mut response: Response) -> Response {
    let length = response.body().size_hint().exact();
    if let Some(length) = length.filter(|length| head || *length == 0) {
        response.headers_mut().entry(CONTENT_LENGTH).or_insert_with(|| HeaderValue::from(length));
    }
    if head {
        *response.body_mut() = Body::empty();
    }
    response
}
