//! `dryarc snapshot` and `dryarc reset`.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use http::Method;
use serde_json::{Value, json};

use super::output::print;
use super::{CliError, Context, Exit};

/// Save what a world's cloud stores to a file, or load it
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  dryarc snapshot save before.json
  dryarc snapshot load before.json

Resources, operations, registrations, logins that wait, fault rules and counts of requests are saved; clusters, keys and the journal are
not. A snapshot fits worlds of the same seed.")]
pub(super) struct Snapshot {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Write everything that the cloud stores to a file
    #[command(after_help = "Example:\n  dryarc snapshot save before.json")]
    Save {
        /// The file
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Put what a file holds in the place of everything that the cloud stores
    #[command(after_help = "Example:\n  dryarc snapshot load before.json")]
    Load {
        /// The file
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
}

impl Snapshot {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, CliError> {
        let control = context.control()?;
        match self.command {
            Command::Save { file } => {
                let snapshot: Value = control.get("/v1/snapshot").await?;
                write(&file, &format!("{snapshot:#}\n")).map_err(|error| {
                    CliError::failed(format!("cannot write {}: {error}", file.display()))
                        .next("make room there, or name another file")
                })?;
                print(&format!("{}\n", file.display()))?;
            }
            Command::Load { file } => {
                let wrong = |error: &dyn std::fmt::Display| {
                    CliError::usage(format!("cannot use {}: {error}", file.display()))
                        .next("name a file that `dryarc snapshot save` wrote")
                };
                let text = std::fs::read_to_string(&file).map_err(|error| wrong(&error))?;
                let snapshot: Value = serde_json::from_str(&text).map_err(|error| wrong(&error))?;
                let loaded: Value = control.send(Method::PUT, "/v1/snapshot", &snapshot).await?;
                print(&format!("taken {}\n", loaded["taken"].as_str().unwrap_or_default()))?;
            }
        }
        Ok(Exit::Ok)
    }
}

/// Writes a file as a whole or not at all. What is no file (a terminal, a pipe) is written to.
fn write(file: &Path, text: &str) -> io::Result<()> {
    if std::fs::symlink_metadata(file).is_ok_and(|there| !there.is_file()) {
        return std::fs::write(file, text);
    }
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut beside = tempfile::NamedTempFile::new_in(folder)?;
    beside.write_all(text.as_bytes())?;
    beside.persist(file)?;
    Ok(())
}

/// Let a world's cloud forget everything that it stores, fault rules too
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  dryarc reset

Time, seed, profile, journal and clusters stay. Agents of clusters that were connected are refused from then on.")]
pub(super) struct Reset {}

impl Reset {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, CliError> {
        let _: Value = context.control()?.send(Method::POST, "/v1/reset", &json!({})).await?;
        Ok(Exit::Ok)
    }
}
