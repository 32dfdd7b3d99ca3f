//! What injected faults do to an exchange.

use axum::response::Response;
use http::StatusCode;
use sim_core::faults::{Effect, Facts, FaultSet, Hook};

/// Marks a reply that must not be sent: the listener cuts the connection instead.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cut;

/// What becomes of an exchange at a hook.
#[derive(Debug)]
pub(super) enum Verdict {
    /// It goes on.
    Pass,
    /// It ends with this error.
    Respond { status: StatusCode, code: String, message: String, retry_after: Option<u64> },
    /// It ends with a broken connection.
    Cut,
}

/// Asks the rules of `hook`, waits where they say so (as long as the connection lives, if need be), and says what comes
/// of it. Call it without holding a busy guard.
pub(super) async fn strike(faults: &FaultSet, hook: Hook, facts: &Facts<'_>) -> Verdict {
    let effect = match faults.strike(hook, facts) {
        None => return Verdict::Pass,
        // Nothing on this side ever gets there: the connection stays open, as it does for a hang.
        Some(Effect::Stuck) => Some(Effect::Hang),
        some => some,
    };
    match faults.wait_out(effect).await {
        None | Some(Effect::Delay { .. } | Effect::Hang | Effect::Stuck | Effect::Line(_)) => Verdict::Pass,
        Some(Effect::Reset | Effect::Refuse) => Verdict::Cut,
        Some(Effect::Respond { status, code, message, retry_after }) => Verdict::Respond {
            status: StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
            code,
            message,
            retry_after,
        },
        Some(Effect::Fail { code, message }) => {
            Verdict::Respond { status: StatusCode::INTERNAL_SERVER_ERROR, code, message, retry_after: None }
        }
    }
}

/// A reply that stands for a broken connection.
pub(super) fn cut() -> Response {
    let mut response = Response::default();
    response.extensions_mut().insert(Cut);
    response
}
