//! The configuration file.

use std::path::Path;

use serde::Deserialize;

use super::ProxyError;

/// What the CLI writes, as far as it matters here.
#[derive(Debug, Deserialize)]
pub(super) struct Config {
    pub(super) server: Ports,
    #[serde(default, rename = "cloudConfig")]
    pub(super) cloud: Cloud,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Ports {
    /// Where the CLI registers clusters.
    pub(super) http_port: u16,
    /// Where `kubectl` sends its requests.
    pub(super) https_port: u16,
}

/// Endpoints of a cloud that says them itself.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Cloud {
    #[serde(default)]
    pub(super) service_bus_endpoint_suffix: Option<String>,
}

impl Config {
    pub(super) fn read(file: &Path) -> Result<Self, ProxyError> {
        let unusable = |reason: String| ProxyError::new(file.display().to_string(), reason);
        let text = std::fs::read_to_string(file).map_err(|error| unusable(error.to_string()))?;
        serde_saphyr::from_str(&text).map_err(|error| unusable(error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_of_the_cli_is_read() {
        let text = "cloud: AzureCloud\nidentity:\n  clientID: a\n  tenantID: b\nserver:\n  httpPort: 47010\n  httpsPort: 47011\n";
        let config: Config = serde_saphyr::from_str(text).unwrap();
        assert_eq!((config.server.http_port, config.server.https_port), (47010, 47011));
        assert!(config.cloud.service_bus_endpoint_suffix.is_none());
    }
}
