//! Settings of the agents' features: what Azure is told openly, what stays here, and how that comes back into the chart's values.
//!
//! The Azure CLI calls them agentry configurations. Azure Resource Manager gets the open settings, the data plane also the names
//! of the protected ones (`redacted:FEATURE:NAME`), and answers with values that refer to them.

use std::path::Path;

use arc_agent_sim::manifests::ProxySettings;
use indexmap::IndexMap;
use serde_json::{Map, Value, json};

use super::options::{OnboardOptions, Setting};
use super::{Code, DriverError, Stage};

/// What the keyword `Arc` in a skip range stands for.
const ARC_HOSTS: &str =
    ".his.arc.azure.com,.dp.kubernetesconfiguration.azure.com,.guestconfiguration.azure.com";

const PROXY: &str = "proxy";
const CERTIFICATE: &str = "proxy_cert";

/// One feature.
#[derive(Clone, Default)]
struct Feature {
    /// Open settings; absent for a feature that only has protected ones.
    open: Option<Map<String, Value>>,
    protected: IndexMap<String, String>,
}

/// The settings of every feature that has some.
#[derive(Clone, Default)]
pub(super) struct Configurations(IndexMap<String, Feature>);

impl Configurations {
    /// Gathers what the options say: reads the certificate's file and expands the keyword `Arc`.
    pub(super) async fn read(options: &OnboardOptions) -> Result<Self, DriverError> {
        let mut all = Self::default();
        for Setting { feature, name, value } in &options.settings {
            all.open(feature).insert(name.clone(), value.as_str().into());
        }
        let logging = options.container_log_path.as_ref().filter(|_| !all.0.contains_key("logging"));
        if let Some(path) = logging {
            all.open("logging").insert("container_log_path".into(), path.as_str().into());
        }
        for Setting { feature, name, value } in &options.protected_settings {
            all.protect(feature, name, value.clone());
        }
        let proxy = &options.proxy;
        if !proxy.is_empty() {
            all.open(PROXY);
        }
        let range = proxy.skip_range.as_deref().map(expand);
        for (name, value) in
            [("https_proxy", &proxy.https), ("http_proxy", &proxy.http), ("no_proxy", &range)]
        {
            if let Some(value) = value {
                all.protect(PROXY, name, value.clone());
            }
        }
        // The setting is the path of a file, however it is given.
        let given = all.protected(PROXY, CERTIFICATE).map(Into::into);
        if let Some(file) = proxy.certificate.clone().or(given) {
            all.protect(PROXY, CERTIFICATE, certificate(&file).await?);
        }
        Ok(all)
    }

    fn open(&mut self, feature: &str) -> &mut Map<String, Value> {
        self.0.entry(feature.to_owned()).or_default().open.get_or_insert_default()
    }

    fn protect(&mut self, feature: &str, name: &str, value: String) {
        self.0.entry(feature.to_owned()).or_default().protected.insert(name.to_owned(), value);
    }

    fn protected(&self, feature: &str, name: &str) -> Option<&str> {
        self.0.get(feature)?.protected.get(name).map(String::as_str)
    }

    /// The proxy, for whoever checks the cluster's network.
    pub(super) fn proxy(&self) -> ProxySettings {
        let of = |name: &str| self.protected(PROXY, name).map(str::to_owned);
        ProxySettings {
            https: of("https_proxy"),
            http: of("http_proxy"),
            no_proxy: of("no_proxy"),
            certificate: of(CERTIFICATE),
        }
    }

    /// As they go to Azure Resource Manager: no word of a protected setting. `None` when there are none.
    pub(super) fn sent(&self) -> Option<Value> {
        self.list(|_, _| None)
    }

    /// As they go to the data plane: protected settings by name, their values stay here.
    pub(super) fn redacted(&self) -> Option<Value> {
        self.list(|name, feature| {
            let reference = |setting: &String| (setting.clone(), json!(format!("redacted:{name}:{setting}")));
            let protected: Map<String, Value> = feature.protected.keys().map(reference).collect();
            (!protected.is_empty()).then_some(protected)
        })
    }

    fn list(&self, protected: impl Fn(&str, &Feature) -> Option<Map<String, Value>>) -> Option<Value> {
        let one = |(name, feature): (&String, &Feature)| {
            let mut all = json!({ "feature": name });
            if let Some(open) = &feature.open {
                all["settings"] = Value::Object(open.clone());
            }
            if let Some(protected) = protected(name, feature) {
                all["protectedSettings"] = Value::Object(protected);
            }
            all
        };
        (!self.0.is_empty()).then(|| self.0.iter().map(one).collect())
    }

    /// Puts a value back in where the data plane refers to it; `None` for a reference to nothing that is here.
    pub(super) fn reveal(&self, value: &str) -> Option<String> {
        if !value.contains("redacted") {
            return Some(value.to_owned());
        }
        let (feature, name) = value.strip_prefix("redacted:")?.split_once(':')?;
        self.protected(feature, name).map(str::to_owned)
    }
}

/// A skip range with the keyword `Arc` spelled out.
fn expand(range: &str) -> String {
    let part = |part| if str::trim(part).eq_ignore_ascii_case("arc") { ARC_HOSTS } else { part };
    range.split(',').map(part).collect::<Vec<_>>().join(",")
}

async fn certificate(file: &Path) -> Result<String, DriverError> {
    tokio::fs::read_to_string(file).await.map_err(|error| {
        let what = format!("Proxy cert path {} does not exist or cannot be read: {error}", file.display());
        let next = "give the path of a PEM file with --proxy-cert";
        DriverError::new(Stage::Proxy, Code::PROXY_CERTIFICATE_NOT_FOUND, what, next)
            .at(file.display().to_string())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn setting(feature: &str, name: &str, value: &str) -> Setting {
        Setting { feature: feature.into(), name: name.into(), value: value.into() }
    }

    #[tokio::test]
    async fn secrets_stay_here_and_come_back_and_the_word_arc_is_expanded() {
        let mut options = OnboardOptions::new("n", "g");
        options.proxy.https = Some("http://u:p@proxy:1".into());
        options.proxy.skip_range = Some("10.0.0.0/16,Arc".into());
        options.protected_settings = vec![setting("sec", "word", "hidden")];
        let all = Configurations::read(&options).await.unwrap();
        let sent = all.redacted().unwrap().to_string();
        assert!(sent.contains("redacted:proxy:https_proxy") && sent.contains("redacted:sec:word"), "{sent}");
        assert!(!sent.contains("u:p@") && !sent.contains("hidden"), "{sent}");
        assert_eq!(all.reveal("redacted:proxy:https_proxy").unwrap(), "http://u:p@proxy:1");
        assert_eq!(all.reveal("redacted:sec:word").unwrap(), "hidden");
        let range = all.reveal("redacted:proxy:no_proxy").unwrap();
        assert!(range.starts_with("10.0.0.0/16,.his.arc.azure.com,"), "{range}");
        assert_eq!((all.reveal("redacted:logging:x"), all.reveal("redacted")), (None, None));
        assert_eq!(all.reveal("true").unwrap(), "true");
        assert!(!format!("{options:?}").contains("hidden"));
        options.proxy.certificate = Some("/no/such/file.pem".into());
        let error = Configurations::read(&options).await.err().unwrap();
        assert_eq!((error.stage, error.code), (Stage::Proxy, Code::PROXY_CERTIFICATE_NOT_FOUND));
    }

    #[tokio::test]
    async fn azure_gets_the_open_settings_and_the_names_of_features_only() {
        let mut options = OnboardOptions::new("n", "g");
        assert_eq!(Configurations::read(&options).await.unwrap().sent(), None);
        options.settings = vec![setting("feat", "key", "value")];
        options.protected_settings = vec![setting("sec", "word", "hidden")];
        options.container_log_path = Some("/var/log/own".into());
        options.proxy.http = Some("http://p:1".into());
        let all = Configurations::read(&options).await.unwrap();
        let expected = json!([
            { "feature": "feat", "settings": { "key": "value" } },
            { "feature": "logging", "settings": { "container_log_path": "/var/log/own" } },
            { "feature": "sec" },
            { "feature": "proxy", "settings": {} },
        ]);
        assert_eq!(all.sent().unwrap(), expected);
        options.settings.push(setting("logging", "level", "all"));
        let all = Configurations::read(&options).await.unwrap().sent().unwrap();
        assert_eq!(all[1], json!({ "feature": "logging", "settings": { "level": "all" } }));
    }
}
