//! The JSONPath of printer columns: `.a.b`, `['a']`, `[0]`, `[*]`, `[?(@.type=="Ready")]`, `\.` for a dot in a name.
//!
//! Not modelled: recursive descent, slices, unions, and comparisons other than `==` and `!=`.

use serde_json::Value;

#[derive(Debug, Clone, PartialEq)]
enum Step {
    Field(String),
    Index(i64),
    All,
    Where { path: Path, equal: bool, value: Value },
}

/// A parsed path.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Path(Vec<Step>);

impl Path {
    /// None when the path uses what is not modelled.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut steps = Vec::new();
        let mut rest = text.trim().trim_start_matches('$');
        while !rest.is_empty() {
            rest = if let Some(after) = rest.strip_prefix('.') {
                if after.starts_with('.') {
                    return None;
                }
                if after.starts_with('[') || after.is_empty() { after } else { field(after, &mut steps)? }
            } else if let Some(after) = rest.strip_prefix('[') {
                bracket(after, &mut steps)?
            } else {
                field(rest, &mut steps)?
            };
        }
        Some(Self(steps))
    }

    /// What the path finds.
    pub(super) fn find<'a>(&self, value: &'a Value) -> Vec<&'a Value> {
        self.0.iter().fold(vec![value], |found, step| found.into_iter().flat_map(|it| step.of(it)).collect())
    }
}

fn field<'a>(text: &'a str, steps: &mut Vec<Step>) -> Option<&'a str> {
    let mut name = String::new();
    let mut chars = text.char_indices();
    let mut end = text.len();
    while let Some((at, letter)) = chars.next() {
        match letter {
            '\\' => name.push(chars.next()?.1),
            '.' | '[' => {
                end = at;
                break;
            }
            other => name.push(other),
        }
    }
    if name.is_empty() {
        return None;
    }
    steps.push(if name == "*" { Step::All } else { Step::Field(name) });
    text.get(end..)
}

fn bracket<'a>(text: &'a str, steps: &mut Vec<Step>) -> Option<&'a str> {
    if let Some(filter) = text.strip_prefix("?(") {
        let (condition, rest) = filter.split_once(")]")?;
        steps.push(condition_of(condition)?);
        return Some(rest);
    }
    for quote in ['\'', '"'] {
        if let Some(name) = text.strip_prefix(quote) {
            let (name, rest) = name.split_once(&format!("{quote}]"))?;
            steps.push(Step::Field(name.to_owned()));
            return Some(rest);
        }
    }
    let (inner, rest) = text.split_once(']')?;
    steps.push(if inner == "*" { Step::All } else { Step::Index(inner.parse().ok()?) });
    Some(rest)
}

fn condition_of(text: &str) -> Option<Step> {
    let (left, right, equal) = match (text.split_once("=="), text.split_once("!=")) {
        (Some((left, right)), _) => (left, right, true),
        (None, Some((left, right))) => (left, right, false),
        (None, None) => return None,
    };
    let path = Path::parse(left.trim().strip_prefix('@')?)?;
    let right = right.trim();
    let quoted = right.trim_matches(|quote| quote == '\'' || quote == '"');
    let value = if quoted.len() == right.len() {
        serde_json::from_str(right).ok()?
    } else {
        Value::String(quoted.to_owned())
    };
    Some(Step::Where { path, equal, value })
}

impl Step {
    fn of<'a>(&self, value: &'a Value) -> Vec<&'a Value> {
        match self {
            Self::Field(name) => value.get(name).into_iter().collect(),
            Self::All => match value {
                Value::Array(items) => items.iter().collect(),
                Value::Object(map) => map.values().collect(),
                _ => Vec::new(),
            },
            Self::Index(index) => {
                let Value::Array(items) = value else { return Vec::new() };
                let from_start = usize::try_from(*index).ok();
                let at = from_start.or_else(|| items.len().checked_sub(usize::try_from(-index).ok()?));
                at.and_then(|at| items.get(at)).into_iter().collect()
            }
            Self::Where { path, equal, value: wanted } => {
                let holds = |item: &&Value| path.find(item).iter().any(|found| (*found == wanted) == *equal);
                value.as_array().into_iter().flatten().filter(holds).collect()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn paths_find_what_printer_columns_name() {
        let object = json!({"spec": {"list": [{"n": 1}, {"n": 2}]}, "metadata": {"annotations": {"a.b/c": "x"}},
            "status": {"conditions": [{"type": "Other", "status": "False"}, {"type": "Ready", "status": "True"}]}});
        for (path, wanted) in [
            (".spec.list[0].n", json!(1)),
            (".spec.list[-1].n", json!(2)),
            (".spec.list[*].n", json!(1)),
            (r".metadata.annotations.a\.b/c", json!("x")),
            (".metadata.annotations['a.b/c']", json!("x")),
            (".status.conditions[?(@.type==\"Ready\")].status", json!("True")),
            (".status.conditions[?(@.type=='Ready')].status", json!("True")),
            ("$.spec.list[1].n", json!(2)),
        ] {
            let found = Path::parse(path).unwrap();
            assert_eq!(found.find(&object).first(), Some(&&wanted), "{path}");
        }
        assert!(Path::parse(".spec.none").unwrap().find(&object).is_empty());
        assert_eq!(Path::parse("..deep"), None);
        assert_eq!(Path::parse(".a[1:2]"), None);
    }
}
