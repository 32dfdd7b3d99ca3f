//! How ARM writes moments.

use jiff::Timestamp;

/// With seven fraction digits, as in `systemData`.
#[must_use]
pub fn precise(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%S%.7fZ").to_string()
}

/// With as many fraction digits as there are, three at most, as in `lastConnectivityTime`.
#[must_use]
pub fn millis(time: Timestamp) -> String {
    let time = Timestamp::from_millisecond(time.as_millisecond()).unwrap_or(time);
    time.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_look_as_in_recordings() {
        let time: Timestamp = "2022-11-24T19:11:36.9343388Z".parse().unwrap();
        assert_eq!(precise(time), "2022-11-24T19:11:36.9343388Z");
        assert_eq!(millis(time), "2022-11-24T19:11:36.934Z");
        assert_eq!(millis("2025-06-05T05:08:14.62Z".parse().unwrap()), "2025-06-05T05:08:14.62Z");
        assert_eq!(precise("2025-06-05T05:08:14Z".parse().unwrap()), "2025-06-05T05:08:14.0000000Z");
    }
}
