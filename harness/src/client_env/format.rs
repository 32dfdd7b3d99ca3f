//! Environments as text, for shells and for programs.

use std::fmt::Write as _;

use serde_json::{Map, Value};

use super::{ClientEnv, Variable};

/// For whom an environment is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// POSIX shells: bash, zsh, dash.
    Sh,
    /// The fish shell.
    Fish,
    /// PowerShell.
    Powershell,
    /// Lines of NAME=value; variables that must not be set are left out.
    Dotenv,
    /// One JSON object; null means that a variable must not be set.
    Json,
}

/// The environment as text that ends in a line break. With `explain`, the source of each value stands above it as a
/// comment (in JSON: each value becomes an object of `value` and `source`).
#[must_use]
pub fn render(env: &ClientEnv, format: Format, explain: bool) -> String {
    if format == Format::Json {
        return json(env.variables(), explain);
    }
    let mut text = String::new();
    for variable in env.variables() {
        let line = line(variable, format);
        if line.is_empty() {
            continue;
        }
        if explain {
            let _ = writeln!(text, "# {}", variable.source);
        }
        text.push_str(&line);
        text.push('\n');
    }
    text
}

/// The text that undoes an environment; `undo` is what [`ClientEnv::undo`] returned.
#[must_use]
pub fn render_unset(undo: &ClientEnv, format: Format) -> String {
    render(undo, format, false)
}

fn line(variable: &Variable, format: Format) -> String {
    let name = &variable.name;
    match (format, &variable.value) {
        (Format::Sh, Some(value)) => format!("export {name}={}", sh(value)),
        (Format::Sh, None) => format!("unset {name}"),
        (Format::Fish, Some(value)) => format!("set -gx {name} {}", fish(value)),
        (Format::Fish, None) => format!("set -e {name}"),
        (Format::Powershell, Some(value)) => format!("$env:{name} = {}", powershell(value)),
        (Format::Powershell, None) => format!("Remove-Item Env:{name} -ErrorAction SilentlyContinue"),
        (Format::Dotenv, Some(value)) => format!("{name}={}", dotenv(value)),
        (Format::Dotenv | Format::Json, _) => String::new(),
    }
}

fn json(variables: &[Variable], explain: bool) -> String {
    let mut object = Map::new();
    for variable in variables {
        let value = variable.value.clone().map_or(Value::Null, Value::from);
        let entry =
            if explain { serde_json::json!({ "value": value, "source": variable.source }) } else { value };
        object.insert(variable.name.clone(), entry);
    }
    format!("{:#}\n", Value::Object(object))
}

/// Within single quotes a POSIX shell reads everything literally except the quote itself.
fn sh(value: &str) -> String {
    format!("'{}'", value.replace('\'', r"'\''"))
}

/// Within single quotes fish knows two escapes: of the quote and of the backslash.
fn fish(value: &str) -> String {
    format!("'{}'", value.replace('\\', r"\\").replace('\'', r"\'"))
}

/// Within single quotes PowerShell doubles the quote; it takes typographic quotes for quotes too.
fn powershell(value: &str) -> String {
    let doubled = value.chars().flat_map(|c| {
        let twice = matches!(c, '\'' | '\u{2018}' | '\u{2019}' | '\u{201a}' | '\u{201b}');
        std::iter::repeat_n(c, if twice { 2 } else { 1 })
    });
    format!("'{}'", doubled.collect::<String>())
}

fn dotenv(value: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:,@%+=".contains(c);
    if value.chars().all(plain) { value.to_owned() } else { sh(value) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shell_reads_back_what_was_meant() {
        assert_eq!(sh("it's $HOME"), r"'it'\''s $HOME'");
        assert_eq!(fish(r"a\b'c"), r"'a\\b\'c'");
        assert_eq!(powershell("it's"), "'it''s'");
        assert_eq!(dotenv("http://127.0.0.1:1"), "http://127.0.0.1:1");
        assert_eq!(dotenv("a b"), "'a b'");
    }

    #[test]
    fn a_real_shell_agrees() {
        let value = "a 'b' \"c\" $d `e` \\ *\n#";
        let script = format!("export V={}; printf %s \"$V\"", sh(value));
        let output = std::process::Command::new("sh").arg("-c").arg(script).output().unwrap();
        assert_eq!(String::from_utf8(output.stdout).unwrap(), value);
    }
}
