//! What a request says: method, version, body, caller.

use http::header::CONTENT_TYPE;
use http::{HeaderMap, Method};
use serde_json::Value;

use super::body::{self, BodyError};
use super::relaxed;
use crate::providers::catalog;
use crate::providers::deployments::DEPLOYMENTS_TYPE;
use crate::providers::refusal::{Kind, Refusal};
use crate::providers::seam::{Actor, Query, Verb};
use crate::providers::target::Target;
use crate::surfaces::identity::tokens::{Caller, CallerKind};

/// The command that a request belongs to and what tells one run of it from others, as the Azure CLI's clients say both
/// (`azure-cli-core`: the headers `CommandName` and `x-ms-client-request-id`). No more than a line of each is taken.
pub(super) fn command(headers: &HeaderMap) -> Option<[Box<str>; 2]> {
    const LONGEST: usize = 100;
    let text = |name: &str| Some(headers.get(name)?.to_str().ok()?.chars().take(LONGEST).collect());
    Some([text("commandname")?, text("x-ms-client-request-id").unwrap_or_default()])
}

pub(super) fn verb_of(method: &Method) -> Option<Verb> {
    Some(match *method {
        Method::GET => Verb::Get,
        Method::HEAD => Verb::Head,
        Method::PUT => Verb::Put,
        Method::PATCH => Verb::Patch,
        Method::DELETE => Verb::Delete,
        Method::POST => Verb::Post,
        _ => return None,
    })
}

/// `YYYY-MM-DD` with one of the suffixes that Azure uses.
fn is_version(text: &str) -> bool {
    let shaped = text
        .as_bytes()
        .get(..10)
        .is_some_and(|date| date.get(4) == Some(&b'-') && date.get(7) == Some(&b'-'));
    let date = shaped && text.get(..10).is_some_and(|date| date.parse::<jiff::civil::Date>().is_ok());
    let suffixes = ["", "-preview", "-alpha", "-beta", "-rc", "-privatepreview"];
    date && text.get(10..).is_some_and(|rest| suffixes.iter().any(|one| one.eq_ignore_ascii_case(rest)))
}

pub(super) fn version<'q>(query: &'q Query<'_>) -> Result<&'q str, Refusal> {
    let Some(version) = query.get("api-version") else {
        let text = "The api-version query parameter (?api-version=) is required for all requests.";
        return Err(Refusal::gateway(Kind::Invalid, "MissingApiVersionParameter", text));
    };
    if is_version(version) {
        return Ok(version);
    }
    let known = catalog::core_versions().join(",");
    let text = format!("The api-version '{version}' is invalid. The supported versions are '{known}'.");
    Err(Refusal::gateway(Kind::Invalid, "InvalidApiVersionParameter", text))
}

/// The JSON of a body, if it has any. Some clients put a byte order mark before it.
///
/// Deployments take a looser form than other requests.
pub(super) fn parse(body: &[u8], headers: &HeaderMap, target: &Target<'_>) -> Result<Option<Value>, Refusal> {
    let body = body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(body);
    if body.iter().all(u8::is_ascii_whitespace) {
        return Ok(None);
    }
    let media = headers.get(CONTENT_TYPE).map(|value| String::from_utf8_lossy(value.as_bytes()));
    if let Some(media) = media.filter(|media| !media.to_ascii_lowercase().contains("json")) {
        let kind = media.split(';').next().unwrap_or_default().trim();
        let text = format!(
            "The content media type '{kind}' is not supported. Only 'application/json' is supported."
        );
        return Err(Refusal::gateway(Kind::MediaType, "UnsupportedMediaType", text));
    }
    let unread = |error: serde_json::Error| Refusal::invalid_content(&error.to_string());
    match (serde_json::from_slice(body), std::str::from_utf8(body)) {
        (Err(error), Ok(text)) if target.type_name().split('/').next() == Some(DEPLOYMENTS_TYPE) => {
            // What is wrong is told of the text as it was sent.
            serde_json::from_str(&relaxed::strict(text)).map(Some).map_err(|_| unread(error))
        }
        (read, _) => read.map(Some).map_err(unread),
    }
}

pub(super) fn actor(caller: &Caller) -> Actor {
    let (id, kind) = match caller.kind {
        CallerKind::Application => (caller.appid, "Application"),
        CallerKind::ManagedIdentity => (caller.oid, "ManagedIdentity"),
        CallerKind::User => (caller.oid, "User"),
    };
    Actor { id, kind }
}

pub(super) fn too_large() -> String {
    format!("The request content is bigger than {} bytes. Send less.", body::LIMIT)
}

pub(super) fn unreadable(error: BodyError) -> Refusal {
    match error {
        BodyError::TooLarge => Refusal::gateway(Kind::TooLarge, "RequestContentTooLarge", too_large()),
        BodyError::Broken => Refusal::invalid_content("the body ended early"),
    }
}
