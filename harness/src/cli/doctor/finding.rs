//! What was found out about one thing.

use std::path::PathBuf;

use serde::Serialize;

/// Whether a thing can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum State {
    /// It can.
    Ok,
    /// It is not there.
    Missing,
    /// It is there and does not work.
    Unusable,
}

impl State {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Missing => "missing",
            Self::Unusable => "unusable",
        }
    }
}

/// One thing on this machine.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Finding {
    /// What it is called.
    pub(super) name: &'static str,
    /// Whether a world with an embedded cluster cannot do without.
    pub(super) required: bool,
    /// Whether it can be used.
    pub(super) state: State,
    /// Its version, where it tells one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) version: Option<String>,
    /// Where it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) place: Option<String>,
    /// Why it is as it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) detail: Option<String>,
    /// What a world uses it for.
    pub(super) needed_for: &'static str,
    /// How to get it, or to make it work.
    pub(super) get: String,
}

impl Finding {
    /// Something optional that is not there.
    pub(super) fn missing(name: &'static str, needed_for: &'static str, get: impl Into<String>) -> Self {
        Self {
            name,
            required: false,
            state: State::Missing,
            version: None,
            place: None,
            detail: None,
            needed_for,
            get: get.into(),
        }
    }

    /// The same, there and working.
    pub(super) fn found(mut self, place: Option<PathBuf>, version: Option<String>) -> Self {
        self.state = State::Ok;
        self.place = place.map(|path| path.display().to_string());
        self.version = version;
        self
    }

    /// The same, there and not working.
    pub(super) fn unusable(mut self, place: Option<PathBuf>, detail: impl Into<String>) -> Self {
        self.state = State::Unusable;
        self.place = place.map(|path| path.display().to_string());
        self.detail = Some(detail.into());
        self
    }

    /// The same, as something that every world needs.
    pub(super) fn required(mut self) -> Self {
        self.required = true;
        self
    }

    /// Whether no world can run for lack of this.
    pub(super) fn lacking(&self) -> bool {
        self.required && self.state != State::Ok
    }
}
