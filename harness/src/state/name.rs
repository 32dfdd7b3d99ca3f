//! Names of worlds.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The longest name, in characters.
const LONGEST: usize = 40;

/// The name of a world: also the name of its folder and of its Kubernetes context. Lower-case letters, digits, `-`,
/// `_` and `.`, beginning with a letter or a digit, at most 40 characters.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct WorldName(String);

/// A text that cannot name a world.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "'{0}' cannot be a name: use up to 40 lower-case letters, digits, '-', '_' and '.', beginning with a letter or a digit"
)]
pub struct BadName(String);

impl WorldName {
    /// The name that is meant when none is given.
    pub const DEFAULT: &'static str = "default";

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name of a world that lives as long as the process `pid` needs it.
    #[must_use]
    pub fn temporary(purpose: &str, pid: u32) -> Self {
        Self(format!("{purpose}-{pid}"))
    }
}

impl Default for WorldName {
    fn default() -> Self {
        Self(Self::DEFAULT.into())
    }
}

impl fmt::Display for WorldName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl FromStr for WorldName {
    type Err = BadName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let begins_well = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        let fits = |c: char| begins_well(c) || matches!(c, '-' | '_' | '.');
        if text.starts_with(begins_well) && text.chars().all(fits) && text.len() <= LONGEST {
            Ok(Self(text.into()))
        } else {
            Err(BadName(text.chars().take(80).collect()))
        }
    }
}

impl TryFrom<String> for WorldName {
    type Error = BadName;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<WorldName> for String {
    fn from(name: WorldName) -> Self {
        name.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_safe_as_a_folder() {
        for good in ["default", "a", "0-x_y.z"] {
            assert_eq!(good.parse::<WorldName>().unwrap().as_str(), good);
        }
        for bad in ["", "..", ".x", "-x", "A", "a/b", "a b", "ä", &"x".repeat(41)] {
            assert!(bad.parse::<WorldName>().is_err(), "{bad}");
        }
    }
}
