//! Clock modes as people write them.

use sim_core::clock::Mode;

/// How `up` runs a clock when nobody says: a minute in a second.
pub const DEFAULT_SPEED: f64 = 60.0;

/// A combination of mode and speed that makes no clock.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum BadMode {
    /// No such mode.
    #[error("'{0}' is no clock: write real, scaled, instant or manual")]
    Name(String),
    /// No such speed.
    #[error("a clock cannot run at speed {0}: write a number from 0.001 to 1000000")]
    Speed(f64),
    /// The mode has a speed of its own.
    #[error("a clock that is '{0}' has no speed of its own: leave the speed out, or use scaled")]
    Pointless(String),
}

/// The mode that a name and a speed mean together; one of them, or neither, may be left out.
///
/// # Errors
/// [`BadMode`] for an unknown name, a speed that is none, or a speed for a clock that has none.
pub fn mode(name: Option<&str>, speed: Option<f64>, default: Mode) -> Result<Mode, BadMode> {
    if let Some(speed) = speed.filter(|speed| !(0.001..=1e6).contains(speed)) {
        return Err(BadMode::Speed(speed));
    }
    let alone = |mode: Mode| match speed {
        None => Ok(mode),
        Some(_) => Err(BadMode::Pointless(name.unwrap_or_default().into())),
    };
    match name {
        None => Ok(speed.map_or(default, at_speed)),
        Some("scaled") => Ok(Mode::Scaled { speed: speed.unwrap_or(DEFAULT_SPEED) }),
        Some("real") => alone(Mode::Real),
        Some("instant") => alone(Mode::Instant),
        Some("manual") => alone(Mode::Manual),
        Some(other) => Err(BadMode::Name(other.into())),
    }
}

/// A running clock at `speed`, which is positive and finite.
#[must_use]
pub fn at_speed(speed: f64) -> Mode {
    if (speed - 1.0).abs() < f64::EPSILON { Mode::Real } else { Mode::Scaled { speed } }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_speeds_make_modes_and_nonsense_is_refused() {
        let default = Mode::Scaled { speed: DEFAULT_SPEED };
        assert_eq!(mode(None, None, default), Ok(default));
        assert_eq!(mode(None, Some(1.0), default), Ok(Mode::Real));
        assert_eq!(mode(Some("manual"), None, default), Ok(Mode::Manual));
        assert_eq!(mode(Some("scaled"), Some(5.0), default), Ok(Mode::Scaled { speed: 5.0 }));
        assert!(matches!(mode(Some("real"), Some(5.0), default), Err(BadMode::Pointless(_))));
        for speed in [0.0, 1e-300, -1.0, f64::NAN, f64::INFINITY, 1e9] {
            assert!(matches!(mode(None, Some(speed), default), Err(BadMode::Speed(_))), "{speed}");
        }
    }
}
