//! Tables as `kubectl get` prints them, from the API server's `meta.k8s.io/v1` Table replies.

use serde_json::Value;

/// The blanks between two columns.
const PADDING: usize = 3;
/// The least width of a column, blanks included.
const LEAST: usize = 6;

/// The columns of ordinary output (priority 0) with their rows; `prefix` (`pod/`) stands before each name. Ends with a line
/// feed.
#[must_use]
pub fn kubectl_table(table: &Value, prefix: &str) -> String {
    let columns = wanted(table);
    let header: Vec<String> = columns.iter().map(|(_, name)| name.to_uppercase()).collect();
    let mut lines = vec![header];
    for row in rows(table) {
        let cells = row.get("cells").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        let line = columns.iter().enumerate().map(|(position, (index, _))| {
            let text = cells.get(*index).map(cell).unwrap_or_default();
            if position == 0 { format!("{prefix}{text}") } else { text }
        });
        lines.push(line.collect());
    }
    let width = |column: usize| {
        let widest = lines.iter().filter_map(|line| line.get(column)).map(|cell| cell.chars().count()).max();
        (widest.unwrap_or(0) + PADDING).max(LEAST)
    };
    let widths: Vec<usize> = (0..columns.len()).map(width).collect();
    let mut text = String::new();
    for line in &lines {
        let last = line.len().saturating_sub(1);
        for (column, (cell, width)) in line.iter().zip(&widths).enumerate() {
            if column == last { text.push_str(cell) } else { text.push_str(&format!("{cell:<width$}")) }
        }
        text.push('\n');
    }
    text
}

/// The rows as pairs of column name (as defined) and cell.
pub(super) fn records(table: &Value) -> Vec<Vec<(String, String)>> {
    let columns = wanted(table);
    let record = |row: &Value| {
        let cells = row.get("cells").and_then(Value::as_array)?;
        let pair = |(index, name): &(usize, &str)| {
            ((*name).to_owned(), cells.get(*index).map(cell).unwrap_or_default())
        };
        Some(columns.iter().map(pair).collect())
    };
    rows(table).iter().filter_map(record).collect()
}

fn rows(table: &Value) -> &[Value] {
    table.get("rows").and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// Index and name of the columns of ordinary output.
fn wanted(table: &Value) -> Vec<(usize, &str)> {
    let definitions = table.get("columnDefinitions").and_then(Value::as_array);
    definitions
        .into_iter()
        .flatten()
        .enumerate()
        .filter(|(_, column)| column.get("priority").and_then(Value::as_i64).unwrap_or(0) == 0)
        .map(|(index, column)| (index, column.get("name").and_then(Value::as_str).unwrap_or_default()))
        .collect()
}

fn cell(value: &Value) -> String {
    match value {
        Value::Null => "<none>".into(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_table_is_printed_as_kubectl_does() {
        let table = json!({
            "columnDefinitions": [
                { "name": "Name", "priority": 0 },
                { "name": "Ready", "priority": 0 },
                { "name": "Up-to-date", "priority": 0 },
                { "name": "Available", "priority": 0 },
                { "name": "Age", "priority": 0 },
                { "name": "Containers", "priority": 1 },
            ],
            "rows": [
                { "cells": ["cluster-metadata-operator", "1/1", 1, 1, "13d", "c"] },
                { "cells": ["kube-aad-proxy", "1/1", 1, 1, "13d", "c"] },
            ],
        });
        let expected = "\
NAME                                        READY   UP-TO-DATE   AVAILABLE   AGE
deployment.apps/cluster-metadata-operator   1/1     1            1           13d
deployment.apps/kube-aad-proxy              1/1     1            1           13d
";
        assert_eq!(kubectl_table(&table, "deployment.apps/"), expected);
        assert_eq!(records(&table)[1][1], ("Ready".into(), "1/1".into()));
    }
}
