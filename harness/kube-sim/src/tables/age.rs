//! Durations for people, as Kubernetes shortens them.

use jiff::Timestamp;
use serde_json::Value;

/// Two or three significant figures: `45s`, `3m20s`, `17m`, `5h3m`, `2d4h`, `400d`, `3y20d`. A little less than zero is
/// `0s`; anything earlier is `<invalid>`.
#[must_use]
pub fn human_duration(seconds: i64) -> String {
    if seconds < -1 {
        return "<invalid>".into();
    }
    if seconds < 120 {
        return format!("{}s", seconds.max(0));
    }
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    let two = |big: i64, unit: &str, small: i64, small_unit: &str| match small {
        0 => format!("{big}{unit}"),
        _ => format!("{big}{unit}{small}{small_unit}"),
    };
    match () {
        () if minutes < 10 => two(minutes, "m", seconds % 60, "s"),
        () if minutes < 180 => format!("{minutes}m"),
        () if hours < 8 => two(hours, "h", minutes % 60, "m"),
        () if hours < 48 => format!("{hours}h"),
        () if days < 8 => two(days, "d", hours % 24, "h"),
        () if days < 730 => format!("{days}d"),
        () if days < 2920 => two(days / 365, "y", days % 365, "d"),
        () => format!("{}y", days / 365),
    }
}

/// How long ago a time was, or `<unknown>` when there is none.
pub(super) fn since(time: &Value, now: Timestamp) -> String {
    match parse(time) {
        Some(time) => human_duration(between(time, now)),
        None => "<unknown>".into(),
    }
}

pub(super) fn parse(time: &Value) -> Option<Timestamp> {
    time.as_str()?.parse().ok()
}

/// Whole seconds from one time to another.
pub(super) fn between(from: Timestamp, to: Timestamp) -> i64 {
    to.duration_since(from).as_secs()
}

#[cfg(test)]
mod tests {
    use super::human_duration;

    #[test]
    fn durations_are_shortened_as_kubectl_shows_them() {
        for (seconds, text) in [
            (-5, "<invalid>"),
            (-1, "0s"),
            (0, "0s"),
            (119, "119s"),
            (120, "2m"),
            (200, "3m20s"),
            (1020, "17m"),
            (10_799, "179m"),
            (10_800, "3h"),
            (18_180, "5h3m"),
            (28_800, "8h"),
            (172_800, "2d"),
            (187_200, "2d4h"),
            (864_000, "10d"),
            (86_400 * 800, "2y70d"),
            (86_400 * 3000, "8y"),
        ] {
            assert_eq!(human_duration(seconds), text);
        }
    }
}
