//! The journal entry of a request: written when the request is over, however it ends.

use http::header::USER_AGENT;
use http::{HeaderMap, StatusCode};
use sim_core::clock::Stopwatch;
use sim_core::journal::{Entry, Journal};
use uuid::Uuid;

use crate::world::World;

/// What will be said of a request. Dropped without an answer (a client that went away, a panic), it says that nothing
/// was delivered.
#[derive(Debug)]
pub(super) struct Record<'a> {
    journal: &'a Journal,
    watch: Stopwatch,
    pub(super) method: &'a str,
    pub(super) host: &'a str,
    pub(super) path: &'a str,
    pub(super) surface: &'static str,
    pub(super) correlation: Box<str>,
    /// The programs that asked, by their own words.
    pub(super) user_agent: Option<String>,
    pub(super) version: Option<String>,
    pub(super) served_version: Option<String>,
    pub(super) caller: Option<Uuid>,
    /// The command that it belongs to, as the Azure CLI's clients say it, and what tells one run of it from others.
    pub(super) command: Option<[Box<str>; 2]>,
    /// The region that a write asks for.
    pub(super) location: Option<Box<str>>,
    pub(super) code: Option<String>,
    pub(super) status: Option<StatusCode>,
    pub(super) committed: Option<bool>,
    pub(super) delivered: bool,
}

impl<'a> Record<'a> {
    pub(super) fn new(world: &'a World, method: &'a str, host: &'a str, path: &'a str) -> Self {
        Self {
            journal: &world.journal,
            watch: world.clock.stopwatch(),
            method,
            host,
            path,
            surface: "",
            correlation: Box::default(),
            user_agent: None,
            version: None,
            served_version: None,
            caller: None,
            command: None,
            location: None,
            code: None,
            status: None,
            committed: None,
            delivered: false,
        }
    }
}

impl Drop for Record<'_> {
    fn drop(&mut self) {
        let mut entry = Entry::new("arm", "request")
            .fact("method", self.method)
            .fact("host", self.host)
            .fact("path", self.path)
            .fact("surface", self.surface)
            .correlation(std::mem::take(&mut self.correlation))
            .delivered(self.delivered)
            .took(self.watch.elapsed());
        if let Some(program) = self.user_agent.take() {
            entry = entry.fact("userAgent", program);
        }
        if let Some(version) = self.version.take() {
            entry = entry.fact("apiVersion", version);
        }
        if let Some(version) = self.served_version.take() {
            entry = entry.fact("servedVersion", version);
        }
        if let Some(caller) = self.caller {
            entry = entry.fact("caller", caller);
        }
        if let Some([command, run]) = self.command.take() {
            entry = entry.fact("command", command).fact("run", run);
        }
        if let Some(location) = self.location.take() {
            entry = entry.fact("location", location);
        }
        if let Some(status) = self.status {
            entry = entry.fact("status", status.as_u16());
        }
        if let Some(code) = self.code.take() {
            entry = entry.fact("code", code);
        }
        if let Some(committed) = self.committed {
            entry = entry.committed(committed);
        }
        self.journal.record(entry);
    }
}

/// Longest user agent that is kept, in bytes.
const LONGEST: usize = 120;

/// The products that a client's user agent names (`AZURECLI/2.91.0 azsdk-python-core/1.39.0 …`), without the comments in
/// parentheses, which tell of the machine.
pub(super) fn user_agent(headers: &HeaderMap) -> Option<String> {
    let text = headers.get(USER_AGENT)?.to_str().ok()?;
    let mut kept = String::with_capacity(text.len().min(LONGEST));
    let mut depth = 0_usize;
    for letter in text.chars() {
        match letter {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            ' ' if kept.is_empty() || kept.ends_with(' ') => {}
            letter if depth == 0 && kept.len() < LONGEST => kept.push(letter),
            _ => {}
        }
    }
    kept.truncate(kept.trim_end().len());
    (!kept.is_empty()).then_some(kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_is_named_by_its_products_and_not_by_its_machine() {
        let named = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(USER_AGENT, text.parse().unwrap());
            user_agent(&headers)
        };
        let az = "AZURECLI/2.91.0 (PIP) azsdk-python-core/1.39.0 Python/3.11.7 (Linux-5.10-x86_64)";
        assert_eq!(named(az).unwrap(), "AZURECLI/2.91.0 azsdk-python-core/1.39.0 Python/3.11.7");
        assert_eq!(
            named("python/3.11.7 (Linux (a)) AZURECLI/2.91.0 (PIP)").unwrap(),
            "python/3.11.7 AZURECLI/2.91.0"
        );
        assert_eq!((named("(only)"), named(&"x".repeat(500)).unwrap().len()), (None, 120));
        assert_eq!(user_agent(&HeaderMap::new()), None);
    }
}
