//! How something ended.

/// How something that a client did ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) enum End {
    /// It was done.
    #[default]
    Done,
    /// It failed, with what Azure said if it said something.
    Failed { status: Option<u16>, code: Option<String> },
    /// The journal does not tell; why a failure is assumed.
    Unclear(&'static str),
}

impl End {
    pub(super) fn is_failure(&self) -> bool {
        *self != Self::Done
    }
}
