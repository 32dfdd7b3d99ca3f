//! `dryarc completions`.

use clap::Args;
use clap_complete::Shell;

use super::{CliError, Exit, output};

/// Print completions for a shell
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  dryarc completions bash > ~/.local/share/bash-completion/completions/dryarc
  dryarc completions zsh > ~/.zfunc/_dryarc
  dryarc completions fish > ~/.config/fish/completions/dryarc.fish")]
pub(super) struct Completions {
    /// Which shell
    #[arg(value_enum, value_name = "SHELL")]
    shell: Shell,
}

impl Completions {
    pub(super) fn run(self, command: &mut clap::Command) -> Result<Exit, CliError> {
        let mut text = Vec::new();
        clap_complete::generate(self.shell, command, "dryarc", &mut text);
        output::print(&String::from_utf8_lossy(&text))?;
        Ok(Exit::Ok)
    }
}
