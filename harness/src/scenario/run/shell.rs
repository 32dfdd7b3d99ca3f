//! Steps that users' own tools perform: `kubectl`, `helm`, and scripts.

use serde_json::Value;

use super::super::step::Step;
use super::clients::Clients;
use super::outcome::Outcome;
use super::program::{Program, Ran, arguments};
use super::theatre::Theatre;

/// The exit code of a shell that does not find a program.
const NOT_FOUND: u8 = 127;

/// Performs the step if it is one of a tool.
pub(super) async fn perform(theatre: &Theatre, clients: &Clients, step: &Step) -> Option<Outcome> {
    let program = match step {
        Step { sh: Some(script), .. } => clients.script(script),
        Step { kubectl: Some(given), .. } => match tool(theatre, clients, "kubectl", given) {
            Ok(program) => program,
            Err(missing) => return Some(Outcome::failed(NOT_FOUND, missing)),
        },
        Step { helm: Some(given), .. } => match tool(theatre, clients, "helm", given) {
            Ok(program) => program,
            Err(missing) => return Some(Outcome::failed(NOT_FOUND, missing)),
        },
        _ => return None,
    };
    let more = super::environment::variables(theatre, clients, step.environment.as_ref());
    Some(match clients.run(&program.with(&more), &theatre.clock).await {
        Ok(ran) => outcome(ran),
        Err(reason) => Outcome::failed(NOT_FOUND, reason),
    })
}

fn tool(theatre: &Theatre, clients: &Clients, name: &str, given: &[String]) -> Result<Program, String> {
    let path = clients.find(name).ok_or_else(|| {
        format!("'{name}' was not found on PATH: install it, or run the scenario where it is")
    })?;
    Ok(clients.program(&path, arguments(given.iter().map(|one| theatre.filled(one)))))
}

/// What a tool says, as its user sees it: the error is what it said on standard error, or else at all.
fn outcome(ran: Ran) -> Outcome {
    let lines = |text: &str| -> Vec<String> {
        text.lines().map(str::trim_end).filter(|line| !line.is_empty()).map(ToOwned::to_owned).collect()
    };
    let (mut text, mut said) = (String::new(), lines(&ran.stdout));
    if ran.exit == 0 {
        said.extend(lines(&ran.stderr));
    } else if ran.stderr.trim().is_empty() {
        text = ran.stdout.trim().to_owned();
        said.clear();
    } else {
        text = ran.stderr.trim().to_owned();
    }
    let body = serde_json::from_str(&ran.stdout).unwrap_or(Value::Null);
    Outcome { exit: ran.exit, text, said, body, ..Outcome::done() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_error_of_a_tool_is_what_it_complained_about() {
        let ran = |exit: u8, stdout: &str, stderr: &str| {
            outcome(Ran { exit, stdout: stdout.into(), stderr: stderr.into() })
        };
        let done = ran(0, "{\"a\": 1}\n", "note\n");
        assert_eq!((done.body["a"].as_i64(), done.text.as_str()), (Some(1), ""));
        assert_eq!(done.said, ["{\"a\": 1}", "note"]);
        let failed = ran(3, "line\n", "why\nmore\n");
        assert_eq!((failed.exit, failed.text.as_str()), (3, "why\nmore"));
        assert_eq!(failed.said, ["line"]);
        assert_eq!(ran(1, "only this\n", "").text, "only this");
    }
}
