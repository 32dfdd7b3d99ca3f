//! Tells the program which commit it was built from, where that is known, and puts the scenarios into it.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use flate2::Compression;
use flate2::write::GzEncoder;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=DRYARC_COMMIT");
    for watched in ["../.git/HEAD", "../.git/logs/HEAD"] {
        if Path::new(watched).exists() {
            println!("cargo::rerun-if-changed={watched}");
        }
    }
    let given = std::env::var("DRYARC_COMMIT").ok().filter(|commit| !commit.is_empty());
    let commit = given.or_else(commit_of_this_tree).unwrap_or_else(|| "unknown".into());
    println!("cargo::rustc-env=DRYARC_BUILD_COMMIT={commit}");
    if let Err(error) = write_scenarios() {
        println!("cargo::error=the scenarios cannot be put into the program: {error}");
    }
}

/// Writes name and text of every scenario, each with a zero byte behind it, compressed: an image's size counts.
fn write_scenarios() -> std::io::Result<()> {
    let folder = Path::new("../fixtures/scenarios");
    println!("cargo::rerun-if-changed={}", folder.display());
    let mut files = Vec::new();
    collect(folder, &mut files)?;
    files.sort_by_key(|file| file.file_stem().map(ToOwned::to_owned));
    let target = std::env::var_os("OUT_DIR").map(PathBuf::from).unwrap_or_default().join("scenarios.gz");
    let mut packed = GzEncoder::new(std::fs::File::create(target)?, Compression::best());
    for file in files {
        let name = file.file_stem().unwrap_or_default().to_string_lossy();
        write!(packed, "{name}\0{}\0", std::fs::read_to_string(&file)?)?;
    }
    packed.finish().map(drop)
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            println!("cargo::rerun-if-changed={}", path.display());
            collect(&path, files)?;
        } else if path.extension().is_some_and(|ending| ending == "yaml") {
            files.push(path);
        }
    }
    Ok(())
}

/// The commit of the enclosing work tree; `None` outside of one, or without git.
fn commit_of_this_tree() -> Option<String> {
    if !Path::new("../.git").exists() {
        return None;
    }
    let output = Command::new("git").args(["rev-parse", "--short=12", "HEAD"]).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let commit = text.trim();
    (output.status.success() && !commit.is_empty()).then(|| commit.to_owned())
}
