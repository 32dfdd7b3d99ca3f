//! How a step ended, and whether that was expected.

use serde::Serialize;
use serde_json::Value;

use super::super::expect::ClientExpect;
use super::fields;
use crate::driver::{AzureError, DriverError};

/// How a client ended.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Outcome {
    /// Its exit code: 0 done, 1 failed, 2 the step itself is wrong, 124 given up.
    pub exit: u8,
    /// The stage that failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stage: Option<String>,
    /// The Azure CLI's code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// Azure's own code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub arm_code: Option<String>,
    /// The HTTP status of a call of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// The error, as its user sees it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub text: String,
    /// Warnings, and what else was said.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub said: Vec<String>,
    /// The answer to a call of its own.
    #[serde(skip)]
    pub body: Value,
}

impl Outcome {
    pub(super) fn done() -> Self {
        Self::default()
    }

    pub(super) fn failed(exit: u8, text: impl Into<String>) -> Self {
        Self { exit, text: text.into(), ..Self::default() }
    }

    pub(super) fn driver(error: &DriverError) -> Self {
        Self {
            stage: Some(error.stage.to_string()),
            code: Some(error.code.id.into()),
            arm_code: error.arm_code.as_deref().map(Into::into),
            ..Self::failed(1, error.to_string())
        }
    }

    pub(super) fn azure(error: &AzureError) -> Self {
        Self {
            arm_code: error.arm_code().map(Into::into),
            status: error.status(),
            ..Self::failed(1, error.to_string())
        }
    }

    /// What is not as it is expected.
    pub(super) fn unmet(&self, expected: Option<&ClientExpect>) -> Vec<String> {
        let default = ClientExpect::default();
        let expected = expected.unwrap_or(&default);
        let mut unmet = Vec::new();
        if self.exit != expected.exit() {
            let text = if self.text.is_empty() { String::new() } else { format!(": {}", self.text) };
            unmet.push(format!("the exit code is {}, not {}{text}", self.exit, expected.exit()));
        }
        let pairs = [
            ("stage", &expected.stage, &self.stage),
            ("code", &expected.code, &self.code),
            ("ARM error code", &expected.arm_code, &self.arm_code),
        ];
        for (name, wanted, found) in pairs {
            if wanted.is_some() && wanted != found {
                let wanted = wanted.as_deref().unwrap_or_default();
                let found = found.as_deref().unwrap_or("none");
                unmet.push(format!("the {name} is {found}, not {wanted} ({})", self.text));
            }
        }
        if expected.status.is_some() && expected.status != self.status {
            let wanted = expected.status.unwrap_or_default();
            unmet.push(format!("the status is {}, not {wanted}", self.status.unwrap_or_default()));
        }
        for text in &expected.text.0 {
            if !self.text.contains(text) && !self.said.iter().any(|said| said.contains(text)) {
                let said = self.said.iter().map(String::as_str).chain([self.text.as_str()]);
                let said = said.filter(|said| !said.is_empty()).collect::<Vec<_>>().join(" | ");
                unmet.push(format!("nothing says '{text}', but: {said}"));
            }
        }
        unmet.extend(fields::unmet("the answer", &self.body, &expected.is));
        unmet
    }
}
