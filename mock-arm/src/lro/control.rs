//! Intervening in operations from outside: hurry one, or let it fail or be cancelled.

use arm_wire::error::ArmError;
use jiff::Timestamp;
use sim_core::ledger::Ledger;

use super::{Operation, State, get, schedule};

/// An operation cannot be changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ControlError {
    /// There is none with this id.
    #[error("there is no operation '{0}'")]
    Unknown(String),
    /// It is over.
    #[error("operation '{0}' has already ended")]
    Ended(String),
}

fn change(
    ledger: &Ledger,
    id: &str,
    change: impl FnOnce(&mut Operation) -> Timestamp,
) -> Result<Operation, ControlError> {
    ledger.write(|txn| {
        let mut operation = get(txn, id).ok_or_else(|| ControlError::Unknown(id.into()))?;
        if !operation.is_running() {
            return Err(ControlError::Ended(id.into()));
        }
        let at = change(&mut operation);
        schedule(txn, &mut operation, at);
        Ok(operation)
    })
}

/// Lets an operation come due now, even one that is stuck.
///
/// # Errors
/// [`ControlError`] when there is nothing to hurry.
pub fn advance(ledger: &Ledger, id: &str, now: Timestamp) -> Result<Operation, ControlError> {
    change(ledger, id, |_| now)
}

/// Ends an operation as failed. The provider then does what it does when such an operation fails.
///
/// # Errors
/// [`ControlError`] when there is nothing to fail.
pub fn fail(ledger: &Ledger, id: &str, error: ArmError, now: Timestamp) -> Result<Operation, ControlError> {
    change(ledger, id, |operation| {
        operation.verdict = Some(State::Failed { error });
        now
    })
}

/// Ends an operation as cancelled.
///
/// # Errors
/// [`ControlError`] when there is nothing to cancel.
pub fn cancel(ledger: &Ledger, id: &str, now: Timestamp) -> Result<Operation, ControlError> {
    change(ledger, id, |operation| {
        operation.verdict = Some(State::Canceled);
        now
    })
}
