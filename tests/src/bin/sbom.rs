//! Prints what `dryarc` is made of, as CycloneDX: `sbom [TARGET]`, for Linux on x86-64 unless another target is named.

use std::process::{Command, ExitCode};

use e2e_tests::{repository, sbom};

fn main() -> ExitCode {
    let target = std::env::args().nth(1).unwrap_or_else(|| "x86_64-unknown-linux-gnu".into());
    match print(&target) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = std::io::Write::write_all(&mut std::io::stderr(), format!("sbom: {error}\n").as_bytes());
            ExitCode::FAILURE
        }
    }
}

fn print(target: &str) -> Result<(), String> {
    let root = repository::root();
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(sbom::tree_arguments("harness", target))
        .current_dir(&root)
        .output()
        .map_err(|error| format!("cargo cannot be run: {error}"))?;
    if !output.status.success() {
        return Err(format!("cargo tree: {}", String::from_utf8_lossy(&output.stderr)));
    }
    let lock =
        std::fs::read_to_string(root.join("Cargo.lock")).map_err(|error| format!("Cargo.lock: {error}"))?;
    let document = sbom::document("dryarc", &String::from_utf8_lossy(&output.stdout), &lock)?;
    std::io::Write::write_all(&mut std::io::stdout(), format!("{document:#}\n").as_bytes())
        .map_err(|error| error.to_string())
}
