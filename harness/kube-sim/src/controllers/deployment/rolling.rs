//! How a rolling update moves replicas from old ReplicaSets to the new one: arithmetic over counts.

use serde_json::Value;

use crate::controllers::objects::{number, scaled};

/// What a Deployment allows while it rolls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Limits {
    /// Pods asked for.
    pub(super) replicas: i64,
    /// Pods beyond that.
    pub(super) surge: i64,
    /// Pods that may be missing.
    pub(super) unavailable: i64,
}

impl Limits {
    /// The limits of a Deployment; the API's defaults are 1 replica and 25 % each.
    pub(super) fn of(deployment: &Value) -> Self {
        let replicas = number(deployment, "/spec/replicas").unwrap_or(1);
        if deployment.pointer("/spec/strategy/type").and_then(Value::as_str) == Some("Recreate") {
            return Self { replicas, surge: 0, unavailable: replicas };
        }
        let rolling = deployment.pointer("/spec/strategy/rollingUpdate");
        let field = |name| rolling.and_then(|rolling| rolling.get(name)).filter(|value| !value.is_null());
        let surge = scaled(field("maxSurge"), replicas, true, "25%").max(0);
        let mut unavailable =
            scaled(field("maxUnavailable"), replicas, false, "25%").clamp(0, replicas.max(0));
        if surge == 0 && unavailable == 0 {
            unavailable = 1;
        }
        Self { replicas, surge, unavailable }
    }

    /// The most pods that may exist.
    pub(super) fn maximum(self) -> i64 {
        if self.replicas == 0 { 0 } else { self.replicas + self.surge }
    }

    /// The fewest pods that must be available.
    pub(super) fn minimum(self) -> i64 {
        self.replicas - self.unavailable
    }
}

/// The counts of one ReplicaSet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Size {
    /// Replicas asked for.
    pub(super) wanted: i64,
    /// Replicas available.
    pub(super) available: i64,
}

impl Size {
    /// The counts of a ReplicaSet.
    pub(super) fn of(replica_set: &Value) -> Self {
        Self {
            wanted: number(replica_set, "/spec/replicas").unwrap_or(1),
            available: number(replica_set, "/status/availableReplicas").unwrap_or_default(),
        }
    }
}

/// How many replicas the new ReplicaSet should have next.
pub(super) fn grow(limits: Limits, new: Size, old: &[Size]) -> i64 {
    if new.wanted >= limits.replicas {
        return limits.replicas;
    }
    let total = new.wanted + old.iter().map(|size| size.wanted).sum::<i64>();
    let room = limits.replicas + limits.surge - total;
    new.wanted + room.min(limits.replicas - new.wanted).max(0)
}

/// How many replicas the old ReplicaSets should have next, oldest first: unavailable ones go before available ones.
pub(super) fn shrink(limits: Limits, new: Size, old: &[Size]) -> Vec<i64> {
    let mut wanted: Vec<i64> = old.iter().map(|size| size.wanted).collect();
    let total = new.wanted + wanted.iter().sum::<i64>();
    let mut removable = total - limits.minimum() - (new.wanted - new.available).max(0);
    for (left, size) in wanted.iter_mut().zip(old) {
        let unhealthy = (size.wanted - size.available).clamp(0, removable.max(0));
        *left -= unhealthy;
        removable -= unhealthy;
    }
    let available = new.available + old.iter().map(|size| size.available).sum::<i64>();
    let mut spare = (available - limits.minimum()).max(0).min(removable.max(0));
    for left in &mut wanted {
        let taken = (*left).min(spare).max(0);
        *left -= taken;
        spare -= taken;
    }
    wanted
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn size(wanted: i64, available: i64) -> Size {
        Size { wanted, available }
    }

    #[test]
    fn a_rollout_never_leaves_its_limits() {
        let limits = Limits { replicas: 4, surge: 1, unavailable: 1 };
        assert_eq!(grow(limits, size(0, 0), &[size(4, 4)]), 1);
        assert_eq!(shrink(limits, size(1, 0), &[size(4, 4)]), [3]);
        assert_eq!(grow(limits, size(1, 0), &[size(3, 3)]), 2);
        assert_eq!(shrink(limits, size(2, 0), &[size(3, 3)]), [3]);
        assert_eq!(shrink(limits, size(2, 2), &[size(3, 3)]), [1]);
        assert_eq!(shrink(limits, size(4, 4), &[size(1, 1)]), [0]);
    }

    #[test]
    fn unhealthy_old_replicas_go_first() {
        let limits = Limits { replicas: 3, surge: 1, unavailable: 0 };
        assert_eq!(shrink(limits, size(1, 0), &[size(2, 0), size(1, 1)]), [2, 1]);
        assert_eq!(shrink(limits, size(1, 1), &[size(2, 0), size(1, 1)]), [1, 1]);
    }

    #[test]
    fn limits_default_to_a_quarter_and_are_never_both_zero() {
        let limits = Limits::of(&json!({"spec": {"replicas": 4}}));
        assert_eq!(limits, Limits { replicas: 4, surge: 1, unavailable: 1 });
        let none = json!({"spec": {"strategy": {"rollingUpdate": {"maxSurge": 0, "maxUnavailable": "0%"}}}});
        assert_eq!(Limits::of(&none).unavailable, 1);
    }
}
