//! Column definitions.

use serde_json::{Value, json};

/// Kinds without a printer.
pub(super) const DEFAULT: &str = "Name@,Created At%";

/// Column definitions from their short form.
pub(super) fn definitions(spec: &str) -> Value {
    spec.split(',').map(definition).collect()
}

fn definition(column: &str) -> Value {
    let name = column.trim_end_matches(['*', '#', '?', '@', '%']);
    let marks = column.strip_prefix(name).unwrap_or_default();
    let (kind, format) = match () {
        () if marks.contains('#') => ("integer", ""),
        () if marks.contains('?') => ("boolean", ""),
        () if marks.contains('%') => ("date", ""),
        () if marks.contains('@') => ("string", "name"),
        () => ("string", ""),
    };
    let priority = i32::from(marks.contains('*'));
    json!({"name": name, "type": kind, "format": format, "description": "", "priority": priority})
}
