//! `dryarc man`.

use std::path::{Path, PathBuf};

use clap::Args;
use clap_mangen::Man as Page;

use super::{CliError, Exit, exit, output};

/// Print the manual page, or write one page per command to a folder
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  dryarc man | man -l -
  dryarc man --dir ~/.local/share/man/man1")]
pub(super) struct Man {
    /// Write one page per command to this folder
    #[arg(long, value_name = "FOLDER")]
    dir: Option<PathBuf>,
}

impl Man {
    pub(super) fn run(self, mut command: clap::Command) -> Result<Exit, CliError> {
        command.build();
        match self.dir {
            None => output::print(&String::from_utf8_lossy(&page(&command, "dryarc")?))?,
            Some(dir) => {
                let failed = |error| CliError::failed(format!("cannot write to {}: {error}", dir.display()));
                std::fs::create_dir_all(&dir).map_err(failed)?;
                write_pages(&command, "dryarc", &dir)?;
            }
        }
        Ok(Exit::Ok)
    }
}

fn write_pages(command: &clap::Command, name: &str, dir: &Path) -> Result<(), CliError> {
    let path = dir.join(format!("{name}.1"));
    std::fs::write(&path, page(command, name)?)
        .map_err(|error| CliError::failed(format!("cannot write {}: {error}", path.display())))?;
    for sub in command.get_subcommands().filter(|sub| !sub.is_hide_set() && sub.get_name() != "help") {
        write_pages(sub, &format!("{name}-{}", sub.get_name()), dir)?;
    }
    Ok(())
}

fn page(command: &clap::Command, name: &str) -> Result<Vec<u8>, CliError> {
    let mut text = Vec::new();
    let failed = |error| CliError::failed(format!("the page of {name} could not be made: {error}"));
    Page::new(command.clone()).title(name.to_owned()).render(&mut text).map_err(failed)?;
    text.extend(b".SH EXIT STATUS\n");
    for (code, meaning) in exit::TABLE {
        text.extend(format!(".TP\n{code}\n{meaning}\n").as_bytes());
    }
    Ok(text)
}
