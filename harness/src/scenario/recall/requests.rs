//! Requests of Resource Manager, as the journal has them.

use sim_core::journal::Event;

use super::fact;

/// One request.
#[derive(Debug, Clone, Copy)]
pub(super) struct Request<'a> {
    pub(super) event: &'a Event,
    pub(super) method: &'a str,
    pub(super) path: &'a str,
}

impl<'a> Request<'a> {
    /// The request of an event, if it is one of Resource Manager.
    pub(super) fn of(event: &'a Event) -> Option<Self> {
        let arm = event.actor == "arm" && event.kind == "request" && fact(event, "surface") == "arm";
        let request = Self { event, method: fact(event, "method"), path: fact(event, "path") };
        // The checks of the cluster's network ask for the root.
        (arm && request.path.len() > 1).then_some(request)
    }

    /// The HTTP status; none where no answer left.
    pub(super) fn status(&self) -> Option<u16> {
        u16::try_from(self.event.facts.get("status")?.as_u64()?).ok()
    }

    /// The error's code.
    pub(super) fn code(&self) -> Option<String> {
        Some(fact(self.event, "code").to_owned()).filter(|code| !code.is_empty())
    }

    pub(super) fn is_write(&self) -> bool {
        !matches!(self.method, "GET" | "HEAD")
    }

    /// Whether it asks how an operation goes on.
    pub(super) fn is_poll(&self) -> bool {
        let path = self.path.to_ascii_lowercase();
        ["/operationstatuses/", "/operationresults/", "/operationsstatus/", "/operations/"]
            .iter()
            .any(|part| path.contains(part))
    }

    /// Whether a client that is told so tries again by itself.
    pub(super) fn is_tried_again(&self) -> bool {
        self.status().is_none_or(|status| matches!(status, 408 | 429 | 500..=599))
    }

    /// The name behind a segment; segments compare without case.
    pub(super) fn named(&self, kind: &str) -> Option<&'a str> {
        let mut segments = self.path.split('/');
        segments.find(|segment| segment.eq_ignore_ascii_case(kind))?;
        segments.next().filter(|name| !name.is_empty())
    }

    /// Whether the path ends with the name behind this segment.
    pub(super) fn is_one_of(&self, kind: &str) -> bool {
        let mut segments = self.path.trim_end_matches('/').rsplit('/').skip(1);
        segments.next().is_some_and(|segment| segment.eq_ignore_ascii_case(kind))
    }

    /// The namespace that is to be registered.
    pub(super) fn registers(&self) -> Option<&'a str> {
        let register = self.method == "POST" && self.path.to_ascii_lowercase().ends_with("/register");
        self.named("providers").filter(|_| register)
    }

    /// The command that it belongs to, and its run.
    pub(super) fn command(&self) -> Option<(&'a str, &'a str)> {
        let command = fact(self.event, "command");
        (!command.is_empty()).then(|| (command, fact(self.event, "run")))
    }

    pub(super) fn location(&self) -> Option<String> {
        Some(fact(self.event, "location").to_owned()).filter(|location| !location.is_empty())
    }
}
