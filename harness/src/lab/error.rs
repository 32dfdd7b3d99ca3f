//! What can go wrong with a lab itself.

use std::time::Duration;

/// A lab could not do what was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LabError {
    /// The world did not start.
    #[error("the world could not be started: {0}")]
    Start(String),
    /// A condition did not come true in time.
    #[error("not true after {} of the world's time", crate::span::format(*.0))]
    Late(Duration),
}

impl LabError {
    pub(super) fn start(reason: impl std::fmt::Display) -> Self {
        Self::Start(reason.to_string())
    }
}
