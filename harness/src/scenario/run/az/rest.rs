//! `az rest`, and following what it began.

use std::time::Duration;

use super::super::super::step::ArmCall;
use super::super::outcome::Outcome;
use super::Az;

/// How often the resource is looked at (world time), and how often at most.
const LOOK: Duration = Duration::from_secs(30);
const LOOKS: u32 = 60;

/// Calls Azure Resource Manager. `az rest` does not follow operations: what is to be waited for is looked at until its state is a final
/// one, or until it is gone.
pub(super) async fn perform(az: &Az<'_>, call: &ArmCall) -> Outcome {
    let theatre = az.theatre;
    let path = theatre.filled(&call.path);
    let url = format!("https://management.azure.com{path}?api-version={}", call.version);
    let method = call.method.to_lowercase();
    let mut line = vec!["rest", "--method", &method, "--url", &url];
    let body = theatre.filled_value(&call.body).to_string();
    if !call.body.is_null() {
        line.extend(["--body", &body]);
    }
    let mut called = az.run(&line).await;
    if called.exit != 0 || !call.wait {
        return called;
    }
    for _ in 0..LOOKS {
        let seen = az.run(&["rest", "--method", "get", "--url", &url]).await;
        if seen.status == Some(404) && method == "delete" {
            return called;
        }
        if seen.exit != 0 {
            return seen;
        }
        let state = seen.body.pointer("/properties/provisioningState").and_then(|state| state.as_str());
        match state {
            Some("Failed" | "Canceled") => {
                let text = format!("the operation ended {}", state.unwrap_or_default());
                return Outcome { body: seen.body.clone(), ..Outcome::failed(1, text) };
            }
            Some("Succeeded") | None if method != "delete" => {
                called.body = seen.body;
                return called;
            }
            _ => {}
        }
        theatre.clock.foreground_sleep(LOOK).await;
    }
    Outcome::failed(1, format!("{path} has not come to an end in {LOOKS} looks"))
}
