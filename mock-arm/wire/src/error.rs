//! Error bodies of Azure Resource Manager (ARM resource provider contract, "error response").

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// An error as clients read it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ArmError {
    /// A word that programs compare.
    pub code: Cow<'static, str>,
    /// A sentence that people read.
    pub message: String,
    /// What the error is about: a property path or a resource.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// Errors behind this one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub details: Vec<ArmError>,
    /// Typed extras, such as a policy violation.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub additional_info: Vec<AdditionalInfo>,
}

/// One typed extra of an error.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AdditionalInfo {
    /// What kind of extra.
    #[serde(rename = "type")]
    pub kind: String,
    /// The extra.
    pub info: Value,
}

/// The envelope around an error: the whole body of a failed reply.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ErrorBody {
    /// The error.
    pub error: ArmError,
}

impl ArmError {
    /// An error with a code and a message.
    #[must_use]
    pub fn new(code: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Self { code: code.into(), message: message.into(), ..Self::default() }
    }

    /// Says what the error is about.
    #[must_use]
    pub fn target(mut self, target: impl Into<String>) -> Self {
        self.target = Some(target.into());
        self
    }

    /// Adds an error behind this one.
    #[must_use]
    pub fn detail(mut self, detail: ArmError) -> Self {
        self.details.push(detail);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absent_parts_are_not_written() {
        let body = ErrorBody { error: ArmError::new("ResourceGroupNotFound", "no").target("g") };
        let text = serde_json::to_string(&body).unwrap();
        assert_eq!(text, r#"{"error":{"code":"ResourceGroupNotFound","message":"no","target":"g"}}"#);
        assert_eq!(serde_json::from_str::<ErrorBody>(&text).unwrap(), body);
    }
}
