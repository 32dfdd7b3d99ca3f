//! Spans of time as people write them.

use std::time::Duration;

/// Reads `90s`, `11m`, `1h30m`, `2d` or ISO 8601 (`PT11M`).
///
/// # Errors
/// A text that says how to write one.
pub fn parse(text: &str) -> Result<Duration, String> {
    let wrong = || format!("'{text}' is no span of time: write 90s, 11m, 1h30m or 2d");
    if text.trim().is_empty() || text.chars().all(|c| c.is_ascii_digit()) {
        return Err(format!("{} (a bare number has no unit)", wrong()));
    }
    let span: jiff::Span = text.parse().map_err(|_| wrong())?;
    let days_of_24_hours = jiff::SpanRelativeTo::days_are_24_hours();
    let length = span.to_duration(days_of_24_hours).map_err(|_| wrong())?;
    Duration::try_from(length).map_err(|_| format!("'{text}' goes back in time; a span goes forward"))
}

/// Writes a span with its two largest units.
#[must_use]
pub fn format(span: Duration) -> String {
    let seconds = span.as_secs();
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds}s"),
        (0, 0, _) => format!("{minutes}m{}s", seconds % 60),
        (0, _, _) => format!("{hours}h{minutes}m"),
        _ => format!("{days}d{hours}h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_read_as_people_write_them() {
        assert_eq!(parse("11m").unwrap(), Duration::from_secs(660));
        assert_eq!(parse("1h30m").unwrap(), Duration::from_secs(5400));
        assert_eq!(parse("2d").unwrap(), Duration::from_secs(172_800));
        assert_eq!(parse("90s").unwrap(), Duration::from_secs(90));
        for wrong in ["", "eleven", "11", "-5m", "5x", "1y"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
        assert_eq!(format(Duration::from_secs(671)), "11m11s");
    }
}
