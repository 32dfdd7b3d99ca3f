//! Kubeconfigs of servers that tests and figures are compared with: one cluster, one user with a client certificate in the file.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

/// What a client needs of a kubeconfig. Certificates and key are PEM.
#[derive(Clone)]
pub struct Kubeconfig {
    /// Where the API server is.
    pub server: String,
    /// Who signed its certificate.
    pub ca: String,
    /// The user's certificate.
    pub certificate: String,
    /// Its key.
    pub key: String,
}

impl std::fmt::Debug for Kubeconfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Kubeconfig").field("server", &self.server).finish_non_exhaustive()
    }
}

impl Kubeconfig {
    /// Reads the text of a configuration file.
    ///
    /// # Errors
    /// What is missing in it, for people.
    pub fn parse(text: &str) -> Result<Self, String> {
        let config: Value = serde_saphyr::from_str(text).map_err(|error| error.to_string())?;
        let text = |pointer: &str| {
            let found = config.pointer(pointer).and_then(Value::as_str);
            found.ok_or_else(|| format!("the kubeconfig has nothing at {pointer}"))
        };
        let pem = |pointer: &str| -> Result<String, String> {
            let bytes = STANDARD.decode(text(pointer)?).map_err(|error| format!("{pointer}: {error}"))?;
            String::from_utf8(bytes).map_err(|error| format!("{pointer}: {error}"))
        };
        Ok(Self {
            server: text("/clusters/0/cluster/server")?.to_owned(),
            ca: pem("/clusters/0/cluster/certificate-authority-data")?,
            certificate: pem("/users/0/user/client-certificate-data")?,
            key: pem("/users/0/user/client-key-data")?,
        })
    }
}
