//! Ctrl-C, TERM and HUP.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::{CliError, Exit};

/// The signals that end a command in order.
#[derive(Debug)]
pub(super) struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
}

/// One of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    /// Ctrl-C.
    Interrupt,
    /// TERM.
    Terminate,
    /// HUP.
    Hangup,
}

impl Signals {
    /// Takes the three signals over from their defaults.
    ///
    /// # Errors
    /// When the system refuses.
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// Waits for the next one. Cancelling loses nothing.
    pub(super) async fn next(&mut self) -> Asked {
        tokio::select! {
            Some(()) = self.interrupt.recv() => Asked::Interrupt,
            Some(()) = self.terminate.recv() => Asked::Terminate,
            Some(()) = self.hangup.recv() => Asked::Hangup,
            else => std::future::pending().await,
        }
    }
}

impl Asked {
    /// The signal of this number, if it is one of them.
    pub(super) fn from_number(number: i32) -> Option<Self> {
        let all = [Self::Interrupt, Self::Terminate, Self::Hangup];
        all.into_iter().find(|asked| asked.signal().as_raw() == number)
    }

    /// How a command ends that was asked so.
    #[must_use]
    pub(super) fn exit(self) -> Exit {
        match self {
            Self::Interrupt => Exit::Interrupted,
            Self::Terminate => Exit::Terminated,
            Self::Hangup => Exit::HungUp,
        }
    }

    /// The signal as a number that can be sent on.
    #[must_use]
    pub(super) fn signal(self) -> rustix::process::Signal {
        match self {
            Self::Interrupt => rustix::process::Signal::INT,
            Self::Terminate => rustix::process::Signal::TERM,
            Self::Hangup => rustix::process::Signal::HUP,
        }
    }

    /// The error of a command that gave way.
    #[must_use]
    pub(super) fn error(self) -> CliError {
        let what = match self {
            Self::Interrupt => "interrupted",
            Self::Terminate => "asked to end",
            Self::Hangup => "the terminal went away",
        };
        CliError::new(self.exit(), what)
    }
}
