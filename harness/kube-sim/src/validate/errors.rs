//! Collecting field errors. Source of the wording: apimachinery's `field` package.

use serde_json::Value;

use crate::status::Cause;

/// What is wrong so far.
#[derive(Debug, Default)]
pub(super) struct Errors(Vec<Cause>);

/// `: detail`, or nothing.
fn detail(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!(": {text}") }
}

impl Errors {
    pub(super) fn into_causes(self) -> Vec<Cause> {
        self.0
    }

    fn add(&mut self, reason: &str, path: impl Into<String>, message: String) {
        self.0.push(Cause::new(reason, path, message));
    }

    pub(super) fn required(&mut self, path: impl Into<String>, why: &str) {
        self.add("FieldValueRequired", path, format!("Required value{}", detail(why)));
    }

    pub(super) fn invalid(&mut self, path: impl Into<String>, value: &Value, why: &str) {
        self.add("FieldValueInvalid", path, format!("Invalid value: {value}{}", detail(why)));
    }

    /// An invalid value that is shown in words of its own.
    pub(super) fn invalid_shown(&mut self, path: impl Into<String>, shown: &str, why: &str) {
        self.add("FieldValueInvalid", path, format!("Invalid value: {shown}{}", detail(why)));
    }

    /// An invalid text, for each reason given.
    pub(super) fn invalid_text(&mut self, path: &str, text: &str, reasons: impl IntoIterator<Item = String>) {
        for why in reasons {
            self.invalid(path, &Value::from(text), &why);
        }
    }

    pub(super) fn not_supported(&mut self, path: impl Into<String>, value: &Value, supported: &[&str]) {
        let supported: Vec<String> = supported.iter().map(|one| format!("{one:?}")).collect();
        let message = format!("Unsupported value: {value}: supported values: {}", supported.join(", "));
        self.add("FieldValueNotSupported", path, message);
    }

    pub(super) fn duplicate(&mut self, path: impl Into<String>, value: &Value) {
        self.add("FieldValueDuplicate", path, format!("Duplicate value: {value}"));
    }

    pub(super) fn not_found(&mut self, path: impl Into<String>, value: &Value) {
        self.add("FieldValueNotFound", path, format!("Not found: {value}"));
    }

    pub(super) fn forbidden(&mut self, path: impl Into<String>, why: &str) {
        self.add("FieldValueForbidden", path, format!("Forbidden{}", detail(why)));
    }

    pub(super) fn too_long(&mut self, path: impl Into<String>, limit: usize) {
        self.add("FieldValueTooLong", path, format!("Too long: may not be more than {limit} bytes"));
    }

    /// A field that must stay as it was.
    pub(super) fn immutable(&mut self, path: &str, new: &Value, old: &Value) {
        if new != old {
            self.invalid(path, new, "field is immutable");
        }
    }

    /// A number that must not be below zero.
    pub(super) fn not_negative(&mut self, path: &str, value: &Value) {
        if value.as_i64().is_some_and(|number| number < 0) {
            self.invalid(path, value, "must be greater than or equal to 0");
        }
    }
}

/// A text field; empty when missing.
pub(super) fn text<'a>(owner: &'a Value, field: &str) -> &'a str {
    owner[field].as_str().unwrap_or_default()
}

/// A list field with the path of each item.
pub(super) fn items<'a>(owner: &'a Value, path: &str, field: &str) -> Vec<(String, &'a Value)> {
    let list = owner[field].as_array().into_iter().flatten();
    list.enumerate().map(|(index, item)| (format!("{path}.{field}[{index}]"), item)).collect()
}
