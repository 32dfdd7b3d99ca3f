//! What was seen working where: a line per check, a column per backend.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Columns of the first column.
const WIDTH: usize = 70;

/// Cells by check and backend. Checks stand in the order in which they were first noted.
#[derive(Default)]
pub(crate) struct Table {
    rows: Mutex<Vec<(String, BTreeMap<&'static str, String>)>>,
}

impl Table {
    pub(crate) fn note(&self, check: &str, backend: &'static str, cell: String) {
        let mut rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        let found = rows.iter().position(|(name, _)| name == check);
        let index = found.unwrap_or_else(|| {
            rows.push((check.to_owned(), BTreeMap::new()));
            rows.len() - 1
        });
        rows[index].1.insert(backend, cell);
    }

    pub(crate) fn worked(&self, check: &str, backend: &'static str, took: Duration) {
        self.note(check, backend, format!("works ({:.1} s)", took.as_secs_f64()));
    }

    /// Writes the table, if there is anything in it.
    ///
    /// # Errors
    /// When nobody reads it.
    pub(crate) fn write(&self, out: &mut impl Write) -> std::io::Result<()> {
        let rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        if rows.is_empty() {
            return Ok(());
        }
        writeln!(out, "\n{:<WIDTH$} {:<22} kind", "check", "embedded")?;
        for (check, cells) in rows.iter() {
            let cell = |backend| cells.get(backend).map_or("not run", String::as_str);
            writeln!(out, "{check:<WIDTH$} {:<22} {}", cell("embedded"), cell("kind"))?;
        }
        Ok(())
    }
}
