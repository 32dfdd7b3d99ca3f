//! The folder outside of the repository that keeps what the set-up scripts installed.

use std::path::PathBuf;

/// Where the part `name` of the cache is: where `variable` says, or else below `DRYARC_TEST_CACHE`, or else below the user's
/// cache folder. None when none of these is known.
#[must_use]
pub fn folder(variable: &str, name: &str) -> Option<PathBuf> {
    let named = |variable: &str| std::env::var_os(variable).map(PathBuf::from);
    let user = || named("XDG_CACHE_HOME").or_else(|| named("HOME").map(|home| home.join(".cache")));
    let tests = || named("DRYARC_TEST_CACHE").or_else(|| user().map(|user| user.join("dryarc-tests")));
    named(variable).or_else(|| tests().map(|tests| tests.join(name)))
}
