//! What a text of a rule stands for.

/// A text of a rule, read once: it is compared without case (ASCII), `*` at either end stands for anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pattern {
    form: Form,
    /// What must be there.
    needle: Box<str>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Is,
    Begins,
    Ends,
    Has,
}

impl Pattern {
    /// Reads a text of a rule.
    pub(super) fn read(text: &str) -> Self {
        let (form, needle) = match (text.strip_prefix('*'), text.strip_suffix('*')) {
            (Some(_), Some(_)) if text.len() > 1 => (Form::Has, text.trim_matches('*')),
            (Some(end), _) => (Form::Ends, end),
            (None, Some(start)) => (Form::Begins, start),
            (None, None) => (Form::Is, text),
        };
        Self { form, needle: needle.into() }
    }

    /// What must occur in a text for it to match; empty when that says nothing.
    pub(super) fn needle(&self) -> &str {
        &self.needle
    }

    /// Whether a text is what it stands for.
    pub(super) fn matches(&self, text: &str) -> bool {
        let (needle, text) = (self.needle.as_bytes(), text.as_bytes());
        let at = |part: Option<&[u8]>| part.is_some_and(|part| part.eq_ignore_ascii_case(needle));
        match self.form {
            Form::Is => text.eq_ignore_ascii_case(needle),
            Form::Begins => at(text.get(..needle.len())),
            Form::Ends => at(text.len().checked_sub(needle.len()).and_then(|start| text.get(start..))),
            Form::Has => {
                needle.is_empty() || text.windows(needle.len()).any(|part| part.eq_ignore_ascii_case(needle))
            }
        }
    }
}

/// Whether a text is what a pattern of a rule stands for: the same without case, or with `*` at either end for anything.
#[must_use]
pub fn text_matches(pattern: &str, text: &str) -> bool {
    Pattern::read(pattern).matches(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_at_either_end() {
        assert!(text_matches("*.azure.com", "management.AZURE.com"));
        assert!(text_matches("put", "PUT"));
        assert!(text_matches("*", "anything") && text_matches("*", "") && text_matches("**", "x"));
        assert!(text_matches("*b*", "aBc") && text_matches("", ""));
        assert!(!text_matches("a*", "ba"));
        assert!(!text_matches("*long", "ng") && !text_matches("long*", "lo") && !text_matches("", "x"));
    }
}
