//! The guard before a control API: bearer token and version, for servers that have none of their own.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};

use super::problem::Problem;

/// Version of the control API; client and server must agree.
pub const VERSION: &str = "1";

/// The header that names [`VERSION`], in requests (optional) and in every reply.
pub const VERSION_HEADER: &str = "dryarc-control-version";

/// Puts `router` behind a guard: only requests with `Authorization: Bearer {token}` pass, and only those of the same
/// [`VERSION`] where they name one. Unknown paths are answered with a [`Problem`].
pub fn guarded(router: Router, token: &str) -> Router {
    let token: Arc<str> = token.into();
    router.fallback(unknown).layer(middleware::from_fn_with_state(token, guard))
}

async fn guard(State(token): State<Arc<str>>, request: Request, next: Next) -> Response {
    let mut response = match check(&token, request.headers()) {
        Err(problem) => problem.into_response(),
        Ok(()) => problem_of(next.run(request).await),
    };
    response.headers_mut().insert(VERSION_HEADER, HeaderValue::from_static(VERSION));
    response
}

/// The framework's own refusal of a long body, in the form of every other problem.
fn problem_of(response: Response) -> Response {
    if response.status() != StatusCode::PAYLOAD_TOO_LARGE {
        return response;
    }
    let problem = Problem::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        "TooLarge",
        "the body is longer than 2 MiB, the most that the control API reads",
        "send less: a rule, a clock or a provider takes a few hundred bytes",
    );
    problem.into_response()
}

fn check(token: &str, headers: &HeaderMap) -> Result<(), Problem> {
    let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    let given = text(header::AUTHORIZATION.as_str()).and_then(|value| value.strip_prefix("Bearer "));
    let same = given.is_some_and(|given| {
        aws_lc_rs::constant_time::verify_slices_are_equal(given.as_bytes(), token.as_bytes()).is_ok()
    });
    if !same {
        return Err(Problem::new(
            StatusCode::UNAUTHORIZED,
            "Unauthorized",
            "this is not the world's token",
            "send the token that was written beside the world's state as a bearer token",
        ));
    }
    match text(VERSION_HEADER) {
        Some(version) if version != VERSION => Err(Problem::new(
            StatusCode::PRECONDITION_FAILED,
            "VersionMismatch",
            format!("the client speaks version {version} of the control API, this world speaks {VERSION}"),
            "use the program that started the world, or end the world and start another",
        )),
        _ => Ok(()),
    }
}

async fn unknown(request: Request) -> Problem {
    Problem::not_found(
        format!("the control API has nothing at {} {}", request.method(), request.uri().path()),
        "its routes are under /v1: clock, journal, faults, providers, operations, snapshot, reset, seed; /v1/openapi.json describes them",
    )
}
