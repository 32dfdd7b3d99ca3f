//! Undoing what worlds did to real clusters and did not undo themselves.

use sim_core::clock::Clock;

use super::Progress;
use super::undo::Undo;
use crate::state::{Claim, StateHome, WorldName};

/// Undoes what dead worlds left in clusters and removes their folders; returns the worlds of which nothing is left. What cannot
/// be undone now stays written down, and is said.
pub async fn sweep(home: &StateHome, clock: &Clock, progress: &Progress) -> Vec<WorldName> {
    let mut undone = Vec::new();
    for claim in home.leftovers() {
        let name = claim.name();
        progress.say(&format!("world '{name}' ended without order: undoing what it did to its cluster"));
        if undo(&claim, clock, progress).await {
            undone.push(name.clone());
        }
    }
    undone
}

/// The same for one world of this process whose start was broken off.
pub async fn undo_start(home: &StateHome, name: &WorldName, clock: &Clock, progress: &Progress) {
    for claim in home.leftovers().into_iter().filter(|claim| claim.name() == name) {
        undo(&claim, clock, progress).await;
    }
}

async fn undo(claim: &Claim, clock: &Clock, progress: &Progress) -> bool {
    let undone = match Undo::read(claim.dir()) {
        Ok(undo) => Box::pin(undo.perform(clock, progress)).await,
        Err(error) => Err(error),
    };
    if let Err(error) = &undone {
        progress.say(&format!(
            "warning: world '{}' has left something: {}\n  next: {}; the next command tries again",
            claim.name(),
            error.what,
            error.next
        ));
    }
    undone.is_ok()
}
