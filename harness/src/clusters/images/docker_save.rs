//! An image that Docker saved, as the base of the agents' images.

use std::fs::File;
use std::path::{Component, Path};

use serde_json::Value;

use super::archive::Base;
use crate::clusters::{ClusterError, Trouble};

/// Unpacks the archive in `file` into `scratch`.
pub(super) fn base(file: &Path, scratch: &Path) -> Result<Base, ClusterError> {
    let failed = |error: std::io::Error| ClusterError::file("unpacking the saved image", error);
    let folder = scratch.join("image");
    let mut archive = tar::Archive::new(File::open(file).map_err(failed)?);
    archive.unpack(&folder).map_err(failed)?;
    let manifest = read(&folder, "manifest.json")?;
    let image = &manifest[0];
    let config = read(&folder, image["Config"].as_str().unwrap_or_default())?;
    let texts = |value: &Value| -> Vec<String> {
        value.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let mut program = texts(&config["config"]["Entrypoint"]);
    if program.is_empty() {
        program = texts(&config["config"]["Cmd"]).into_iter().take(1).collect();
    }
    let layers = texts(&image["Layers"]);
    let diff_ids = texts(&config["rootfs"]["diff_ids"]);
    if program.is_empty() || layers.is_empty() || layers.len() != diff_ids.len() {
        return Err(not_ours("it has no program to start"));
    }
    let layers = layers.iter().map(|layer| inside(&folder, layer)).collect::<Result<_, _>>()?;
    Ok(Base {
        layers,
        diff_ids,
        architecture: config["architecture"].as_str().unwrap_or_default().into(),
        program,
    })
}

fn not_ours(reason: &str) -> ClusterError {
    let what = format!("the image named with --agent-image is none that the agents can run in: {reason}");
    ClusterError::new(Trouble::Usage, what, "name an image whose entry point is dryarc")
}

fn read(folder: &Path, name: &str) -> Result<Value, ClusterError> {
    let text = std::fs::read(inside(folder, name)?).map_err(|error| not_ours(&format!("{name}: {error}")))?;
    serde_json::from_slice(&text).map_err(|error| not_ours(&format!("{name}: {error}")))
}

/// A path of the manifest, which must not lead out of the archive.
fn inside(folder: &Path, name: &str) -> Result<std::path::PathBuf, ClusterError> {
    let plain = Path::new(name).components().all(|part| matches!(part, Component::Normal(_)));
    if name.is_empty() || !plain {
        return Err(not_ours(&format!("it names '{name}'")));
    }
    Ok(folder.join(name))
}

#[cfg(test)]
mod tests {
    use super::super::archive::append;
    use super::*;

    fn saved(config: &str) -> Result<Base, ClusterError> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("saved.tar");
        let mut archive = tar::Builder::new(File::create(&file).unwrap());
        let manifest = r#"[{"Config":"c.json","RepoTags":["x:1"],"Layers":["a/layer.tar"]}]"#;
        append(&mut archive, "manifest.json", manifest.as_bytes()).unwrap();
        append(&mut archive, "c.json", config.as_bytes()).unwrap();
        append(&mut archive, "a/layer.tar", b"layer").unwrap();
        archive.finish().unwrap();
        base(&file, folder.path())
    }

    #[test]
    fn a_saved_image_lends_its_layers_and_its_program() {
        let config = r#"{"architecture":"arm64","config":{"Entrypoint":["/dryarc"],"Cmd":["up"]},"rootfs":{"diff_ids":["sha256:1"]}}"#;
        let base = saved(config).unwrap();
        assert_eq!((base.architecture.as_str(), base.program), ("arm64", vec!["/dryarc".to_owned()]));
        assert!(base.layers[0].ends_with("a/layer.tar"));
    }

    #[test]
    fn an_image_without_a_program_is_refused() {
        let error = saved(r#"{"architecture":"amd64","config":{},"rootfs":{"diff_ids":["sha256:1"]}}"#);
        assert!(error.unwrap_err().what.contains("no program"));
        assert!(inside(Path::new("/x"), "../etc/passwd").is_err());
    }
}
