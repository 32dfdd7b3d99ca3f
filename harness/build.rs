//! Tells the program which commit it was built from, where that is known.

use std::path::Path;
use std::process::Command;

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
