//! Exit codes: stable, part of the interface.

use std::process::ExitCode;

/// How a command ended. `exec` passes on the exit code of what it ran, 126 when that could not be run, 127 when it was
/// not found, and 128 plus the signal's number when a signal ended it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// 0: done.
    Ok,
    /// 1: it failed.
    Failed,
    /// 2: the command line or a file that it names is wrong.
    Usage,
    /// 3: there is no such world, cluster or thing.
    NotFound,
    /// 4: the world or its state cannot be used: another version, damaged, not answering, not writable.
    Unusable,
    /// 5: it is there already.
    Conflict,
    /// 126: the command of `exec` could not be run.
    NotRunnable,
    /// 127: the command of `exec` was not found.
    NoCommand,
    /// 129: the terminal went away.
    HungUp,
    /// 130: interrupted, as by Ctrl-C.
    Interrupted,
    /// 143: asked to end.
    Terminated,
    /// The exit code of the command of `exec`.
    Command(u8),
}

/// Every documented code with its meaning, for help texts and the manual.
pub const TABLE: [(u8, &str); 10] = [
    (0, "done"),
    (1, "it failed"),
    (2, "the command line, or a file that it names, is wrong"),
    (3, "there is no such world, cluster or thing"),
    (4, "the world or its state cannot be used (other version, damaged, not answering, not writable)"),
    (5, "it is there already"),
    (126, "exec: the command could not be run"),
    (127, "exec: the command was not found"),
    (130, "interrupted (129: the terminal went away, 143: asked to end)"),
    (128, "and above, exec: a signal ended the command (128 + its number)"),
];

impl Exit {
    /// The code.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::NotFound => 3,
            Self::Unusable => 4,
            Self::Conflict => 5,
            Self::NotRunnable => 126,
            Self::NoCommand => 127,
            Self::HungUp => 129,
            Self::Interrupted => 130,
            Self::Terminated => 143,
            Self::Command(code) => code,
        }
    }

    /// The ending that a code stands for.
    #[must_use]
    pub fn from_code(code: u8) -> Self {
        let known = [Self::Ok, Self::Failed, Self::Usage, Self::NotFound, Self::Unusable, Self::Conflict];
        known.into_iter().find(|exit| exit.code() == code).unwrap_or(Self::Command(code))
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_codes_are_the_documented_ones() {
        let exits = [
            (Exit::Ok, 0),
            (Exit::Failed, 1),
            (Exit::Usage, 2),
            (Exit::NotFound, 3),
            (Exit::Unusable, 4),
            (Exit::Conflict, 5),
            (Exit::NotRunnable, 126),
            (Exit::NoCommand, 127),
            (Exit::Interrupted, 130),
        ];
        for (exit, code) in exits {
            assert_eq!(exit.code(), code);
            assert!(TABLE.iter().any(|(documented, _)| *documented == code), "{code}");
        }
        assert_eq!(Exit::from_code(5), Exit::Conflict);
        assert_eq!(Exit::from_code(41), Exit::Command(41));
    }
}
