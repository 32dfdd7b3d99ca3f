//! The world's clock.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use bytes::Bytes;
use jiff::{Span, SpanRelativeTo, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sim_core::clock::{Advanced, Mode, Reading};
use sim_core::journal::Entry;

use super::problem::{Problem, parse};
use crate::world::World;

/// Slower would make every pause longer than anybody waits.
const SLOWEST: f64 = 0.001;

/// Faster would make one tick of a timer longer than a day.
const FASTEST: f64 = 1e6;

/// Farther would keep every periodic timer of the world busy for hours.
const FARTHEST: Duration = Duration::from_secs(3660 * 24 * 3600);

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Setting {
    mode: Option<String>,
    speed: Option<f64>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Advance {
    span: Value,
}

/// What an advance did.
#[derive(Debug, Serialize)]
pub(super) struct Outcome {
    from: Timestamp,
    #[serde(flatten)]
    reading: Reading,
    #[serde(flatten)]
    advanced: Advanced,
}

pub(super) async fn read(State(world): State<World>) -> Json<Reading> {
    Json(world.clock.reading())
}

pub(super) async fn set(State(world): State<World>, body: Bytes) -> Result<Json<Reading>, Problem> {
    let setting: Setting = parse(&body, r#"{"mode":"scaled","speed":60}"#)?;
    let mode = mode_of(&setting)?;
    world.clock.set_mode(mode);
    let entry = Entry::new("control", "clock").fact("mode", setting.mode.as_deref().unwrap_or("scaled"));
    world.journal.record(match mode.speed() {
        Some(speed) => entry.fact("speed", speed),
        None => entry,
    });
    Ok(Json(world.clock.reading()))
}

fn mode_of(setting: &Setting) -> Result<Mode, Problem> {
    let mode = setting.mode.as_deref().map(str::to_ascii_lowercase);
    let lone = |mode| match setting.speed {
        None => Ok(mode),
        Some(_) => Err(Problem::invalid("only the mode 'scaled' has a speed", "leave out 'speed'")),
    };
    match mode.as_deref() {
        Some("real") => lone(Mode::Real),
        Some("instant") => lone(Mode::Instant),
        Some("manual") => lone(Mode::Manual),
        Some("scaled") | None => match setting.speed {
            Some(speed) if (SLOWEST..=FASTEST).contains(&speed) => Ok(Mode::Scaled { speed }),
            Some(speed) => Err(Problem::invalid(
                format!("{speed} is no speed"),
                format!("give world seconds per second: from {SLOWEST} to {FASTEST}"),
            )),
            None => Err(Problem::invalid("the speed is missing", r#"send, for example, {"speed":60}"#)),
        },
        Some(other) => Err(Problem::invalid(
            format!("'{other}' is no mode of the clock"),
            "use real, scaled, instant or manual",
        )),
    }
}

pub(super) async fn advance(State(world): State<World>, body: Bytes) -> Result<Json<Outcome>, Problem> {
    let advance: Advance = parse(&body, r#"{"span":"11m"}"#)?;
    let span = span_of(&advance.span)?;
    if span > FARTHEST {
        return Err(Problem::invalid(
            format!("{} is too far to advance at once", advance.span),
            "advance by at most ten years (3660d)",
        ));
    }
    let from = world.clock.now();
    world.journal.record(Entry::new("control", "advance").fact("seconds", span.as_secs_f64()));
    let advanced = world.clock.advance(span).await;
    Ok(Json(Outcome { from, reading: world.clock.reading(), advanced }))
}

/// A span of time: a number of seconds, or a text such as `11m`, `1h30m`, `2d`, `PT11M`, `660`.
fn span_of(value: &Value) -> Result<Duration, Problem> {
    let wrong = |reason: &str| {
        Problem::invalid(
            format!("{value} is no span to advance by: {reason}"),
            "give seconds as a number, or a text such as \"90s\", \"11m\", \"1h30m\" or \"2d\"",
        )
    };
    let seconds = |seconds: f64| {
        Duration::try_from_secs_f64(seconds).map_err(|_| wrong("it must not be negative or endless"))
    };
    let text = match value {
        Value::Number(number) => return seconds(number.as_f64().unwrap_or(-1.0)),
        Value::String(text) => text.trim(),
        _ => return Err(wrong("it is neither a number nor a text")),
    };
    if let Ok(number) = text.parse::<f64>() {
        return seconds(number);
    }
    let span: Span = text.parse().map_err(|_| wrong("it cannot be read"))?;
    let length = span
        .to_duration(SpanRelativeTo::days_are_24_hours())
        .map_err(|_| wrong("months and years differ in length"))?;
    Duration::try_from(length).map_err(|_| wrong("it goes back in time"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn spans_are_texts_or_seconds() {
        let seconds = |value: Value| span_of(&value).map(|span| span.as_secs());
        assert_eq!(seconds(json!("11m")), Ok(660));
        assert_eq!(seconds(json!(660)), Ok(660));
        assert_eq!(seconds(json!("660")), Ok(660));
        assert_eq!(seconds(json!("1h30m")), Ok(5400));
        assert_eq!(seconds(json!("2d")), Ok(172_800));
        assert_eq!(seconds(json!("PT11M")), Ok(660));
        for wrong in
            [json!("eleven"), json!(-1), json!("-5m"), json!(null), json!("1y"), json!("inf"), json!("")]
        {
            assert!(seconds(wrong.clone()).is_err(), "{wrong}");
        }
    }
}
