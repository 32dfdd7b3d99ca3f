//! What the tour needs when the real Azure CLI performs it.

use sim_core::clock::Clock;

use super::super::CliError;
use super::finding::{Finding, State};
use super::{azure_cli, programs};
use crate::client_env::OuterEnv;

/// Whether the tour can be performed by the Azure CLI, going by what was found out about what it needs.
pub(super) fn finding(needed: &[Finding]) -> Finding {
    let tour = Finding::missing(
        "quickstart --driver az",
        "living through the quickstart with the real Azure CLI; `dryarc quickstart` alone needs nothing",
        "get what is named here; the table says what works already",
    );
    match lacking(needed).as_slice() {
        [] => Finding { place: Some("all that it needs is here".into()), ..tour.found(None, None) },
        names => Finding { detail: Some(format!("it needs {}", names.join(", "))), ..tour },
    }
}

fn lacking(needed: &[Finding]) -> Vec<&'static str> {
    needed.iter().filter(|one| one.state != State::Ok).map(|one| one.name).collect()
}

/// Finds out whether the tour can be performed by the Azure CLI here.
///
/// # Errors
/// What is missing, and how to get each.
pub(in crate::cli) async fn require(outer: &OuterEnv) -> Result<(), CliError> {
    let clock = Clock::running(1.0);
    let (az, kubectl, helm) = tokio::join!(
        azure_cli::az(outer, &clock),
        programs::kubectl(outer, &clock),
        programs::helm(outer, &clock)
    );
    refusal(&[az, azure_cli::connectedk8s(outer), kubectl, helm]).map_or(Ok(()), Err)
}

fn refusal(needed: &[Finding]) -> Option<CliError> {
    let mut what = "the quickstart cannot be performed by the Azure CLI here".to_owned();
    for one in needed.iter().filter(|one| one.state != State::Ok) {
        let why = one.detail.as_ref().map(|detail| format!(" ({detail})")).unwrap_or_default();
        what.push_str(&format!("\n  {} is {}{why}: {}", one.name, one.state.as_str(), one.get));
    }
    let any = !lacking(needed).is_empty();
    any.then(|| CliError::failed(what).next("get it and see `dryarc doctor`, or leave out --driver az"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_for_the_tour_is_named_with_how_to_get_it() {
        let found = Finding::missing("az", "x", "install az").found(None, None);
        let missing = Finding::missing("helm", "x", "install helm");
        assert_eq!(finding(std::slice::from_ref(&found)).state, State::Ok);
        assert!(refusal(std::slice::from_ref(&found)).is_none());
        let both = [found, missing];
        assert_eq!(finding(&both).detail.as_deref(), Some("it needs helm"));
        let text = refusal(&both).unwrap().to_string();
        assert!(text.contains("helm is missing: install helm") && !text.contains("install az"), "{text}");
    }
}
