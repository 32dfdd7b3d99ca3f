//! JSON as the deployments API takes it: with comments, bare names, single quotes and commas at the end. The Azure CLI sends
//! templates that way.

use std::iter::Peekable;
use std::str::Chars;

/// The same text as strict JSON, as far as these liberties go; whatever else is wrong with it stays wrong.
pub(super) fn strict(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' | '\'' => quoted(c, &mut chars, &mut out),
            '/' if matches!(chars.peek(), Some('/' | '*')) => comment(&mut chars),
            '}' | ']' => {
                let kept = out.trim_end().trim_end_matches(',').len();
                if out.trim_end().ends_with(',') {
                    out.truncate(kept);
                }
                out.push(c);
            }
            c if c.is_ascii_alphabetic() || c == '_' || c == '$' => bare(c, &mut chars, &mut out),
            c => out.push(c),
        }
    }
    out
}

fn quoted(quote: char, chars: &mut Peekable<Chars<'_>>, out: &mut String) {
    out.push('"');
    while let Some(c) = chars.next() {
        match c {
            '\\' => {
                // In single quotes, a single quote may be escaped; in double quotes it need not be.
                match chars.next() {
                    Some('\'') => out.push('\''),
                    Some(next) => out.extend(['\\', next]),
                    None => out.push('\\'),
                }
            }
            c if c == quote => {
                out.push('"');
                return;
            }
            '"' => out.push_str("\\\""),
            c => out.push(c),
        }
    }
}

fn comment(chars: &mut Peekable<Chars<'_>>) {
    if chars.next() == Some('/') {
        chars.by_ref().find(|c| *c == '\n');
        return;
    }
    let mut last = ' ';
    for c in chars.by_ref() {
        if last == '*' && c == '/' {
            return;
        }
        last = c;
    }
}

/// A word: a name when a colon follows, or else a literal.
fn bare(first: char, chars: &mut Peekable<Chars<'_>>, out: &mut String) {
    let mut word = String::from(first);
    while let Some(c) =
        chars.next_if(|c| c.is_ascii_alphanumeric() || *c == '_' || *c == '$' || *c == '-' || *c == '+')
    {
        word.push(c);
    }
    let mut rest = chars.clone();
    if rest.find(|c| !c.is_whitespace()) == Some(':') {
        out.push('"');
        out.push_str(&word);
        out.push('"');
    } else {
        out.push_str(&word);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn liberties_are_read_as_what_they_mean() {
        for (text, wanted) in [
            (
                r#"{"properties": {"mode": "Incremental", template:{"a": [1, 2,],} }}"#,
                json!({"properties": {"mode": "Incremental", "template": {"a": [1, 2]}}}),
            ),
            ("{ // name\n 'it''s': 1 }", Value::Null),
            ("{'a \\'b\\' \"c\"': /* inline: */ true}", json!({"a 'b' \"c\"": true})),
            (
                r#"{"u": "http://x/*y*/", n: -1.5e+3, z: null}"#,
                json!({"u": "http://x/*y*/", "n": -1500.0, "z": null}),
            ),
            (r#"{"t": "a, }", "s": "\\"}"#, json!({"t": "a, }", "s": "\\"})),
        ] {
            assert_eq!(serde_json::from_str::<Value>(&strict(text)).unwrap_or_default(), wanted, "{text}");
        }
    }

    #[test]
    fn strict_json_stays_as_it_is_and_nonsense_stays_nonsense() {
        for text in [r#"{"a":[true,false,null,1.5,"x\n\"y\""],"b":{}}"#, "[]", "{\"k\": \"\\u00e9\"}"] {
            assert_eq!(strict(text), text);
        }
        for text in ["{", "{]", "/*", "'", "{a b}", "\\", ""] {
            assert!(serde_json::from_str::<Value>(&strict(text)).is_err(), "{text}");
        }
    }
}
