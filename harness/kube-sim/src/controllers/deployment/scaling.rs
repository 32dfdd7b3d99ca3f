//! Scaling a Deployment in the middle of a rollout: every ReplicaSet gets its share of the difference.

use std::cmp::Reverse;

use serde_json::Value;

use super::revisions::{DESIRED, MAXIMUM};
use super::rolling::Limits;
use crate::controllers::objects::{annotation, number};

/// One ReplicaSet that has replicas.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Share {
    /// Replicas asked for.
    pub(super) wanted: i64,
    /// How many all could have before the Deployment was scaled.
    pub(super) maximum: i64,
}

impl Share {
    /// The share of a ReplicaSet; `total` stands in where the controller has not noted a maximum.
    pub(super) fn of(set: &Value, total: i64) -> Self {
        let noted = annotation(set, MAXIMUM).and_then(|text| text.parse().ok()).filter(|most| *most > 0);
        Self { wanted: number(set, "/spec/replicas").unwrap_or(1), maximum: noted.unwrap_or(total) }
    }
}

/// Whether a Deployment was scaled since its ReplicaSet was last looked at.
pub(super) fn is_scaled(set: &Value, replicas: i64) -> bool {
    let noted = annotation(set, DESIRED).and_then(|text| text.parse::<i64>().ok());
    number(set, "/spec/replicas").is_some_and(|wanted| wanted > 0)
        && noted.is_some_and(|noted| noted != replicas)
}

/// How many replicas each set should have. `shares` come oldest first, the new one last.
pub(super) fn proportional(limits: Limits, shares: &[Share]) -> Vec<i64> {
    let mut sizes: Vec<i64> = shares.iter().map(|share| share.wanted).collect();
    let add = limits.maximum() - sizes.iter().sum::<i64>();
    if add == 0 {
        return sizes;
    }
    let mut order: Vec<usize> = (0..shares.len()).filter(|at| shares[*at].wanted > 0).collect();
    // The larger first; among equals the newer grow and the older shrink.
    if add > 0 {
        order.sort_by_key(|at| (Reverse(shares[*at].wanted), Reverse(*at)));
    } else {
        order.sort_by_key(|at| (Reverse(shares[*at].wanted), *at));
    }
    let mut added = 0;
    for at in &order {
        let Share { wanted, maximum } = shares[*at];
        if maximum <= 0 {
            continue;
        }
        let product = wanted.saturating_mul(limits.maximum());
        // Half and more is rounded up.
        let fraction = (product.saturating_mul(2) + maximum) / (maximum.saturating_mul(2)) - wanted;
        let left = add - added;
        let part = if add > 0 { fraction.min(left) } else { fraction.max(left) };
        sizes[*at] += part;
        added += part;
    }
    if let Some(first) = order.first() {
        sizes[*first] = (sizes[*first] + add - added).max(0);
    }
    sizes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_set_grows_and_shrinks_by_its_share() {
        let shares = [Share { wanted: 8, maximum: 13 }, Share { wanted: 5, maximum: 13 }];
        // The example of the Kubernetes documentation: 10 replicas with 3 more in surge become 15.
        let limits = Limits { replicas: 15, surge: 3, unavailable: 2 };
        assert_eq!(proportional(limits, &shares), [11, 7]);
        let limits = Limits { replicas: 5, surge: 1, unavailable: 1 };
        assert_eq!(proportional(limits, &shares), [4, 2]);
        let limits = Limits { replicas: 0, surge: 1, unavailable: 0 };
        assert_eq!(proportional(limits, &shares), [0, 0]);
    }
}
