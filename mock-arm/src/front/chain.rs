//! The way of a request, from the outside in and back.
//!
//! 1. a panic becomes an error (one bad request must not end the run)
//! 2. ids (everything below quotes them)
//! 3. journal (sees injected faults and the final reply; says committed and delivered apart)
//! 4. the body's bytes (a client that still sends may not see its answer)
//! 5. surface, by host and path
//! 6. target (never refuses, only says what is meant; rules match on it)
//! 7. faults `before` (nothing has happened yet)
//! 8. who calls
//! 9. version, subscription, type and verb, from tables; then the caller's quota
//! 10. the body's JSON (last, so that refused requests need none)
//! 11. the provider, in one transaction
//! 12. rendering
//! 13. faults `after` (the write stands, the answer suffers)

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use axum::body::{Body, HttpBody as _};
use axum::extract::Request;
use axum::response::Response;
use bytes::Bytes;
use futures::FutureExt as _;
use http::header::{CONTENT_TYPE, IF_MATCH, IF_NONE_MATCH};
use http::request::Parts;
use http::{HeaderName, HeaderValue, Method, StatusCode};
use hyper::upgrade::OnUpgrade;
use sim_core::faults::Hook;
use uuid::Uuid;

use super::address::{Address, collapse};
use super::body::{self, BodyError};
use super::faults::{self, Verdict};
use super::ids::Ids;
use super::listener::Plain;
use super::reading::{self, actor, parse, too_large, unreadable, verb_of, version};
use super::record::{self, Record};
use super::render::{self, Context};
use super::throttle::{Asked, Quota};
use super::{Front, authn, relay};
use crate::providers::refusal::{Cause, Kind, Refusal};
use crate::providers::seam::{Call, Conditions, Manner, Query, Verb};
use crate::providers::target::Target;
use crate::surfaces::identity::tokens::Caller;
use crate::surfaces::{self, Surface, SurfaceReply, SurfaceRequest};

/// How long a client may take to send its body, in wall time.
const BODY_PATIENCE: Duration = Duration::from_secs(60);

/// Answers one request.
pub(super) async fn serve(front: &Front, request: Request) -> Response {
    match AssertUnwindSafe(exchange(front, request)).catch_unwind().await {
        Ok(response) => response,
        Err(_) => {
            tracing::error!("a request made the simulated cloud panic; this is a bug in dryarc");
            let text = "The simulated Azure of dryarc failed while it handled the request. This is a bug in dryarc, \
                        not in the caller; its log says more.";
            render::fault(StatusCode::INTERNAL_SERVER_ERROR, "InternalServerError", text, None)
        }
    }
}

/// One request on its way in.
pub(super) struct Exchange<'a> {
    pub(super) front: &'a Front,
    pub(super) head: &'a Parts,
    address: &'a Address,
    pub(super) path: &'a str,
    pub(super) query: &'a str,
}

async fn exchange(front: &Front, request: Request) -> Response {
    let (mut head, body) = request.into_parts();
    let upgrade = head.extensions.remove::<OnUpgrade>();
    let address = Address::of(&head);
    let path = collapse(head.uri.path());
    let query = head.uri.query().unwrap_or_default();
    let ids = Ids::draw(&front.ids, &head.headers, &front.stamp(front.world.clock.wall()));
    let mut record = Record::new(&front.world, head.method.as_str(), address.host(), &path);
    record.correlation = ids.correlation().into();
    record.command = reading::command(&head.headers);
    record.user_agent = record::user_agent(&head.headers);

    let body = receive(front, &head, body).await;
    let surface = surfaces::classify(address.host(), &path);
    record.surface = surface.name();
    if surface != Surface::Machine && head.extensions.get::<Plain>().is_some() {
        (record.status, record.delivered) = (Some(StatusCode::BAD_REQUEST), true);
        return surface_response(plain_refused(surface));
    }
    let exchange = Exchange { front, head: &head, address: &address, path: &path, query };
    let mut response = match surface {
        Surface::Arm => exchange.arm(body, &mut record).await,
        Surface::Relay => relay::answer(&exchange, upgrade, &mut record).await,
        other => exchange.surface(other, body, &mut record).await,
    };
    let cut = response.extensions().get::<faults::Cut>().is_some();
    record.status = (!cut).then_some(response.status());
    record.delivered = record.delivered && !cut;
    if surface == Surface::Arm {
        render::common(response.headers_mut());
    }
    ids.write(response.headers_mut());
    response
}

/// The body's bytes. Who announced none is not waited for.
async fn receive(front: &Front, head: &Parts, body: Body) -> Result<Bytes, BodyError> {
    if body.is_end_stream() {
        return Ok(Bytes::new());
    }
    let reading = body::read(&head.headers, body);
    front.world.clock.wall_timeout(BODY_PATIENCE, reading).await.unwrap_or(Err(BodyError::Broken))
}

/// Only a machine's own services speak plain HTTP.
fn plain_refused(surface: Surface) -> SurfaceReply {
    let text =
        "This simulated host speaks HTTPS only, and the request came in plain HTTP. Write https:// instead.";
    surfaces::error_reply(surface, 400, "HttpsRequired", text)
}

impl Exchange<'_> {
    /// Resource Manager.
    async fn arm(&self, body: Result<Bytes, BodyError>, record: &mut Record<'_>) -> Response {
        let target = Target::parse(self.path, self.head.method == Method::POST);
        let query = Query::parse(self.query);
        let version_text = query.get("api-version").unwrap_or_default();
        record.version = Some(version_text.to_owned()).filter(|version| !version.is_empty());
        let kind = target.type_name();
        let route = [target.namespace(), kind.as_ref()];
        if let Some(response) = self.faults(Hook::Before, route, record, None).await {
            return response;
        }
        let busy = self.front.world.clock.busy();
        let mut quota = None;
        let mut response = match self.dispatch(&target, &query, body, record, &mut quota) {
            Ok(response) => response,
            Err(failed) => self.refuse(failed, record),
        };
        if let Some(quota) =
            quota.filter(|_| render::tells_quota(&response, self.head.method == Method::HEAD))
        {
            quota.write(response.headers_mut());
        }
        drop(busy);
        record.delivered = true;
        let after = self.faults(Hook::After, route, record, Some(response.status())).await;
        after.unwrap_or(response)
    }

    fn refuse(&self, mut failed: Failed, record: &mut Record<'_>) -> Response {
        if failed.refusal.kind == Kind::NotModelled {
            failed.refusal.error.target = Some(format!("{} {}", self.head.method, self.path));
        }
        record.code = Some(failed.refusal.error.code.to_string());
        let head = self.head.method == Method::HEAD;
        let mut response = render::refusal(&failed.refusal, &self.front.world.clock, head);
        if let Some(challenge) = &failed.challenge {
            render::challenge(&mut response, challenge);
        }
        response
    }

    fn dispatch(
        &self,
        target: &Target<'_>,
        query: &Query<'_>,
        body: Result<Bytes, BodyError>,
        record: &mut Record<'_>,
        quota: &mut Option<Quota>,
    ) -> Result<Response, Failed> {
        let world = &self.front.world;
        let verb = verb_of(&self.head.method)
            .ok_or_else(|| Refusal::method_not_allowed(self.head.method.as_str(), self.path))?;
        if *target != (Target::Other { subscription: None }) {
            let caller = authn::authenticate(world, &self.head.headers, self.address);
            let caller = caller
                .map_err(|denied| Failed { refusal: denied.refusal, challenge: Some(denied.challenge) })?;
            record.caller = Some(caller.appid);
            return self.authenticated(target, query, body, verb, &caller, (record, quota));
        }
        self.front.registry.route(&world.profile, target, verb, "").map_err(Failed::from)?;
        Err(Refusal::not_modelled("this path").into())
    }

    fn authenticated(
        &self,
        target: &Target<'_>,
        query: &Query<'_>,
        body: Result<Bytes, BodyError>,
        verb: Verb,
        caller: &Caller,
        (record, quota): (&mut Record<'_>, &mut Option<Quota>),
    ) -> Result<Response, Failed> {
        let world = &self.front.world;
        let asked = version(query)?;
        let route = self.front.registry.route(&world.profile, target, verb, asked)?;
        if route.nearest {
            record.served_version = Some(route.version.to_owned());
        }
        *quota = self.count(target, verb, caller)?;
        let body = match verb {
            Verb::Get | Verb::Head => None,
            _ => parse(&body.map_err(unreadable)?, &self.head.headers, target)?,
        };
        let location = body.as_ref().and_then(|body| body["location"].as_str());
        record.location = location.map(Into::into);
        let call = Call {
            verb,
            target,
            version: route.version,
            query,
            body: body.as_ref(),
            conditions: self.conditions(),
            actor: actor(caller),
            now: world.clock.now(),
            wall: world.clock.wall(),
            relay: &world.relay,
            rendered: &world.rendered,
            profile: &world.profile,
            seed: world.seed,
        };
        if verb.is_write() {
            record.committed = Some(false);
        }
        let reply = world.ledger.write(|txn| {
            let reply = route.handle(&call, txn)?;
            self.front.registry.followed(&call, asked, reply, txn)
        });
        let context = Context {
            clock: &world.clock,
            address: self.address,
            path: self.path,
            query: self.query,
            version: asked,
            manner: route.manner(),
            served: route.version,
            identifier: self.identifier(route.manner(), target, verb, caller),
        };
        match reply {
            Ok(reply) => {
                if verb.is_write() {
                    record.committed = Some(true);
                }
                Ok(render::reply(&context, reply))
            }
            Err(refusal) if matches!(refusal.cause, Cause::Unsaid { .. }) => {
                let mut response = self.refuse(refusal.into(), record);
                render::refused(&context, &mut response);
                Ok(response)
            }
            Err(refusal) => Err(refusal.into()),
        }
    }

    /// Counts the request against the caller's quota. Polls outside of subscriptions are free.
    fn count(&self, target: &Target<'_>, verb: Verb, caller: &Caller) -> Result<Option<Quota>, Refusal> {
        let world = &self.front.world;
        if matches!(target, Target::OperationStatus { subscription: None, .. }) {
            return Ok(None);
        }
        let kind = target.type_name();
        let typed = matches!(target, Target::Resource(_) | Target::Collection(_) | Target::Action(_));
        let asked = Asked {
            subscription: target.subscription(),
            principal: caller.oid,
            verb,
            provided: typed.then(|| [target.namespace(), kind.as_ref()]),
        };
        self.front.throttle.count(&world.profile.throttling, asked, world.clock.now()).map(Some)
    }

    fn conditions(&self) -> Conditions<'_> {
        let text = |name: HeaderName| self.head.headers.get(name).and_then(|value| value.to_str().ok());
        Conditions { if_match: text(IF_MATCH), if_none_match: text(IF_NONE_MATCH) }
    }

    /// Whom a proxied reply names: recordings show it on writes, and on everything of some providers.
    fn identifier(
        &self,
        manner: Manner,
        target: &Target<'_>,
        verb: Verb,
        caller: &Caller,
    ) -> Option<[Uuid; 3]> {
        let named = match manner {
            Manner::Own | Manner::Plain => false,
            Manner::Hub => verb.is_write(),
            Manner::Proxied | Manner::Versioned => {
                !matches!(target, Target::Collection(typed) if typed.path.len() == 1)
            }
        };
        named.then(|| [caller.tenant, caller.oid, self.front.ids.uuid()])
    }

    /// The reply of a rule that fires at `hook`, if one does.
    pub(super) async fn faults(
        &self,
        hook: Hook,
        [namespace, kind]: [&str; 2],
        record: &mut Record<'_>,
        status: Option<StatusCode>,
    ) -> Option<Response> {
        let faults = &self.front.world.faults;
        if faults.is_empty() {
            return None;
        }
        let route = if kind.is_empty() { namespace.to_owned() } else { format!("{namespace}/{kind}") };
        let caller = record.caller.map(|caller| caller.to_string()).unwrap_or_default();
        let status = status.map(|status| status.as_str().to_owned()).unwrap_or_default();
        let facts = [
            ("host", self.address.host()),
            ("method", self.head.method.as_str()),
            ("path", self.path),
            ("route", route.as_str()),
            ("surface", record.surface),
            ("apiVersion", record.version.as_deref().unwrap_or_default()),
            ("caller", caller.as_str()),
            ("status", status.as_str()),
        ];
        match faults::strike(faults, hook, &facts).await {
            Verdict::Pass => None,
            Verdict::Cut => Some(faults::cut()),
            Verdict::Respond { status, code, message, retry_after } => {
                record.delivered = hook == Hook::Before;
                let response = match surfaces::classify(self.address.host(), self.path) {
                    Surface::Arm => render::fault(status, &code, &message, retry_after),
                    surface => {
                        let mut reply = surfaces::error_reply(surface, status.as_u16(), &code, &message);
                        reply.headers.extend(retry_after.map(|after| ("retry-after", after.to_string())));
                        surface_response(reply)
                    }
                };
                record.code = Some(code);
                Some(response)
            }
        }
    }

    /// A surface other than Resource Manager.
    async fn surface(
        &self,
        surface: Surface,
        body: Result<Bytes, BodyError>,
        record: &mut Record<'_>,
    ) -> Response {
        let route = [record.surface, ""];
        if let Some(response) = self.faults(Hook::Before, route, record, None).await {
            return response;
        }
        let busy = self.front.world.clock.busy();
        let response = match body {
            Ok(body) => {
                let request = SurfaceRequest {
                    host: self.address.host(),
                    method: &self.head.method,
                    path: self.path,
                    query: self.query,
                    headers: &self.head.headers,
                    body: &body,
                    base_url: &self.address.base_url(),
                };
                surface_response(surfaces::answer(&self.front.world, surface, request).await)
            }
            Err(BodyError::TooLarge) => {
                surface_response(surfaces::error_reply(surface, 413, "RequestContentTooLarge", &too_large()))
            }
            Err(BodyError::Broken) => faults::cut(),
        };
        drop(busy);
        if self.head.method != Method::GET && self.head.method != Method::HEAD {
            record.committed = Some(response.status().is_success());
        }
        record.delivered = true;
        let after = self.faults(Hook::After, route, record, Some(response.status())).await;
        after.unwrap_or(response)
    }
}

/// A refusal on its way out.
#[derive(Debug)]
struct Failed {
    refusal: Refusal,
    challenge: Option<String>,
}

impl From<Refusal> for Failed {
    fn from(refusal: Refusal) -> Self {
        Self { refusal, challenge: None }
    }
}

fn surface_response(reply: SurfaceReply) -> Response {
    let mut response = Response::new(Body::from(reply.body));
    *response.status_mut() = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(reply.content_type));
    for (name, value) in reply.headers {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            headers.insert(name, value);
        }
    }
    response
}
