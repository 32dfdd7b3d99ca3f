//! What holds for operations whatever happens to them: random interleavings of everything that can be done, over many seeds.

use std::collections::BTreeMap;
use std::time::Duration;

use arm_wire::error::ArmError;
use jiff::Timestamp;
use sim_core::clock::later;
use sim_core::ledger::Ledger;
use sim_core::seed::Seed;

use super::*;
use crate::profile::Style;
use crate::store::{DUE, ENDED, OPERATIONS};

const RETENTION: Duration = Duration::from_secs(200);

/// Numbers of one seed, in order.
struct Dice {
    seed: Seed,
    thrown: u64,
}

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.thrown += 1;
        let drawn = self.seed.uuid(&format!("dice/{}", self.thrown)).as_u128();
        u64::try_from(drawn % u128::from(end)).unwrap()
    }
}

fn draft(id: String, dice: &mut Dice) -> Draft {
    let fates = [Fate::Succeed, Fate::Succeed, Fate::Fail, Fate::Cancel, Fate::Hang, Fate::Lose];
    Draft {
        name: "N/t/write".into(),
        namespace: "N".into(),
        subscription: "s".into(),
        subject: format!("/x/{id}"),
        key: id.clone(),
        id,
        location: "eastus".into(),
        style: Style::Both,
        retry_after: 10,
        span: seconds(dice.below(120)),
        document: Document::default(),
        fate: fates[usize::try_from(dice.below(6)).unwrap()],
        hidden: seconds(dice.below(10)),
    }
}

/// Ends what is due, as whoever drives the clock does.
fn settle(ledger: &Ledger, now: Timestamp) {
    for id in ledger.read(|view| due(view, now)) {
        let done: Result<(), ()> = ledger.write(|txn| {
            let mut operation = get(txn, &id).filter(Operation::is_running).ok_or(())?;
            let state = operation.verdict.take().unwrap_or(State::Succeeded);
            finish(txn, &mut operation, state, now);
            Ok(())
        });
        assert!(done.is_ok(), "{id} was due but did not run");
    }
}

/// The laws, over the rows of a ledger at `now`.
fn check(ledger: &Ledger, now: Timestamp, ended: &mut BTreeMap<String, State>) {
    ledger.read(|view| {
        let operations = list(view);
        let due_ids: Vec<String> =
            view.scan(DUE, "").map(|(_, row)| row.value.as_str().unwrap().to_owned()).collect();
        for operation in &operations {
            // Who waits for a moment is running and listed once, at that moment; nobody else is listed.
            let listed = due_ids.iter().filter(|id| **id == operation.id).count();
            assert_eq!(listed, usize::from(operation.due.is_some()), "{operation:?}");
            assert!(operation.due.is_none() || operation.is_running(), "{operation:?}");
            // It has ended exactly when it has an end, which does not lie before its beginning or in the future.
            assert_eq!(operation.is_running(), operation.ended.is_none(), "{operation:?}");
            assert!(
                operation.ended.is_none_or(|end| operation.started <= end && end <= now),
                "{operation:?}"
            );
            // An end is final.
            if !operation.is_running() {
                let first = ended.entry(operation.id.clone()).or_insert_with(|| operation.state.clone());
                assert_eq!(*first, operation.state, "{operation:?}");
            }
        }
        // Nothing waits that is not there, and what waits comes in the order of its moments.
        assert!(due_ids.iter().all(|id| operations.iter().any(|operation| operation.id == *id)));
        assert_eq!(next_due(view), operations.iter().filter_map(|operation| operation.due).min());
        // What has ended and is not forgotten is on the list of what can be forgotten.
        let known = view.scan(ENDED, "").count();
        let over = operations.iter().filter(|operation| !operation.is_running()).count();
        assert_eq!(known, over);
    });
}

/// One world: a hundred random steps. Returns what is left, as text.
fn live(seed: u64) -> String {
    let mut dice = Dice { seed: Seed::new(seed), thrown: 0 };
    let ledger = Ledger::new();
    let mut now: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
    let mut ended = BTreeMap::new();
    for step in 0..100 {
        let some = format!("op-{}", dice.below(step + 1));
        match dice.below(8) {
            0 | 1 => {
                let made: Result<(), ()> = ledger.write(|txn| {
                    forget(txn, now, RETENTION);
                    begin(txn, draft(format!("op-{step}"), &mut dice), now);
                    Ok(())
                });
                made.unwrap();
            }
            2 => drop(control::advance(&ledger, &some, now)),
            3 => drop(control::fail(&ledger, &some, ArmError::new("Broken", "no"), now)),
            4 => drop(control::cancel(&ledger, &some, now)),
            5 => {
                // A transaction that is refused leaves no trace.
                let before = ledger.revision();
                let refused: Result<(), ()> = ledger.write(|txn| {
                    begin(txn, draft(format!("lost-{step}"), &mut dice), now);
                    Err(())
                });
                assert!(refused.is_err());
                assert_eq!(ledger.revision(), before);
            }
            _ => {
                now = later(now, seconds(dice.below(90)));
                settle(&ledger, now);
            }
        }
        check(&ledger, now, &mut ended);
    }
    ledger.read(|view| {
        let rows = view.scan(OPERATIONS, "").chain(view.scan(DUE, ""));
        rows.map(|(key, row)| format!("{key} {}\n", row.value)).collect()
    })
}

#[test]
fn any_interleaving_of_operations_and_time_keeps_the_laws() {
    for seed in 0..60 {
        live(seed);
    }
}

#[test]
fn the_same_seed_leaves_the_same_operations() {
    assert_eq!(live(7), live(7));
    assert_ne!(live(7), live(8));
}

#[test]
fn results_are_kept_for_their_time_and_then_forgotten_a_few_at_a_time() {
    let ledger = Ledger::new();
    let start: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
    let mut dice = Dice { seed: Seed::new(1), thrown: 0 };
    let done: Result<(), ()> = ledger.write(|txn| {
        for number in 0..10 {
            let mut operation = begin(txn, draft(format!("op-{number}"), &mut dice), start);
            finish(txn, &mut operation, State::Succeeded, start);
        }
        Ok(())
    });
    done.unwrap();
    let after = |seconds: u64| {
        let done: Result<(), ()> = ledger.write(|txn| {
            forget(txn, later(start, super::seconds(seconds)), RETENTION);
            Ok(())
        });
        done.unwrap();
        ledger.read(|view| list(view).len())
    };
    assert_eq!(after(200), 10);
    assert_eq!(after(201), 6);
    assert_eq!(after(201), 2);
    assert_eq!(after(201), 0);
    ledger.read(|view| assert_eq!(view.scan(ENDED, "").count(), 0));
}
