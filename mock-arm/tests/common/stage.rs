//! A simulated cloud to replay against, without sockets.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use http::Request;
use http_body_util::BodyExt as _;
use mock_arm::World;
use mock_arm::front::Front;
use mock_arm::profile::{Authentication, Profile};
use mock_arm::providers::Registry;
use mock_arm::world::Parts;
use serde_json::{Map, Value};
use sim_core::clock::{Clock, Mode};
use sim_core::faults::FaultSet;
use sim_core::journal::Journal;
use sim_core::keys::KeySource;
use sim_core::pki::Authority;
use sim_core::seed::Seed;

/// The subscription that stands in paths and bodies; the cloud's own takes its place.
pub(crate) const SUBSCRIPTION: &str = "00000000-0000-0000-0000-000000000000";

/// A public key of 4096 bits, base64 of its PKCS#1 DER: it protects nothing.
const KEY: &str = include_str!("key.txt");

/// A key that clusters can be made with.
pub(crate) fn key() -> &'static str {
    KEY.trim()
}

/// What the simulated cloud answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Map<String, Value>,
    pub(crate) body: Value,
}

/// A cloud whose clock moves only when told.
pub(crate) struct Stage {
    pub(crate) world: World,
    registry: Registry,
    front: Front,
}

impl Stage {
    /// A cloud as the profile says, in which everybody may do everything.
    pub(crate) fn new(profile: Profile) -> Self {
        let profile = Profile { authentication: Authentication::None, ..profile };
        let clock = Clock::new(Mode::Manual, "2026-01-01T00:00:00.1234567Z".parse().unwrap());
        let journal = Journal::new(clock.clone());
        let seed = Seed::new(1);
        let world = World::new(Parts {
            faults: FaultSet::new(seed, clock.clone(), journal.clone()),
            keys: KeySource::fresh(),
            authority: Arc::new(Authority::new("test", &Default::default(), clock.wall()).unwrap()),
            clock,
            seed,
            journal,
            profile,
        });
        let registry = Registry::default();
        let front = Front::new(world.clone(), registry.clone());
        Self { world, registry, front }
    }

    /// The subscription's id here.
    pub(crate) fn subscription(&self) -> String {
        self.world.profile.subscriptions[0].id.to_string()
    }

    /// Sends a request whose path may name the recordings' subscription.
    pub(crate) async fn send(&self, method: &str, uri: &str, body: Option<&Value>) -> Answer {
        let uri = uri.replace(SUBSCRIPTION, &self.subscription());
        let mut request = Request::builder().method(method).uri(uri).header("host", "management.azure.com");
        if body.is_some() {
            request = request.header("content-type", "application/json");
        }
        let text = body.map(Value::to_string).unwrap_or_default();
        let bytes = text.replace(SUBSCRIPTION, &self.subscription());
        let response = self.front.answer(request.body(Body::from(bytes)).unwrap()).await;
        let (head, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let headers = head
            .headers
            .iter()
            .map(|(name, value)| (name.as_str().to_owned(), value.to_str().unwrap_or_default().into()))
            .collect();
        let body = serde_json::from_slice(&bytes)
            .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&bytes).into_owned()));
        Answer { status: head.status.as_u16(), headers, body }
    }

    /// Sends a request that has to succeed for the state to be reached.
    pub(crate) async fn ok(&self, method: &str, uri: &str, body: &Value) -> Result<Answer, String> {
        let answer = self.send(method, uri, Some(body)).await;
        if answer.status < 300 {
            return Ok(answer);
        }
        Err(format!("the state cannot be reached: {method} {uri} answered {} {}", answer.status, answer.body))
    }

    /// Lets world time pass, and what comes due by then end.
    pub(crate) async fn pass(&mut self, seconds: u64) {
        self.world.clock.advance(Duration::from_secs(seconds)).await;
        while self.registry.settle_due(&self.world, self.world.clock.now()) > 0 {}
    }
}
