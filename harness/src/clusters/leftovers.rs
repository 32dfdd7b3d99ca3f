//! Undoing what worlds did to real clusters whose processes died.

use sim_core::clock::Clock;

use super::Progress;
use super::undo::Undo;
use crate::state::StateHome;

/// Undoes what dead worlds left in clusters and removes their folders. What cannot be undone now stays written down, and is said.
pub async fn sweep(home: &StateHome, clock: &Clock, progress: &Progress) {
    for claim in home.leftovers() {
        let name = claim.name().clone();
        progress.say(&format!("world '{name}' ended without order: undoing what it did to its cluster"));
        let undone = match Undo::read(claim.dir()) {
            Ok(undo) => Box::pin(undo.perform(clock, progress)).await,
            Err(error) => Err(error),
        };
        if let Err(error) = undone {
            progress.say(&format!(
                "warning: world '{name}' has left something: {}\n  next: {}; the next command tries again",
                error.what, error.next
            ));
        }
    }
}
