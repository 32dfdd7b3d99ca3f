//! What rules cost: an estimate of the most, made of a schema before a rule ever runs, and a meter for when it does.
//!
//! A unit is about what one access to a field costs. Limits, weights and rounding are those of the real server, so that a
//! definition that it refuses is refused here. Sources: Kubernetes' documentation of the resource constraints on validation
//! rules, cel-go's estimate and its tracker of costs, and kube's additions to both.

mod bounds;
mod estimate;
mod meter;
mod metered;
mod weights;

pub(super) use estimate::estimate;
pub(super) use meter::Meter;
pub(super) use metered::metered;

pub(crate) use bounds::{Cardinality, most_often};

/// The most that one rule may be estimated to cost.
pub(crate) const OF_ONE_RULE: u64 = 10_000_000;

/// The most that all rules of a schema may be estimated to cost together.
pub(crate) const OF_A_SCHEMA: u64 = 100_000_000;

/// The most that one evaluation of a rule may cost.
pub(super) const OF_ONE_CALL: u64 = 1_000_000;

/// The most that the rules of one object may cost together.
pub(super) const OF_AN_OBJECT: u64 = 10_000_000;

/// The largest request that is taken, in bytes: what bounds everything that a schema does not bound.
const REQUEST: u64 = 3 * 1024 * 1024;

/// How far an estimate is beyond its limit, as the real server words it.
pub(crate) fn beyond(what: &str, cost: u64, limit: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "a factor that is shown with one digit")]
    let factor = cost as f64 / limit as f64;
    let shown = match factor {
        // Nobody learns from more digits.
        factor if factor > 100.0 => "more than 100x".to_owned(),
        factor if factor < 1.5 => format!("{factor:.6}x"),
        factor => format!("{factor:.1}x"),
    };
    format!(
        "{what} exceeds budget by factor of {shown} (try simplifying the rule, or adding maxItems, maxProperties, and maxLength where arrays, maps, and strings are declared)"
    )
}

/// A part of a length, rounded up: what going through a text costs. The rounding is that of binary fractions.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the real server calculates so, and what is too large is the largest"
)]
fn part(length: u64, factor: f64) -> u64 {
    (length as f64 * factor).ceil() as u64
}

/// What going through a text once costs.
fn traversed(length: u64) -> u64 {
    part(length, 0.1)
}
