//! Sets of completion indexes as `status.completedIndexes` shows them: `0,2-4,7`.

use std::collections::BTreeSet;

/// The indexes that a text names; what cannot be read, and what is not below `limit`, is left out.
pub(super) fn read(text: &str, limit: i64) -> BTreeSet<i64> {
    let mut indexes = BTreeSet::new();
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        if let (Ok(first), Ok(last)) = (first.parse::<i64>(), last.parse::<i64>()) {
            indexes.extend(first.max(0)..last.saturating_add(1).min(limit));
        }
    }
    indexes
}

/// The text of a set: runs of three and more with a dash.
pub(super) fn write(indexes: &BTreeSet<i64>) -> String {
    let mut runs: Vec<(i64, i64)> = Vec::new();
    for index in indexes {
        match runs.last_mut() {
            Some((_, last)) if *last + 1 == *index => *last = *index,
            _ => runs.push((*index, *index)),
        }
    }
    let shown = runs.into_iter().map(|(first, last)| match last - first {
        0 => first.to_string(),
        1 => format!("{first},{last}"),
        _ => format!("{first}-{last}"),
    });
    shown.collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_are_written_as_intervals_and_read_again() {
        let indexes = BTreeSet::from([0, 2, 3, 4, 6, 7]);
        assert_eq!(write(&indexes), "0,2-4,6,7");
        assert_eq!(read("0,2-4,6,7", 100), indexes);
        assert_eq!(read("x,5-1,0-99999999999", 2), BTreeSet::from([0, 1]));
    }
}
