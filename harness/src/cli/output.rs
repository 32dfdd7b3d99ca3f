//! Data goes to stdout, in the form that was asked for; everything else to stderr.

use std::io::{self, Write as _};

use serde_json::Value;

use super::CliError;

/// The form of data on stdout.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Output {
    /// For people.
    #[default]
    Table,
    /// One JSON document.
    Json,
    /// One YAML document.
    Yaml,
}

/// Writes text to stdout. A reader that went away ends the output without an error.
///
/// # Errors
/// When stdout cannot be written for another reason.
pub fn print(text: &str) -> Result<(), CliError> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(CliError::failed(format!("cannot write to standard output: {error}")))
        }
        _ => Ok(()),
    }
}

/// As [`print`], but says whether anybody still reads.
pub fn print_while_read(text: &str) -> bool {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).is_ok()
}

/// Says something to the person at the terminal. Nobody listening is no error.
pub fn say(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Prints `value` in the form asked for; `table` makes the form for people.
///
/// # Errors
/// When stdout cannot be written.
pub fn show(output: Output, value: &Value, table: impl FnOnce() -> String) -> Result<(), CliError> {
    match output {
        Output::Table => print(&table()),
        Output::Json => print(&format!("{value:#}\n")),
        Output::Yaml => {
            let text = serde_saphyr::to_string(value)
                .map_err(|error| CliError::failed(format!("this cannot be written as YAML: {error}")))?;
            print(&if text.ends_with('\n') { text } else { text + "\n" })
        }
    }
}

/// Columns, each as wide as its widest cell, two spaces apart, without blanks at the end of a line.
#[must_use]
pub fn table(header: &[&str], rows: &[Vec<String>]) -> String {
    let heading: Vec<String> = header.iter().map(ToString::to_string).collect();
    let lines: Vec<&Vec<String>> = std::iter::once(&heading).chain(rows).collect();
    let width = |column: usize| {
        lines.iter().filter_map(|line| line.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..header.len()).map(width).collect();
    let mut text = String::new();
    for line in lines {
        let cells: Vec<String> =
            line.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        text.push_str(cells.join("  ").trim_end());
        text.push('\n');
    }
    text
}

/// Names and values, one per line.
#[must_use]
pub fn fields(pairs: &[(&str, String)]) -> String {
    let width = pairs.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    pairs.iter().map(|(name, value)| format!("{name:width$}  {value}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_lines_end_without_blanks() {
        let rows = [vec!["a".to_owned(), "b".to_owned()], vec!["long".to_owned(), String::new()]];
        assert_eq!(table(&["X", "Y"], &rows), "X     Y\na     b\nlong\n");
        assert_eq!(fields(&[("a", "1".into()), ("bb", "2".into())]), "a   1\nbb  2\n");
    }
}
