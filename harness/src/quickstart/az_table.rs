//! Tables as `az … --output table` prints them.

use serde_json::Value;

/// How much wider than its header a column is at least.
const HEADER_PADDING: usize = 2;

/// A table with these headers; columns are as wide as the Azure CLI makes them. Ends with a line feed.
#[must_use]
pub fn az_table(headers: &[&str], rows: &[Vec<Value>]) -> String {
    let cells: Vec<Vec<String>> = rows.iter().map(|row| row.iter().map(cell).collect()).collect();
    let width = |column: usize| {
        let widest = cells.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
        let header = headers.get(column).map_or(0, |header| header.chars().count() + HEADER_PADDING);
        header.max(widest.unwrap_or(0))
    };
    let widths: Vec<usize> = (0..headers.len()).map(width).collect();
    let line = |cells: &mut dyn Iterator<Item = &str>| {
        let padded: Vec<String> = cells.zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        format!("{}\n", padded.join("  ").trim_end())
    };
    let dashes: Vec<String> = widths.iter().map(|width| "-".repeat(*width)).collect();
    let mut table = line(&mut headers.iter().copied());
    table.push_str(&line(&mut dashes.iter().map(String::as_str)));
    for row in &cells {
        table.push_str(&line(&mut row.iter().map(String::as_str)));
    }
    table
}

fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Bool(true) => "True".into(),
        Value::Bool(false) => "False".into(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_those_of_the_page() {
        let group = az_table(&["Location", "Name"], &[vec!["eastus".into(), "AzureArcTest".into()]]);
        assert_eq!(group, "Location    Name\n----------  ------------\neastus      AzureArcTest\n");
        let row = vec!["AzureArcTest1".into(), "eastus".into(), "AzureArcTest".into()];
        let list = az_table(&["Name", "Location", "ResourceGroup"], &[row]);
        let expected = "\
Name           Location    ResourceGroup
-------------  ----------  ---------------
AzureArcTest1  eastus      AzureArcTest
";
        assert_eq!(list, expected);
    }
}
