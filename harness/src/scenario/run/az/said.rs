//! What the Azure CLI says when something goes wrong, taken apart.
//!
//! Source: behaviour of azure-cli 2.91 and of its extension connectedk8s 1.11. Errors begin with `ERROR: ` on standard error. Errors of
//! Azure are `(Code) message`, with a line `Code: …` behind; those of `az rest` are `Reason({"error":{"code":…}})`; the extension writes
//! its own codes as `[AZK8Snnnn]`.

use http::StatusCode;
use serde_json::Value;

use super::super::outcome::Outcome;
use super::super::program::Ran;

const ERROR: &str = "ERROR: ";
const OWN_CODE: &str = "[AZK8S";

/// How a command of the Azure CLI ended.
pub(super) fn outcome(ran: &Ran) -> Outcome {
    let (said, error) = parts(&ran.stderr);
    let mut said: Vec<String> =
        said.lines().map(str::trim_end).filter(|line| !line.is_empty()).map(ToOwned::to_owned).collect();
    if ran.exit == 0 {
        // Errors of what was gone on without.
        said.extend(error.lines().filter(|line| !line.is_empty()).map(ToOwned::to_owned));
        let body = serde_json::from_str(&ran.stdout).unwrap_or(Value::Null);
        return Outcome { said, body, ..Outcome::done() };
    }
    let last = ran.stdout.lines().rev().find(|line| line.starts_with("Step: "));
    said.extend(last.map(|line| format!("last {}", line.trim_end())));
    let text = if error.is_empty() { ran.stderr.trim() } else { error };
    Outcome {
        exit: ran.exit,
        code: own_code(text),
        arm_code: arm_code(text),
        status: status(text),
        text: text.to_owned(),
        said,
        ..Outcome::done()
    }
}

/// What stands before the first error, and the errors without their first mark.
fn parts(stderr: &str) -> (&str, &str) {
    let at_start = stderr.starts_with(ERROR).then_some(0);
    let start = at_start.or_else(|| stderr.find(&format!("\n{ERROR}")).map(|at| at + 1));
    match start {
        None => (stderr, ""),
        Some(start) => {
            let (said, error) = stderr.split_at(start);
            (said, error.strip_prefix(ERROR).unwrap_or(error).trim())
        }
    }
}

/// The extension's own code.
fn own_code(text: &str) -> Option<String> {
    let (_, rest) = text.split_once(OWN_CODE)?;
    let digits = rest.get(..4).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))?;
    rest[4..].starts_with(']').then(|| format!("AZK8S{digits}"))
}

/// Azure's code, wherever it stands.
fn arm_code(text: &str) -> Option<String> {
    let named = text.lines().find_map(|line| line.strip_prefix("Code: ")).map(str::trim);
    let answered = || answer(text)?.pointer("/error/code")?.as_str().map(ToOwned::to_owned);
    let in_front = || {
        text.split(['(', '\n']).skip(1).find_map(|part| {
            let (code, rest) = part.split_once(')')?;
            let word = code.len() > 3
                && code.starts_with(|c: char| c.is_ascii_uppercase())
                && code.bytes().all(|byte| byte.is_ascii_alphanumeric());
            (word && rest.starts_with(' ')).then(|| code.to_owned())
        })
    };
    named.map(ToOwned::to_owned).or_else(answered).or_else(in_front)
}

/// The document in an error of `az rest`.
fn answer(text: &str) -> Option<Value> {
    let (_, document) = text.split_once("({")?;
    let end = document.rfind("})")?;
    serde_json::from_str(&format!("{{{}}}", &document[..end])).ok()
}

/// The status that the reason before the document of `az rest` stands for.
fn status(text: &str) -> Option<u16> {
    let (reason, _) = text.split_once('(')?;
    let known = (400..600).filter_map(|code| StatusCode::from_u16(code).ok());
    let is = |code: &StatusCode| code.canonical_reason().is_some_and(|known| known == reason.trim());
    known.into_iter().find(is).map(|code| code.as_u16())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(stderr: &str) -> Outcome {
        outcome(&Ran { exit: 1, stderr: stderr.into(), stdout: "Step: t: One\nStep: t: Two\n".into() })
    }

    #[test]
    fn errors_are_taken_apart_into_text_and_codes() {
        let refused = failed(
            "WARNING: a while...\n\nERROR: (AuthorizationFailed) The client (x) may not.\nCode: AuthorizationFailed\nMessage: The client\n",
        );
        assert_eq!(refused.arm_code.as_deref(), Some("AuthorizationFailed"));
        assert!(refused.text.starts_with("(AuthorizationFailed) The client"), "{}", refused.text);
        assert_eq!(refused.said, ["WARNING: a while...", "last Step: t: Two"]);
        let own = failed("ERROR: [AZK8S0309] CertificatePulldownFailed: Error: context deadline exceeded");
        assert_eq!((own.code.as_deref(), own.arm_code), (Some("AZK8S0309"), None));
        let inner =
            failed("ERROR: [AZK8S0001] UnexpectedError: while running. (ResourceNotFound) The Resource");
        assert_eq!(inner.arm_code.as_deref(), Some("ResourceNotFound"));
    }

    #[test]
    fn answers_of_az_rest_have_status_and_code() {
        let answer = failed(r#"ERROR: Conflict({"error":{"code":"ScopeLocked","message":"locked (2)"}})"#);
        assert_eq!((answer.status, answer.arm_code.as_deref()), (Some(409), Some("ScopeLocked")));
        let other = failed("ERROR: Not Found({\"error\":{\"code\":\"NotFound\"}})");
        assert_eq!(other.status, Some(404));
        assert_eq!(failed("ERROR: HTTPSConnectionPool(host='h', port=1): Max").status, None);
    }

    #[test]
    fn a_success_keeps_its_answer_and_its_warnings() {
        let ran = Ran { exit: 0, stdout: "{\"a\": 2}".into(), stderr: "WARNING: w\nERROR: e\n".into() };
        let done = outcome(&ran);
        assert_eq!((done.exit, done.body["a"].as_i64()), (0, Some(2)));
        assert_eq!(done.said, ["WARNING: w", "e"]);
        let traceback = failed("Traceback (most recent call last):\nValueError: x\n");
        assert!(traceback.text.ends_with("ValueError: x"), "{}", traceback.text);
    }
}
