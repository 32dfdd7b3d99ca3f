//! The user's Azure CLI extensions: a writable copy for the world, and an index that says they are the latest.
//!
//! The copy is needed because the extension rewrites files inside of its own folder. The index is needed because
//! `az extension add` asks for it even when the extension is there.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::OuterEnv;
use crate::state::{Facts, StateError, create_private_dir};

/// How deep folders are followed; extensions nest a few levels only.
const DEEPEST: u32 = 32;

/// The extension that onboarding with the Azure CLI needs.
pub const CONNECTEDK8S: &str = "connectedk8s";

/// The variables that name a folder of extensions, strongest first.
const VARIABLES: [&str; 2] = ["DRYARC_AZ_EXTENSION_DIR", "AZURE_EXTENSION_DIR"];

/// What the Azure CLI remembers of its commands; it does not look again while this is there.
const COMMAND_INDEX: &str = "commandIndex.json";

/// Where the user keeps extensions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExtensionSource {
    /// The folder, whether it exists or not.
    pub folder: PathBuf,
    /// The variable that named it, if one did.
    pub variable: Option<&'static str>,
}

/// What came of taking over the user's extensions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Brought {
    /// It was not in the world and is now, in this version (empty when it tells none).
    New {
        /// Its name.
        name: String,
        /// Its version.
        version: String,
    },
    /// The world has its own copy, in another version than the user's.
    Kept {
        /// Its name.
        name: String,
        /// The version in the world.
        ours: String,
        /// The user's version.
        theirs: String,
    },
    /// It could not be copied.
    Failed {
        /// Its name.
        name: String,
        /// Why not.
        reason: String,
    },
}

/// The user's extensions are looked for in `DRYARC_AZ_EXTENSION_DIR`, `AZURE_EXTENSION_DIR`, `cliextensions` in
/// `AZURE_CONFIG_DIR`, and `~/.azure/cliextensions`: the first that is set counts. `None` when none is.
#[must_use]
pub fn source(outer: &OuterEnv) -> Option<ExtensionSource> {
    let named = VARIABLES.into_iter().find_map(|name| Some((name, outer.get(name)?)));
    if let Some((name, folder)) = named {
        return Some(ExtensionSource { folder: folder.into(), variable: Some(name) });
    }
    let config = outer.get("AZURE_CONFIG_DIR").map(PathBuf::from);
    let config = config.or_else(|| outer.get("HOME").map(|home| Path::new(home).join(".azure")))?;
    Some(ExtensionSource { folder: config.join("cliextensions"), variable: None })
}

/// Copies the user's extensions that the world does not have to its own folder, which exists afterwards in any case. What
/// the world has stays as it is, because a script may have changed it. Blocks.
///
/// # Errors
/// When the folder cannot be made. An extension that cannot be copied is in the result.
pub fn bring(outer: &OuterEnv, facts: &Facts) -> Result<Vec<Brought>, StateError> {
    let target = facts.az_extensions();
    create_private_dir(&target)?;
    let Some(source) = source(outer) else { return Ok(Vec::new()) };
    let same =
        source.folder.canonicalize().is_ok_and(|from| target.canonicalize().is_ok_and(|to| from == to));
    if same {
        return Ok(Vec::new());
    }
    let brought: Vec<Brought> = names(&source.folder)
        .into_iter()
        .filter_map(|name| bring_one(&source.folder, &target, name))
        .collect();
    if brought.iter().any(|one| matches!(one, Brought::New { .. })) {
        // A file that is not there is as good.
        let _ = std::fs::remove_file(facts.azure_config().join(COMMAND_INDEX));
    }
    Ok(brought)
}

fn bring_one(from: &Path, to: &Path, name: String) -> Option<Brought> {
    let (source, target) = (from.join(&name), to.join(&name));
    if !source.is_dir() {
        return None;
    }
    let theirs = version_of(from, &name).unwrap_or_default();
    if target.exists() {
        let ours = version_of(to, &name).unwrap_or_default();
        return (ours != theirs).then_some(Brought::Kept { name, ours, theirs });
    }
    // Beside its place first: another command may look at the same time. The Azure CLI passes over what tells no version.
    let beside = to.join(format!(".{name}.{}", std::process::id()));
    let placed = copy_tree(&source, &beside, DEEPEST).and_then(|()| std::fs::rename(&beside, &target));
    match placed {
        Ok(()) => Some(Brought::New { name, version: theirs }),
        Err(error) => {
            // What is half there is of no use.
            let _ = std::fs::remove_dir_all(&beside);
            let reason = error.to_string();
            (!target.exists()).then_some(Brought::Failed { name, reason })
        }
    }
}

/// The version of the extension `name` in `folder`, if it is there and tells one.
#[must_use]
pub fn version_of(folder: &Path, name: &str) -> Option<String> {
    let prefix = format!("{}-", name.replace('-', "_"));
    names(&folder.join(name)).into_iter().find_map(|file| {
        let rest = file.strip_suffix(".dist-info")?;
        let rest = rest.strip_prefix(&prefix).or_else(|| rest.strip_prefix(&format!("{name}-")))?;
        Some(rest.to_owned())
    })
}

/// What is in a folder, in order; nothing when it cannot be read.
fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| !name.starts_with('.'))
        .collect();
    names.sort();
    names
}

/// With the times of the original: Python compiles what is younger than its compiled form, which takes seconds.
fn copy_file(from: &Path, to: &Path, meta: &std::fs::Metadata) -> std::io::Result<()> {
    std::fs::copy(from, to)?;
    let times = std::fs::FileTimes::new().set_modified(meta.modified()?);
    match std::fs::File::options().write(true).open(to) {
        Ok(file) => file.set_times(times),
        // A file that may not be written keeps the time of the copy.
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => Ok(()),
        Err(error) => Err(error),
    }
}

fn copy_tree(from: &Path, to: &Path, depth: u32) -> std::io::Result<()> {
    // Links are followed: the copy must not lead back into the user's folder.
    let meta = std::fs::metadata(from)?;
    if !meta.is_dir() {
        return if meta.is_file() { copy_file(from, to, &meta) } else { Ok(()) };
    }
    if depth == 0 {
        return Err(std::io::Error::other("folders are nested too deeply"));
    }
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        copy_tree(&entry.path(), &to.join(entry.file_name()), depth - 1)?;
    }
    Ok(())
}

/// An extension index (the document behind `AZURE_EXTENSION_INDEX_URL`) that offers exactly what is in `folder`, each in
/// the version it has. `base_url` is where the index is served; nothing can be downloaded from there.
#[must_use]
pub fn index(folder: &Path, base_url: &str) -> Value {
    let mut extensions = Map::new();
    for (name, version) in installed(folder) {
        let filename = format!("{}-{version}-py3-none-any.whl", name.replace('-', "_"));
        let item = json!({
            "filename": filename,
            "downloadUrl": format!("{base_url}/{filename}"),
            "sha256Digest": "",
            "metadata": { "name": name, "version": version, "azext.isPreview": false },
        });
        extensions.insert(name, json!([item]));
    }
    json!({ "formatVersion": "1", "extensions": extensions })
}

/// Name and version of each extension that tells one.
fn installed(folder: &Path) -> Vec<(String, String)> {
    let both = |name: String| version_of(folder, &name).map(|version| (name, version));
    names(folder).into_iter().filter_map(both).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::testing::record;

    struct Place(PathBuf);

    impl Place {
        fn new(name: &str) -> Self {
            let root = std::env::temp_dir().join(format!("dryarc-ext-{}-{name}", std::process::id()));
            let _ = std::fs::remove_dir_all(&root);
            std::fs::create_dir_all(root.join("user")).unwrap();
            Self(root)
        }

        fn extension(&self, name: &str, version: &str) {
            let dist = format!("{}-{version}.dist-info", name.replace('-', "_"));
            std::fs::create_dir_all(self.0.join("user").join(name).join(dist)).unwrap();
            std::fs::write(self.0.join("user").join(name).join("code.py"), version).unwrap();
        }

        fn outer(&self) -> OuterEnv {
            OuterEnv::new([(VARIABLES[0].to_owned(), self.0.join("user").display().to_string())])
        }

        fn facts(&self) -> Facts {
            record(&self.0.join("world").display().to_string()).facts
        }
    }

    impl Drop for Place {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn extensions_are_copied_and_indexed_in_the_version_they_have() {
        let place = Place::new("copy");
        place.extension("k8s-extension", "1.6.4");
        std::fs::create_dir_all(place.0.join("user/k8s-extension/yaml-6.0.dist-info")).unwrap();
        let (outer, facts) = (place.outer(), place.facts());
        let new = Brought::New { name: "k8s-extension".into(), version: "1.6.4".into() };
        assert_eq!(bring(&outer, &facts).unwrap(), [new]);
        let target = facts.az_extensions();
        let modified = |folder: PathBuf| {
            std::fs::metadata(folder.join("k8s-extension/code.py")).unwrap().modified().unwrap()
        };
        let own = modified(place.0.join("user"));
        assert_eq!(modified(target.clone()), own, "compiled code stays valid");
        let index = index(&target, "http://127.0.0.1:1/az");
        let item = &index["extensions"]["k8s-extension"][0];
        assert_eq!(item["metadata"]["version"], "1.6.4");
        assert_eq!(item["filename"], "k8s_extension-1.6.4-py3-none-any.whl");
    }

    #[test]
    fn what_comes_later_is_added_and_what_is_there_stays() {
        let place = Place::new("later");
        let (outer, facts) = (place.outer(), place.facts());
        assert_eq!(bring(&outer, &facts).unwrap(), []);
        std::fs::write(facts.azure_config().join(COMMAND_INDEX), "{}").unwrap();
        place.extension("connectedk8s", "1.10.0");
        let new = Brought::New { name: "connectedk8s".into(), version: "1.10.0".into() };
        assert_eq!(bring(&outer, &facts).unwrap(), [new]);
        assert!(!facts.azure_config().join(COMMAND_INDEX).exists(), "the Azure CLI looks again");
        assert_eq!(bring(&outer, &facts).unwrap(), []);
        std::fs::remove_dir_all(place.0.join("user/connectedk8s")).unwrap();
        place.extension("connectedk8s", "1.11.2");
        let kept =
            Brought::Kept { name: "connectedk8s".into(), ours: "1.10.0".into(), theirs: "1.11.2".into() };
        assert_eq!(bring(&outer, &facts).unwrap(), [kept]);
        assert_eq!(version_of(&facts.az_extensions(), CONNECTEDK8S).unwrap(), "1.10.0");
    }

    #[test]
    fn the_strongest_variable_names_the_folder() {
        let outer = |pairs: &[(&str, &str)]| {
            OuterEnv::new(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
        };
        let found = |pairs: &[(&str, &str)]| source(&outer(pairs)).map(|one| one.folder);
        assert_eq!(found(&[("HOME", "/h")]), Some("/h/.azure/cliextensions".into()));
        assert_eq!(found(&[("HOME", "/h"), ("AZURE_CONFIG_DIR", "/c")]), Some("/c/cliextensions".into()));
        assert_eq!(
            found(&[("AZURE_EXTENSION_DIR", "/e"), ("DRYARC_AZ_EXTENSION_DIR", "/d")]),
            Some("/d".into())
        );
        assert_eq!(found(&[]), None);
    }
}
