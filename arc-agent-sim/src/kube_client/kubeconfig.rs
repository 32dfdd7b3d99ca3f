//! From the text of a kubeconfig.

use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use sim_core::net::Net;

use super::service::Credential;
use super::{Access, KubeClientError};

#[derive(Debug, Deserialize)]
struct Kubeconfig {
    #[serde(default, rename = "current-context")]
    current: String,
    #[serde(default)]
    contexts: Vec<Named<Context>>,
    #[serde(default)]
    clusters: Vec<Named<Cluster>>,
    #[serde(default)]
    users: Vec<Named<User>>,
}

/// An entry of one of the three lists; its content stands under a key of its own.
#[derive(Debug, Deserialize)]
struct Named<T> {
    name: String,
    #[serde(alias = "context", alias = "cluster", alias = "user")]
    content: T,
}

#[derive(Debug, Deserialize)]
struct Context {
    cluster: String,
    #[serde(default)]
    user: String,
    namespace: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Cluster {
    server: String,
    certificate_authority: Option<PathBuf>,
    certificate_authority_data: Option<String>,
    #[serde(default)]
    insecure_skip_tls_verify: bool,
    tls_server_name: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct User {
    client_certificate: Option<PathBuf>,
    client_certificate_data: Option<String>,
    client_key: Option<PathBuf>,
    client_key_data: Option<String>,
    token: Option<String>,
    #[serde(rename = "tokenFile")]
    token_file: Option<PathBuf>,
    exec: Option<serde::de::IgnoredAny>,
    auth_provider: Option<serde::de::IgnoredAny>,
    username: Option<serde::de::IgnoredAny>,
}

/// A client for the cluster that `text` (YAML or JSON) describes, in context `context`, or in the current one when that
/// is `None`. Credentials are a client certificate, a token or a token file. Relative paths are taken as they are.
///
/// # Errors
/// [`KubeClientError`] says which entry is missing, unusable or not modelled.
pub fn from_kubeconfig(
    net: &Net,
    text: &str,
    context: Option<&str>,
) -> Result<kube::Client, KubeClientError> {
    access(text, context)?.client(net)
}

fn access(text: &str, context: Option<&str>) -> Result<Access, KubeClientError> {
    let config: Kubeconfig =
        serde_saphyr::from_str(text).map_err(|error| KubeClientError::unusable("kubeconfig", error))?;
    let wanted = context.unwrap_or(&config.current);
    let context = find(config.contexts, "context", wanted)?;
    let cluster = find(config.clusters, "cluster", &context.cluster)?;
    let user =
        if context.user.is_empty() { User::default() } else { find(config.users, "user", &context.user)? };
    refuse(&cluster, &user)?;
    let certificate = material(user.client_certificate_data, user.client_certificate, "client-certificate")?;
    let key = material(user.client_key_data, user.client_key, "client-key")?;
    let credential = match (user.token, user.token_file) {
        (Some(token), _) => Credential::Token(token),
        (None, Some(file)) => Credential::TokenFile(file),
        (None, None) => Credential::None,
    };
    Ok(Access {
        server: cluster.server,
        authority: material(
            cluster.certificate_authority_data,
            cluster.certificate_authority,
            "certificate-authority",
        )?,
        credential,
        identity: certificate.zip(key),
        namespace: context.namespace.unwrap_or_else(|| "default".into()),
    })
}

fn find<T>(list: Vec<Named<T>>, what: &str, name: &str) -> Result<T, KubeClientError> {
    list.into_iter()
        .find(|entry| entry.name == name)
        .map(|entry| entry.content)
        .ok_or_else(|| KubeClientError::unusable("kubeconfig", format!("there is no {what} named '{name}'")))
}

fn refuse(cluster: &Cluster, user: &User) -> Result<(), KubeClientError> {
    let found = [
        (cluster.insecure_skip_tls_verify, "insecure-skip-tls-verify"),
        (cluster.tls_server_name.is_some(), "tls-server-name"),
        (user.exec.is_some(), "an exec credential"),
        (user.auth_provider.is_some(), "an auth provider"),
        (user.username.is_some(), "user name and password"),
    ];
    found
        .into_iter()
        .find(|(there, _)| *there)
        .map_or(Ok(()), |(_, what)| Err(KubeClientError::NotModelled(what)))
}

/// PEM given inline in base64, or as a file.
fn material(
    data: Option<String>,
    file: Option<PathBuf>,
    what: &str,
) -> Result<Option<String>, KubeClientError> {
    if let Some(data) = data.filter(|data| !data.is_empty()) {
        let what = || format!("kubeconfig: {what}-data");
        let bytes = STANDARD.decode(data.trim()).map_err(|error| KubeClientError::unusable(what(), error))?;
        return String::from_utf8(bytes).map(Some).map_err(|error| KubeClientError::unusable(what(), error));
    }
    file.map(|file| {
        std::fs::read_to_string(&file)
            .map_err(|error| KubeClientError::unusable(file.display().to_string(), error))
    })
    .transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: &str = "
apiVersion: v1
kind: Config
current-context: dryarc
contexts:
- name: dryarc
  context: {cluster: c, user: u, namespace: team}
clusters:
- name: c
  cluster: {server: 'https://127.0.0.1:6443', certificate-authority-data: Q0E=}
users:
- name: u
  user: {client-certificate-data: Q0VSVA==, client-key-data: S0VZ}
- name: helper
  user: {exec: {command: aws}}
";

    #[test]
    fn a_kubeconfig_names_server_trust_and_client_certificate() {
        let access = access(CONFIG, None).unwrap();
        assert_eq!(access.server, "https://127.0.0.1:6443");
        assert_eq!(access.authority.as_deref(), Some("CA"));
        assert_eq!(access.identity, Some(("CERT".into(), "KEY".into())));
        assert_eq!(access.namespace, "team");
    }

    #[test]
    fn what_is_missing_or_not_modelled_is_named() {
        let reason = |text: &str, context| match access(text, context) {
            Ok(_) => "accepted".to_owned(),
            Err(error) => error.to_string(),
        };
        assert!(reason(CONFIG, Some("other")).contains("no context named 'other'"));
        assert!(reason(&CONFIG.replace("user: u,", "user: helper,"), None).contains("exec"));
        assert!(reason(&CONFIG.replace("Q0E=", "*"), None).contains("certificate-authority-data"));
        assert!(reason("- 1", None).starts_with("kubeconfig"));
    }
}
