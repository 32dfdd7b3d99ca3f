//! Writes image archives in the form of `docker save`.

use std::fs::File;
use std::io::{self, BufWriter, Read as _};
use std::path::{Path, PathBuf};

use aws_lc_rs::digest;
use serde_json::{Value, json};

use super::Named;

/// User and group of the agents, as in the charts.
const USER: &str = "13243:12434";

/// What the images have in common.
#[derive(Debug)]
pub struct Base {
    /// Layers in order: files, each an uncompressed or compressed tar.
    pub layers: Vec<PathBuf>,
    /// `sha256:…` of each layer, uncompressed.
    pub diff_ids: Vec<String>,
    /// Go's name of the architecture, `amd64`.
    pub architecture: String,
    /// What starts the program; role arguments follow.
    pub program: Vec<String>,
}

/// `sha256:…` of a file.
pub(super) fn digest_of(file: &Path) -> io::Result<String> {
    let mut context = digest::Context::new(&digest::SHA256);
    let mut file = File::open(file)?;
    let mut chunk = vec![0; 1 << 20];
    loop {
        match file.read(&mut chunk)? {
            0 => return Ok(format!("sha256:{}", hex(context.finish().as_ref()))),
            length => context.update(&chunk[..length]),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Writes one archive with every image.
///
/// # Errors
/// When a layer cannot be read or the archive not be written.
pub fn write(base: &Base, images: &[Named], to: &Path) -> io::Result<()> {
    let mut archive = tar::Builder::new(BufWriter::new(File::create(to)?));
    let mut names = Vec::new();
    for (number, layer) in base.layers.iter().enumerate() {
        let name = format!("layer-{number}/layer.tar");
        archive.append_path_with_name(layer, &name)?;
        names.push(name);
    }
    let mut manifest = Vec::new();
    for image in images {
        let config = config(base, &image.role).to_string();
        let name = format!("{}.json", hex(digest::digest(&digest::SHA256, config.as_bytes()).as_ref()));
        append(&mut archive, &name, config.as_bytes())?;
        manifest.push(json!({ "Config": name, "RepoTags": [image.name], "Layers": names }));
    }
    append(&mut archive, "manifest.json", Value::Array(manifest).to_string().as_bytes())?;
    let mut file = archive.into_inner()?;
    io::Write::flush(&mut file)
}

/// Adds a small file.
pub(super) fn append<W: io::Write>(
    archive: &mut tar::Builder<W>,
    name: &str,
    content: &[u8],
) -> io::Result<()> {
    let mut header = tar::Header::new_gnu();
    header.set_mode(0o644);
    header.set_size(content.len() as u64);
    archive.append_data(&mut header, name, content)
}

/// The configuration of one image. No date, so that the same program makes the same image.
fn config(base: &Base, role: &str) -> Value {
    json!({
        "architecture": base.architecture,
        "os": "linux",
        "config": {
            "User": USER,
            "Entrypoint": base.program,
            "Cmd": ["agent", role],
            "WorkingDir": "/",
            "Labels": {
                "org.opencontainers.image.title": format!("dryarc agent {role}"),
                "org.opencontainers.image.version": crate::VERSION,
            },
        },
        "rootfs": { "type": "layers", "diff_ids": base.diff_ids },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_archive_names_every_image_and_shares_the_layers() {
        let folder = tempfile::tempdir().unwrap();
        let layer = folder.path().join("l.tar");
        std::fs::write(&layer, "layer").unwrap();
        let base = Base {
            diff_ids: vec![digest_of(&layer).unwrap()],
            layers: vec![layer],
            architecture: "amd64".into(),
            program: vec!["/dryarc".into()],
        };
        let image = |name: &str| Named { name: format!("r/{name}:1"), role: name.into() };
        let to = folder.path().join("a.tar");
        write(&base, &[image("one"), image("two")], &to).unwrap();
        let mut names = Vec::new();
        let mut manifest = Value::Null;
        let mut archive = tar::Archive::new(File::open(&to).unwrap());
        for entry in archive.entries().unwrap() {
            let mut entry = entry.unwrap();
            let name = entry.path().unwrap().display().to_string();
            if name == "manifest.json" {
                let mut text = String::new();
                entry.read_to_string(&mut text).unwrap();
                manifest = serde_json::from_str(&text).unwrap();
            }
            names.push(name);
        }
        assert_eq!(names.len(), 4, "one layer, two configurations, the manifest");
        assert_eq!(manifest[1]["RepoTags"][0], "r/two:1");
        assert_eq!(manifest[0]["Layers"], manifest[1]["Layers"]);
        assert!(base.diff_ids[0].starts_with("sha256:") && base.diff_ids[0].len() == 71);
    }
}
