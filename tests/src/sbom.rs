//! What a program is made of, as a CycloneDX document: from the dependency tree that cargo prints and the checksums of the lock
//! file. The form is that of the CycloneDX 1.5 JSON schema (<https://cyclonedx.org/docs/1.5/json/>).

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

/// Marks a subtree that cargo has printed before.
const REPEATED: &str = "(*)";

/// Marks what runs in the compiler and is not part of the program.
const MACRO: &str = "(proc-macro)";

/// One line of the tree: a package below the last one that is less deep.
#[derive(Debug, PartialEq, Eq)]
struct Line<'a> {
    depth: usize,
    name: &'a str,
    version: &'a str,
    licence: &'a str,
}

impl<'a> Line<'a> {
    /// `None` for what is no package, and for compiler plug-ins.
    fn read(text: &'a str) -> Option<Self> {
        let mut columns = text.split('\t');
        let depth = columns.next()?.parse().ok()?;
        let package = columns.next()?;
        if package.contains(MACRO) {
            return None;
        }
        let mut words = package.split(' ');
        let (name, version) = (words.next()?, words.next()?.strip_prefix('v')?);
        let licence = columns.next()?.trim_end_matches(REPEATED).trim();
        Some(Self { depth, name, version, licence })
    }

    fn reference(&self) -> String {
        format!("pkg:cargo/{}@{}", self.name, self.version)
    }
}

/// The arguments for cargo that print the tree of `package` as [`document`] reads it.
#[must_use]
pub fn tree_arguments(package: &str, target: &str) -> Vec<String> {
    let fixed = ["tree", "--locked", "--edges", "normal", "--prefix", "depth", "--format", "\t{p}\t{l}"];
    let own = ["--package", package, "--target", target];
    fixed.into_iter().chain(own).map(str::to_owned).collect()
}

/// The document for the program `name`, whose package is the root of `tree`. `lock` is the text of `Cargo.lock`.
///
/// # Errors
/// When the tree has no root.
pub fn document(name: &str, tree: &str, lock: &str) -> Result<Value, String> {
    let checksums = checksums(lock);
    let mut components: BTreeMap<String, Value> = BTreeMap::new();
    let mut edges: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut path: Vec<String> = Vec::new();
    let mut root = None;
    let mut skipped = None;
    for text in tree.lines() {
        let depth = depth(text);
        // What only a compiler plug-in needs is not part of the program either.
        if skipped.is_some_and(|above| depth.is_some_and(|depth| depth > above)) {
            continue;
        }
        skipped = None;
        let Some(line) = Line::read(text) else {
            skipped = depth;
            continue;
        };
        let reference = line.reference();
        path.truncate(line.depth);
        match path.last() {
            Some(above) => {
                edges.entry(above.clone()).or_default().insert(reference.clone());
                components.entry(reference.clone()).or_insert_with(|| component(&line, &checksums));
            }
            None => root = Some(application(name, &line)),
        }
        edges.entry(reference.clone()).or_default();
        path.push(reference);
    }
    let root = root.ok_or("the dependency tree is empty")?;
    let dependency =
        |(reference, below): (String, BTreeSet<String>)| json!({ "ref": reference, "dependsOn": below });
    Ok(json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": { "component": root },
        "components": components.into_values().collect::<Vec<_>>(),
        "dependencies": edges.into_iter().map(dependency).collect::<Vec<_>>(),
    }))
}

fn depth(text: &str) -> Option<usize> {
    text.split('\t').next()?.parse().ok()
}

fn application(name: &str, line: &Line<'_>) -> Value {
    json!({
        "type": "application",
        "bom-ref": line.reference(),
        "name": name,
        "version": line.version,
        "licenses": licences(line),
    })
}

fn component(line: &Line<'_>, checksums: &BTreeMap<(String, String), String>) -> Value {
    let reference = line.reference();
    let mut component = json!({
        "type": "library",
        "bom-ref": reference,
        "name": line.name,
        "version": line.version,
        "purl": reference,
        "licenses": licences(line),
    });
    if let Some(checksum) = checksums.get(&(line.name.to_owned(), line.version.to_owned())) {
        component["hashes"] = json!([{ "alg": "SHA-256", "content": checksum }]);
    }
    component
}

/// An SPDX expression; older packages separate alternatives by a slash.
fn licences(line: &Line<'_>) -> Value {
    if line.licence.is_empty() {
        return json!([]);
    }
    let parts: Vec<&str> = line.licence.split('/').map(str::trim).collect();
    json!([{ "expression": parts.join(" OR ") }])
}

/// Checksums of the lock file by name and version.
fn checksums(lock: &str) -> BTreeMap<(String, String), String> {
    let value = |block: &str, key: &str| {
        let line = block.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(" = "))?;
        Some(line.trim_matches('"').to_owned())
    };
    let blocks = lock.split("[[package]]").filter_map(|block| {
        Some(((value(block, "name")?, value(block, "version")?), value(block, "checksum")?))
    });
    blocks.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TREE: &str = "0\tharness v0.1.0 (/src/harness)\tMIT OR Apache-2.0\n\
                        1\ta v1.0.0\tMIT/Apache-2.0\n\
                        2\tmacros v1.0.0 (proc-macro)\tMIT\n\
                        3\tsyn v2.0.0\tMIT\n\
                        2\tb v2.0.0\tISC\n\
                        1\tb v2.0.0\tISC (*)\n";

    #[test]
    fn a_document_names_what_is_linked_with_licence_checksum_and_edges() {
        let lock = "[[package]]\nname = \"a\"\nversion = \"1.0.0\"\nchecksum = \"00ff\"\n\n[[package]]\nname = \"b\"\n";
        let document = document("dryarc", TREE, lock).unwrap();
        assert_eq!(document["metadata"]["component"]["name"], "dryarc");
        let components = document["components"].as_array().unwrap();
        assert_eq!(components.len(), 2, "{components:?}");
        assert_eq!(components[0]["licenses"][0]["expression"], "MIT OR Apache-2.0");
        assert_eq!(components[0]["hashes"][0]["content"], "00ff");
        assert_eq!(components[1]["licenses"][0]["expression"], "ISC");
        let edges = document["dependencies"].as_array().unwrap();
        let below = |name: &str| edges.iter().find(|edge| edge["ref"] == name).unwrap()["dependsOn"].clone();
        assert_eq!(below("pkg:cargo/harness@0.1.0"), json!(["pkg:cargo/a@1.0.0", "pkg:cargo/b@2.0.0"]));
        assert_eq!(below("pkg:cargo/a@1.0.0"), json!(["pkg:cargo/b@2.0.0"]));
    }

    #[test]
    fn an_empty_tree_is_an_error() {
        assert!(document("dryarc", "", "").is_err());
    }
}
