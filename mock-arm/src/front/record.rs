//! The journal entry of a request: written when the request is over, however it ends.

use http::StatusCode;
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
