//! The variables themselves.

use std::path::Path;

use serde_json::{Map, Value};

use super::outer::{OUTER, executable};
use super::{OuterEnv, Place, Reach, jks};
use crate::state::{Facts, WorldRecord};

/// Variables that name the one file of all certificates that a client trusts.
pub const TRUSTED_BUNDLE: [&str; 6] = [
    "REQUESTS_CA_BUNDLE",
    "SSL_CERT_FILE",
    "CURL_CA_BUNDLE",
    "GIT_SSL_CAINFO",
    "PIP_CERT",
    "CARGO_HTTP_CAINFO",
];

/// Variables of the user that would lead a client out of the world or past its login.
const COVERED: [&str; 22] = [
    "ALL_PROXY",
    "all_proxy",
    "AZURE_ACCESS_TOKEN",
    "AZURE_AUTHORITY_HOST",
    "AZURE_CLIENT_CERTIFICATE_PATH",
    "AZURE_CLIENT_CERTIFICATE_PASSWORD",
    "AZURE_FEDERATED_TOKEN_FILE",
    "AZURE_USERNAME",
    "AZURE_PASSWORD",
    "ARM_ACCESS_KEY",
    "ARM_CLIENT_CERTIFICATE_PATH",
    "ARM_ENVIRONMENT",
    "ARM_METADATA_HOSTNAME",
    "ARM_METADATA_HOST",
    "ARM_OIDC_TOKEN",
    "ARM_USE_MSI",
    "ARM_USE_OIDC",
    "ARM_CLOUD_METADATA_URL",
    "AZURE_CLOUD_NAME",
    "IDENTITY_ENDPOINT",
    "MSI_ENDPOINT",
    "SSL_CERT_DIR",
];

/// One variable of a client's environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variable {
    /// Its name.
    pub name: String,
    /// Its value; `None` means that it must not be set.
    pub value: Option<String>,
    /// Where the value comes from, for `--explain`.
    pub source: String,
}

/// The environment of a client of a world.
#[derive(Debug, Clone)]
pub struct ClientEnv(Vec<Variable>);

impl ClientEnv {
    /// The environment for a caller whose own one is `outer`; `state_home` is where the world was found.
    #[must_use]
    pub fn build(record: &WorldRecord, state_home: &Path, outer: &OuterEnv) -> Self {
        let mut list = List { outer, variables: Vec::new() };
        list.set("DRYARC_WORLD", record.name.as_str(), "the world");
        list.set_path("DRYARC_STATE_HOME", state_home, "where the world was found");
        list.client(&record.facts, &Reach::own(record));
        for name in COVERED {
            if outer.raw(name).is_some() {
                list.add(name, None, "yours, covered: it would lead out of the world");
            }
        }
        list.remember();
        Self(list.variables)
    }

    /// The environment for a client elsewhere that reaches the world by `reach`. Nothing is known of its own environment, so
    /// whatever could lead it out of the world is covered.
    #[must_use]
    pub(super) fn exported(record: &WorldRecord, reach: &Reach) -> Self {
        let outer = OuterEnv::default();
        let mut list = List { outer: &outer, variables: Vec::new() };
        list.client(&record.facts, reach);
        for name in COVERED {
            list.add(name, None, "covered: it would lead out of the world");
        }
        Self(list.variables)
    }

    /// The variables, in the order in which they are shown.
    #[must_use]
    pub fn variables(&self) -> &[Variable] {
        &self.0
    }

    /// The value of a variable that is set.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|variable| variable.name == name)?.value.as_deref()
    }

    /// What leads out of the environment that `outer` was read in, whether its world still runs or not; nothing outside of one.
    #[must_use]
    pub fn leave(outer: &OuterEnv) -> Option<Self> {
        let names = outer.covered()?.iter().map(String::as_str).chain([OUTER]);
        let variable = |name: &str| Variable { name: name.into(), value: None, source: String::new() };
        Some(Self(names.map(variable).collect()).undo(outer))
    }

    /// What undoes this environment: the user's own values come back.
    #[must_use]
    pub fn undo(&self, outer: &OuterEnv) -> Self {
        let back = |variable: &Variable| Variable {
            name: variable.name.clone(),
            value: outer.raw(&variable.name).filter(|_| variable.name != OUTER).map(str::to_owned),
            source: "yours".into(),
        };
        Self(self.0.iter().map(back).collect())
    }
}

struct List<'a> {
    outer: &'a OuterEnv,
    variables: Vec<Variable>,
}

impl List<'_> {
    fn add(&mut self, name: &str, value: Option<String>, source: impl Into<String>) {
        self.variables.push(Variable { name: name.into(), value, source: source.into() });
    }

    fn set(&mut self, name: &str, value: impl Into<String>, source: &str) {
        self.add(name, Some(value.into()), source);
    }

    fn set_path(&mut self, name: &str, path: &Path, source: &str) {
        self.set(name, path.display().to_string(), source);
    }

    /// In upper and lower case, because programs differ in which they read first.
    fn set_both(&mut self, name: &str, value: &str, source: &str) {
        self.set(name, value, source);
        self.set(&name.to_ascii_lowercase(), value, source);
    }

    /// What leads a client into the world, wherever it is.
    fn client(&mut self, facts: &Facts, reach: &Reach) {
        let url = format!("https://{}", reach.cloud);
        self.set("DRYARC_CLOUD_URL", url, "the world's cloud, for clients that take an endpoint");
        self.set_path("HOME", &facts.home(), "a private home in the world's folder");
        self.login(facts);
        self.azure_cli(facts, &reach.control);
        self.kubernetes(facts);
        self.network(facts, reach);
        self.trust(facts);
        self.proxies(facts);
        self.java(facts, reach);
    }

    fn login(&mut self, facts: &Facts) {
        let ids = [
            ("CLIENT_ID", &facts.client_id, "client-id"),
            ("CLIENT_SECRET", &facts.client_secret, "client-secret"),
            ("TENANT_ID", &facts.tenant, "tenant"),
            ("SUBSCRIPTION_ID", &facts.subscription, "subscription"),
        ];
        for prefix in ["AZURE", "ARM"] {
            for (name, value, what) in ids {
                let source = facts.origins.get(what).map_or("the world's profile", String::as_str);
                self.set(&format!("{prefix}_{name}"), value.as_str(), source);
            }
        }
    }

    fn azure_cli(&mut self, facts: &Facts, control: &Place) {
        let prepared = "prepared in the world's folder, logged in as its service principal";
        self.set_path("AZURE_CONFIG_DIR", &facts.azure_config(), prepared);
        self.set_path("AZURE_EXTENSION_DIR", &facts.az_extensions(), "a copy of your Azure CLI extensions");
        let index = format!("http://{control}/az-extensions/index.json");
        self.set("AZURE_EXTENSION_INDEX_URL", index, "an index of those extensions");
        self.set("AZURE_CORE_COLLECT_TELEMETRY", "no", "fixed: nothing leaves the machine");
    }

    fn kubernetes(&mut self, facts: &Facts) {
        self.set_path("KUBECONFIG", &facts.kubeconfig(), "the world's cluster");
        for (name, program) in [("KUBECTL_CLIENT_PATH", "kubectl"), ("HELM_CLIENT_PATH", "helm")] {
            let given = self.outer.get(name).filter(|path| executable(Path::new(path))).map(str::to_owned);
            let (value, source) = match given {
                Some(path) => (Some(path), format!("your {name}")),
                None => (
                    self.outer.program(program).map(|path| path.display().to_string()),
                    format!("{program} on your PATH"),
                ),
            };
            if value.is_some() {
                self.add(name, value, source);
            }
        }
    }

    fn network(&mut self, facts: &Facts, reach: &Reach) {
        let proxied = facts.workstation_proxy().is_some_and(|proxy| Place::from(proxy.http) == reach.gateway);
        let source = if proxied {
            "the customer's proxy, before the gateway that stands for the Internet"
        } else {
            "the world's gateway, which stands for the Internet"
        };
        let gateway = format!("http://{}", reach.gateway);
        for name in ["HTTPS_PROXY", "HTTP_PROXY"] {
            self.set_both(name, &gateway, source);
        }
        self.set_both("NO_PROXY", &reach.direct().join(","), "this machine, and where the cluster is");
        self.set(
            "NODE_USE_ENV_PROXY",
            "1",
            "fixed: makes Node 22.21, 24.5 and later heed the proxy variables",
        );
    }

    /// The customer's proxies: what is to be said to agents, and what would have to be trusted.
    fn proxies(&mut self, facts: &Facts) {
        for place in &facts.proxies {
            let name = place.name.to_ascii_uppercase().replace('-', "_");
            let url = format!("http://{}", place.http);
            self.set(&format!("DRYARC_{name}_URL"), url, "where the proxy is");
            self.set_path(&format!("DRYARC_{name}_CA"), &facts.proxy_ca(&place.name), "the proxy's root");
            let bundle = facts.proxy_bundle(&place.name);
            self.set_path(&format!("DRYARC_{name}_BUNDLE"), &bundle, "that root beside all others");
        }
    }

    fn trust(&mut self, facts: &Facts) {
        let bundle = facts.bundle();
        for name in TRUSTED_BUNDLE {
            self.set_path(name, &bundle, "the system's roots and the world's own");
        }
        self.set_path("NODE_EXTRA_CA_CERTS", &facts.ca(), "the world's root, added to Node's own");
        self.set_path("DENO_CERT", &facts.ca(), "the world's root, added to Deno's own");
        self.set("DOTNET_CLI_TELEMETRY_OPTOUT", "1", "fixed: nothing leaves the machine");
        self.set("POWERSHELL_TELEMETRY_OPTOUT", "1", "fixed: nothing leaves the machine");
    }

    fn java(&mut self, facts: &Facts, reach: &Reach) {
        let Place { host, port } = &reach.gateway;
        let mut options: Vec<String> = vec![
            format!("-Dhttps.proxyHost={host}"),
            format!("-Dhttps.proxyPort={port}"),
            format!("-Dhttp.proxyHost={host}"),
            format!("-Dhttp.proxyPort={port}"),
            format!("-Dhttp.nonProxyHosts={}", java_direct(reach)),
            java_option("javax.net.ssl.trustStore", &facts.java_trust().display().to_string()),
            "-Djavax.net.ssl.trustStoreType=JKS".into(),
            format!("-Djavax.net.ssl.trustStorePassword={}", jks::PASSWORD),
        ];
        let mut source = "the world's gateway and roots, for Java".to_owned();
        if let Some(own) = self.outer.get("JAVA_TOOL_OPTIONS") {
            // The last of two equal options counts.
            options.insert(0, own.to_owned());
            source.push_str(", behind your own options");
        }
        self.add("JAVA_TOOL_OPTIONS", Some(options.join(" ")), source);
    }

    /// Keeps what is covered, so that it can be undone and looked through.
    fn remember(&mut self) {
        let mut covered = Map::new();
        for variable in &self.variables {
            let own = self.outer.raw(&variable.name).map_or(Value::Null, Value::from);
            covered.insert(variable.name.clone(), own);
        }
        self.set(OUTER, Value::Object(covered).to_string(), "what the variables above cover");
    }
}

/// Hosts that are reached directly, as Java writes them.
fn java_direct(reach: &Reach) -> String {
    let more = reach.direct().into_iter().filter(|host| !["localhost", "127.0.0.1", "::1"].contains(host));
    ["localhost", "127.*", "[::1]"].into_iter().chain(more).collect::<Vec<_>>().join("|")
}

/// The Java launcher splits at spaces outside of quotes.
fn java_option(name: &str, value: &str) -> String {
    let quote = if value.contains('"') { '\'' } else { '"' };
    let plain = !value.contains(|c: char| c.is_whitespace() || matches!(c, '"' | '\''));
    if plain { format!("-D{name}={value}") } else { format!("-D{name}={quote}{value}{quote}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::testing::record;

    fn outer(pairs: &[(&str, &str)]) -> OuterEnv {
        OuterEnv::new(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
    }

    #[test]
    fn clients_are_led_into_the_world_and_nowhere_else() {
        let outer = outer(&[
            ("HOME", "/root"),
            ("ALL_PROXY", "http://proxy"),
            ("NO_PROXY", "azure.com"),
            ("JAVA_TOOL_OPTIONS", "-Xmx1g"),
        ]);
        let env = ClientEnv::build(&record("/state/my world"), Path::new("/state"), &outer);
        assert_eq!(env.get("AZURE_CONFIG_DIR"), Some("/state/my world/home/.azure"));
        assert_eq!(env.get("https_proxy"), Some("http://127.0.0.1:2"));
        assert!(!env.get("NO_PROXY").unwrap().contains("azure"));
        assert_eq!(env.get("ALL_PROXY"), None);
        assert!(env.variables().iter().any(|variable| variable.name == "ALL_PROXY"));
        let java = env.get("JAVA_TOOL_OPTIONS").unwrap();
        assert!(java.starts_with("-Xmx1g "));
        assert!(java.contains("trustStore=\"/state/my world/ca-bundle.jks\""));
        assert_eq!(env.get("ARM_TENANT_ID"), env.get("AZURE_TENANT_ID"));
        assert_eq!(env.get("KUBECTL_CLIENT_PATH"), None);
    }

    #[test]
    fn undoing_brings_back_what_the_user_had() {
        let own = [("HOME", "/root"), ("HTTPS_PROXY", "http://proxy")];
        let env = ClientEnv::build(&record("/w"), Path::new("/state"), &outer(&own));
        let inside = env
            .variables()
            .iter()
            .filter_map(|variable| variable.value.clone().map(|value| (variable.name.clone(), value)));
        let seen_inside = OuterEnv::new(inside);
        let undone = env.undo(&seen_inside);
        assert_eq!(undone.get("HOME"), Some("/root"));
        assert_eq!(undone.get("HTTPS_PROXY"), Some("http://proxy"));
        assert_eq!(undone.get("KUBECONFIG"), None);
        assert_eq!(undone.get(OUTER), None);
    }

    #[test]
    fn an_environment_is_left_without_its_world() {
        assert!(ClientEnv::leave(&outer(&[("HOME", "/root")])).is_none());
        let own = [("HOME", "/root"), ("HTTPS_PROXY", "http://proxy")];
        let env = ClientEnv::build(&record("/w"), Path::new("/state"), &outer(&own));
        let inside = env.variables().iter().filter_map(|one| Some((one.name.clone(), one.value.clone()?)));
        let left = ClientEnv::leave(&OuterEnv::new(inside)).unwrap();
        assert_eq!(left.get("HOME"), Some("/root"));
        assert_eq!(left.get("HTTPS_PROXY"), Some("http://proxy"));
        let gone = |name: &str| left.variables().iter().any(|one| one.name == name && one.value.is_none());
        assert!(gone("KUBECONFIG") && gone("AZURE_CONFIG_DIR") && gone(OUTER));
    }
}
