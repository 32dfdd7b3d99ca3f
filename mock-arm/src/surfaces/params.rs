//! Query strings and form bodies.

use std::collections::HashMap;

/// The parameters of a query or an `application/x-www-form-urlencoded` body. Names compare without case, and of a name
/// that occurs twice the first counts.
pub(crate) struct Params(HashMap<String, String>);

impl Params {
    /// Reads encoded parameters. Anything can be read; what makes no sense yields odd names that nobody asks for.
    pub(crate) fn parse(encoded: &[u8]) -> Self {
        let mut found = HashMap::new();
        for (name, value) in form_urlencoded::parse(encoded) {
            found.entry(name.to_ascii_lowercase()).or_insert_with(|| value.into_owned());
        }
        Self(found)
    }

    /// The value of a parameter (its name in lower case); an empty one counts as absent.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_no_case_and_values_are_decoded() {
        let params = Params::parse(b"API-version=1&a=x%2Fy+z&a=2&empty=");
        assert_eq!(params.get("api-version"), Some("1"));
        assert_eq!(params.get("a"), Some("x/y z"));
        assert_eq!(params.get("empty"), None);
    }
}
