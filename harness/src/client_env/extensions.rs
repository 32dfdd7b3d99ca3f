//! The user's Azure CLI extensions: a writable copy for the world, and an index that says they are the latest.
//!
//! The copy is needed because the extension rewrites files inside of its own folder. The index is needed because
//! `az extension add` asks for it even when the extension is there.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::OuterEnv;
use crate::state::{StateError, create_private_dir};

/// How deep folders are followed; extensions nest a few levels only.
const DEEPEST: u32 = 32;

/// Copies the user's extensions to `target`, which exists afterwards in any case.
///
/// They are looked for in `DRYARC_AZ_EXTENSION_DIR`, `AZURE_EXTENSION_DIR`, `cliextensions` in `AZURE_CONFIG_DIR`, and
/// `~/.azure/cliextensions`: the first that is set counts.
pub(super) fn copy(outer: &OuterEnv, target: &Path) -> Result<(), StateError> {
    create_private_dir(target)?;
    let Some(source) = source(outer) else { return Ok(()) };
    let Ok(entries) = std::fs::read_dir(&source) else { return Ok(()) };
    for entry in entries.flatten() {
        let (from, to) = (entry.path(), target.join(entry.file_name()));
        if let Err(error) = copy_tree(&from, &to, DEEPEST) {
            let from = from.display();
            tracing::warn!(extension = %from, %error, "an Azure CLI extension could not be copied");
        }
    }
    Ok(())
}

fn source(outer: &OuterEnv) -> Option<PathBuf> {
    let direct =
        ["DRYARC_AZ_EXTENSION_DIR", "AZURE_EXTENSION_DIR"].into_iter().find_map(|name| outer.get(name));
    direct.map(PathBuf::from).or_else(|| {
        let config = outer.get("AZURE_CONFIG_DIR").map(PathBuf::from);
        let config = config.or_else(|| outer.get("HOME").map(|home| Path::new(home).join(".azure")));
        config.map(|folder| folder.join("cliextensions"))
    })
}

fn copy_tree(from: &Path, to: &Path, depth: u32) -> std::io::Result<()> {
    // Links are followed: the copy must not lead back into the user's folder.
    let meta = std::fs::metadata(from)?;
    if !meta.is_dir() {
        return if meta.is_file() { std::fs::copy(from, to).map(drop) } else { Ok(()) };
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

/// Name and version of each extension, from the name of its `NAME-VERSION.dist-info` folder.
fn installed(folder: &Path) -> Vec<(String, String)> {
    let names = |path: &Path| -> Vec<String> {
        let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
        entries.filter_map(|entry| entry.file_name().into_string().ok()).collect()
    };
    let version = |name: &str| {
        let prefix = format!("{}-", name.replace('-', "_"));
        names(&folder.join(name)).into_iter().find_map(|file| {
            let rest = file.strip_suffix(".dist-info")?;
            let rest = rest.strip_prefix(&prefix).or_else(|| rest.strip_prefix(&format!("{name}-")))?;
            Some(rest.to_owned())
        })
    };
    let mut found: Vec<_> =
        names(folder).into_iter().filter_map(|name| version(&name).map(|version| (name, version))).collect();
    found.sort();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extensions_are_copied_and_indexed_in_the_version_they_have() {
        let root = std::env::temp_dir().join(format!("dryarc-ext-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&root);
        let user = root.join("user");
        std::fs::create_dir_all(user.join("k8s-extension/k8s_extension-1.6.4.dist-info")).unwrap();
        std::fs::create_dir_all(user.join("k8s-extension/yaml-6.0.dist-info")).unwrap();
        std::fs::write(user.join("k8s-extension/code.py"), "x").unwrap();
        let outer = OuterEnv::new([("DRYARC_AZ_EXTENSION_DIR".to_owned(), user.display().to_string())]);
        let target = root.join("copy");
        copy(&outer, &target).unwrap();
        assert!(target.join("k8s-extension/code.py").exists());
        let index = index(&target, "http://127.0.0.1:1/az");
        let item = &index["extensions"]["k8s-extension"][0];
        assert_eq!(item["metadata"]["version"], "1.6.4");
        assert_eq!(item["filename"], "k8s_extension-1.6.4-py3-none-any.whl");
        std::fs::remove_dir_all(&root).unwrap();
    }
}
