//! The user's own environment, as it was before a world's variables were laid over it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Variable in which a world's environment keeps what it covered, so that it can be undone and looked through.
pub(super) const OUTER: &str = "DRYARC_OUTER";

/// The user's environment. Inside `dryarc exec` or after `eval "$(dryarc env)"` it still tells what the user had: the
/// upstream proxy is theirs and not another world's gateway, the home folder is the real one.
#[derive(Debug, Clone, Default)]
pub struct OuterEnv {
    own: BTreeMap<String, String>,
    covered: Option<Vec<String>>,
}

impl OuterEnv {
    /// From the variables of a process. Variables that are not text are left out.
    #[must_use]
    pub fn new(variables: impl IntoIterator<Item = (String, String)>) -> Self {
        let mut variables: BTreeMap<String, String> = variables.into_iter().collect();
        let covered = variables
            .remove(OUTER)
            .and_then(|text| serde_json::from_str::<BTreeMap<String, Option<String>>>(&text).ok());
        let names = covered.as_ref().map(|covered| covered.keys().cloned().collect());
        for (name, value) in covered.into_iter().flatten() {
            match value {
                Some(value) => variables.insert(name, value),
                None => variables.remove(&name),
            };
        }
        Self { own: variables, covered: names }
    }

    /// The names of the variables that a world's environment lays over the user's; none outside of one.
    pub(super) fn covered(&self) -> Option<&[String]> {
        self.covered.as_deref()
    }

    /// From this process.
    #[must_use]
    pub fn of_this_process() -> Self {
        let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        Self::new(std::env::vars_os().filter_map(text))
    }

    /// The value of a variable; empty counts as not set.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.own.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// Every variable with its value.
    pub fn variables(&self) -> impl Iterator<Item = (&str, &str)> {
        self.own.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The value exactly as it is, empty or not.
    pub(super) fn raw(&self, name: &str) -> Option<&str> {
        self.own.get(name).map(String::as_str)
    }

    /// The proxy that the user's own programs go through to reach HTTPS hosts.
    #[must_use]
    pub fn upstream_proxy(&self) -> Option<&str> {
        self.upstream_variable().map(|(_, value)| value)
    }

    /// The same, behind the variable that names it.
    #[must_use]
    pub fn upstream_variable(&self) -> Option<(&'static str, &str)> {
        let names = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];
        names.into_iter().find_map(|name| Some((name, self.get(name)?)))
    }

    /// The hosts that the user's own programs reach without that proxy.
    #[must_use]
    pub fn no_proxy(&self) -> Option<&str> {
        ["NO_PROXY", "no_proxy"].into_iter().find_map(|name| self.get(name))
    }

    /// The first executable file of this name on `PATH`, absolute.
    #[must_use]
    pub fn program(&self, name: &str) -> Option<PathBuf> {
        let directories = std::env::split_paths(self.get("PATH")?);
        directories
            .filter(|directory| directory.is_absolute())
            .map(|directory| directory.join(name))
            .find(|path| executable(path))
    }
}

pub(super) fn executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::metadata(path).is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(pairs: &[(&str, &str)]) -> OuterEnv {
        OuterEnv::new(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
    }

    #[test]
    fn what_a_world_covered_is_seen_through() {
        let inside = env(&[
            ("HOME", "/state/home"),
            ("HTTPS_PROXY", "http://127.0.0.1:1"),
            (OUTER, r#"{"HOME":"/root","HTTPS_PROXY":null}"#),
        ]);
        assert_eq!(inside.get("HOME"), Some("/root"));
        assert_eq!(inside.upstream_proxy(), None);
        assert_eq!(env(&[("https_proxy", "proxy:3128")]).upstream_proxy(), Some("proxy:3128"));
    }

    #[test]
    fn programs_are_found_on_the_path_only_when_executable() {
        let env = env(&[("PATH", "relative:/bin:/usr/bin")]);
        assert!(env.program("sh").is_some_and(|path| path.is_absolute()));
        assert_eq!(env.program("no-such-program-here"), None);
    }
}
