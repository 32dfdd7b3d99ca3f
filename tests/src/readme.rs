//! The examples of README.

use crate::repository;

/// Commands of README's `console` blocks: lines that start with `$ `, without comments behind them.
///
/// # Errors
/// When README cannot be read.
pub fn commands() -> std::io::Result<Vec<String>> {
    let text = std::fs::read_to_string(repository::root().join("README.md"))?;
    let mut commands = Vec::new();
    let mut inside = false;
    for line in text.lines() {
        if line.starts_with("```") {
            inside = line == "```console";
        } else if let Some(command) = line.strip_prefix("$ ").filter(|_| inside) {
            commands.push(command.split("  #").next().unwrap_or(command).trim().to_owned());
        }
    }
    Ok(commands)
}
