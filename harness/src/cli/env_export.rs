//! `dryarc env --export`: the environment of clients that are elsewhere.

use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};

use clap::Args;

use super::{CliError, Exit, output};
use crate::client_env::{Elsewhere, Export, Reach};
use crate::state::WorldRecord;

/// The options of an export.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "For clients elsewhere")]
pub(super) struct ExportArgs {
    /// Write login, certificates, kubeconfig and variables (env.sh, env.ps1, …) into this folder; `-` prints a tar archive
    #[arg(long, value_name = "DIR", conflicts_with_all = ["format", "explain", "unset"])]
    export: Option<PathBuf>,
    /// Where the folder lies for those who use it, as an absolute path [default: where it is written]
    #[arg(long = "as", value_name = "DIR", requires = "export")]
    seen_as: Option<String>,
    /// Where they reach a part: cloud, gateway, control or cluster (PART=HOST:PORT; repeatable)
    #[arg(long = "at", value_name = "PART=HOST:PORT", requires = "export")]
    elsewhere: Vec<Elsewhere>,
}

impl ExportArgs {
    /// Whether an export was asked for.
    pub(super) fn wanted(&self) -> bool {
        self.export.is_some()
    }

    /// Writes it.
    ///
    /// # Errors
    /// When a file cannot be read or written, or it is not said where the folder will lie.
    pub(super) fn run(&self, record: &WorldRecord) -> Result<Exit, CliError> {
        let Some(folder) = &self.export else { return Ok(Exit::Ok) };
        let mut reach = Reach::own(record);
        for part in &self.elsewhere {
            part.apply(&mut reach);
        }
        let export = Export::gather(record, &reach, &self.folder(folder)?)?;
        if folder != Path::new("-") {
            export.write(folder)?;
            output::say(&format!("wrote {0}; `. {0}/env.sh` leads a shell into the world", folder.display()));
            return Ok(Exit::Ok);
        }
        let mut out = std::io::stdout().lock();
        if out.is_terminal() {
            return Err(CliError::usage("a tar archive is nothing for a terminal")
                .next("lead it on: `dryarc env --export - --as \"$PWD/client\" | tar -x -C client`"));
        }
        let failed = |error: std::io::Error| CliError::failed(format!("cannot write the archive: {error}"));
        out.write_all(&export.archive().map_err(failed)?).and_then(|()| out.flush()).map_err(failed)?;
        Ok(Exit::Ok)
    }

    /// Where the files will lie, as those who use them write it: Windows paths are as good.
    fn folder(&self, written: &Path) -> Result<String, CliError> {
        match &self.seen_as {
            Some(path)
                if path.starts_with('/') || path.get(1..3) == Some(":\\") || path.get(1..3) == Some(":/") =>
            {
                Ok(path.clone())
            }
            Some(path) => Err(CliError::usage(format!("--as {path}: this is no absolute path")).next(
                "write it from the root on: variables that hold a relative one fail in another folder",
            )),
            None if written == Path::new("-") => Err(CliError::usage("where will the archive be unpacked?")
                .next("say it with --as \"$PWD/client\"")),
            None => std::path::absolute(written)
                .map(|path| path.display().to_string())
                .map_err(|error| CliError::usage(format!("--export {}: {error}", written.display()))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_archive_needs_to_know_where_it_is_unpacked() {
        let nowhere = ExportArgs::default().folder(Path::new("-")).unwrap_err();
        assert!(nowhere.to_string().contains("--as"), "{nowhere}");
        let at = |path: &str| {
            ExportArgs { seen_as: Some(path.into()), ..ExportArgs::default() }.folder(Path::new("-"))
        };
        assert!(at("client").is_err());
        assert_eq!(at("/home/me/client").unwrap(), "/home/me/client");
        assert_eq!(at("C:\\client").unwrap(), "C:\\client");
    }
}
