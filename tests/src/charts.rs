//! The charts, as real helm sees them: they are clean, and the agents' one renders to what the native driver applies.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use arc_agent_sim::manifests::{self, CheckSettings, ProxySettings, Values};
use libtest_mimic::{Completion, Failed, Trial};
use serde_json::{Value, json};

use crate::clients::Client;
use crate::repository;

/// The version in the chart's folder.
const VERSION: &str = "1.37.2";

/// What the Azure CLI always sets.
const USUAL: &[(&str, &str)] = &[
    ("global.subscriptionId", "11111111-1111-1111-1111-111111111111"),
    ("global.resourceGroupName", "AzureArcTest"),
    ("global.resourceName", "AzureArcTest1"),
    ("global.location", "eastus"),
    ("global.tenantId", "22222222-2222-2222-2222-222222222222"),
    ("global.kubernetesDistro", "kind"),
    ("global.kubernetesInfra", "kind"),
    ("global.azureEnvironment", "AZUREPUBLICCLOUD"),
    ("systemDefaultValues.spnOnboarding", "false"),
    ("systemDefaultValues.clusterconnect-agent.enabled", "true"),
];

/// What options of the Azure CLI and its other verbs add, case by case.
const CASES: &[(&str, &[(&str, &str)])] = &[
    ("a_plain_connect", &[]),
    ("a_private_link", &[("systemDefaultValues.clusterconnect-agent.enabled", "false")]),
    (
        "a_proxy_with_a_certificate",
        &[
            ("global.isProxyEnabled", "true"),
            ("global.httpsProxy", "http://user:p@proxy.corp:3128"),
            ("global.httpProxy", "http://proxy.corp:3128"),
            ("global.noProxy", "10.0.0.0/16"),
            ("global.isCustomCert", "true"),
            ("global.proxyCert", "-----BEGIN CERTIFICATE-----"),
        ],
    ),
    ("a_certificate_alone", &[("global.isCustomCert", "true"), ("global.proxyCert", "PEM <&>")]),
    (
        "a_proxy_switched_off",
        &[("global.isProxyEnabled", "False"), ("global.httpsProxy", "http://proxy.corp:3128")],
    ),
    ("an_old_agents_key", &[("global.onboardingPrivateKey", "-----BEGIN RSA PRIVATE KEY-----")]),
    (
        "every_feature",
        &[
            ("systemDefaultValues.guard.enabled", "true"),
            ("systemDefaultValues.guard.authnMode", "arc"),
            ("systemDefaultValues.guard.skipAuthzCheck", "a@example.com"),
            ("systemDefaultValues.customLocations.enabled", "true"),
            ("systemDefaultValues.customLocations.oid", "33333333-3333-3333-3333-333333333333"),
            ("systemDefaultValues.extensionEventsCollector.enabled", "true"),
            ("systemDefaultValues.logcollector.enabled", "true"),
            ("systemDefaultValues.azureArcAgents.autoUpdate", "False"),
            ("systemDefaultValues.fluent-bit.containerLogPath", "/var/log/pods"),
            ("systemDefaultValues.readinessProbe.initialDelaySeconds", "0"),
            ("systemDefaultValues.readinessProbe.periodSeconds", "1"),
            ("global.enableOidcIssuer", "true"),
        ],
    ),
    (
        "a_custom_cloud",
        &[
            ("global.azureEnvironment", "ARCMOCK"),
            ("global.kubeAadEndpoint", "4.k8sproxysvc.connectrp.azs"),
            ("systemDefaultValues.azureResourceManagerEndpoint", "https://127.0.0.1:8443"),
            ("systemDefaultValues.activeDirectoryEndpoint", "https://127.0.0.1:8443"),
            ("systemDefaultValues.azureArcAgents.config_dp_endpoint_override", "https://127.0.0.1:8443"),
            (
                "systemDefaultValues.clusterconnect-agent.notification_dp_endpoint_override",
                "https://127.0.0.1:8443",
            ),
            (
                "systemDefaultValues.clusterconnect-agent.relay_endpoint_suffix_override",
                ".servicebus.windows.net",
            ),
            (
                "systemDefaultValues.clusteridentityoperator.his_endpoint_override",
                "https://127.0.0.1:8443/discovery?location=eastus&api-version=1.0-preview",
            ),
            ("systemDefaultValues.image.repository", "mcr.microsoft.com"),
        ],
    ),
];

fn folder(name: &str) -> PathBuf {
    repository::root().join("fixtures/charts").join(name)
}

/// The tests; each is ignored where helm is not installed.
#[must_use]
pub fn trials() -> Vec<Trial> {
    let mut all: Vec<Trial> = CASES
        .iter()
        .map(|(name, extra)| {
            let test = move || with_helm(|helm| renders_to_the_native_objects(helm, extra));
            Trial::ignorable_test(format!("charts::renders_natively::{name}"), test)
        })
        .collect();
    let checks = || with_helm(checks_render_to_the_native_objects);
    all.push(Trial::ignorable_test("charts::renders_natively::the_checks", checks));
    let clean = || with_helm(is_clean);
    all.push(Trial::ignorable_test("charts::are_clean", clean));
    all
}

fn with_helm(test: impl FnOnce(&Path) -> Result<(), Failed>) -> Result<Completion, Failed> {
    let Some(helm) = Client::Helm.find() else {
        return Ok(Completion::ignored_with("helm is not installed"));
    };
    test(&helm).map(|()| Completion::Completed)
}

fn run(command: &mut Command) -> Result<String, Failed> {
    let output = command.output()?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(format!("{command:?}\n{}", String::from_utf8_lossy(&output.stderr)).into())
}

fn is_clean(helm: &Path) -> Result<(), Failed> {
    let charts = [folder("azure-arc-k8sagents"), folder("clusterdiagnosticchecks")];
    let said = run(Command::new(helm).args(["lint", "--strict"]).args(charts))?;
    let complaint = said.lines().find(|line| line.contains("WARNING") || line.contains("ERROR"));
    complaint.map_or(Ok(()), |line| Err(line.to_owned().into()))
}

fn renders_to_the_native_objects(helm: &Path, extra: &[(&str, &str)]) -> Result<(), Failed> {
    let mut values = json!({});
    for (name, value) in USUAL.iter().chain(extra) {
        manifests::set(&mut values, name, value);
    }
    let set: Vec<(&str, &str)> = USUAL.iter().chain(extra).copied().collect();
    let rendered = rendered(helm, [manifests::RELEASE, manifests::CHART], &set)?;
    same(rendered, manifests::rendered(&Values::with(&values).settings(VERSION)?))
}

/// The checks before onboarding, without and with a proxy and its certificate.
fn checks_render_to_the_native_objects(helm: &Path) -> Result<(), Failed> {
    let proxy = ProxySettings {
        https: Some("http://u:p@proxy.corp:3128".into()),
        http: Some("http://proxy.corp:3128".into()),
        no_proxy: Some("10.0.0.0/16,.svc".into()),
        certificate: Some("PEM <&>".into()),
    };
    let mut set = vec![
        ("global.location", "westeurope"),
        ("global.azureCloud", "AZUREPUBLICCLOUD"),
        ("global.mcrRepository", "mcr.example"),
        ("global.image.registry", "mcr.example"),
    ];
    let mut settings = CheckSettings {
        location: "westeurope".into(),
        cloud: "AZUREPUBLICCLOUD".into(),
        registry: "mcr.example".into(),
        proxy: ProxySettings::default(),
    };
    let names = [manifests::CHECKS_RELEASE, manifests::CHECKS_CHART.0];
    same(rendered(helm, names, &set)?, manifests::checks(&settings))?;
    set.extend([
        ("global.httpsProxy", "http://u:p@proxy.corp:3128"),
        ("global.httpProxy", "http://proxy.corp:3128"),
        ("global.noProxy", "10.0.0.0/16,.svc"),
        ("global.proxyCert", "PEM <&>"),
    ]);
    settings.proxy = proxy;
    same(rendered(helm, names, &set)?, manifests::checks(&settings))
}

/// What helm makes of a chart.
fn rendered(helm: &Path, [release, chart]: [&str; 2], set: &[(&str, &str)]) -> Result<Vec<Value>, Failed> {
    let mut command = Command::new(helm);
    command.args(["template", release]).arg(folder(chart));
    command.args(["--namespace", manifests::RELEASE_NAMESPACE]);
    for (name, value) in set {
        command.args(["--set", &format!("{name}={}", value.replace(',', "\\,"))]);
    }
    documents(&run(&mut command)?)
}

fn same(rendered: Vec<Value>, native: Vec<Value>) -> Result<(), Failed> {
    let (rendered, native) = (by_name(rendered), by_name(native));
    for (name, object) in &native {
        let found = rendered.get(name).ok_or_else(|| format!("the chart has no {name}"))?;
        if found != object {
            let pretty = |value: &Value| serde_json::to_string_pretty(&sorted(value)).unwrap_or_default();
            let diff =
                similar::TextDiff::from_lines(pretty(found), pretty(object)).unified_diff().to_string();
            return Err(format!("{name}: chart and native objects differ\n{diff}").into());
        }
    }
    match rendered.keys().find(|name| !native.contains_key(*name)) {
        Some(name) => Err(format!("only the chart has {name}").into()),
        None => Ok(()),
    }
}

/// The same with sorted keys, for people.
fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let sorted: BTreeMap<&String, Value> =
                map.iter().map(|(key, value)| (key, self::sorted(value))).collect();
            json!(sorted)
        }
        Value::Array(items) => items.iter().map(sorted).collect(),
        other => other.clone(),
    }
}

fn documents(text: &str) -> Result<Vec<Value>, Failed> {
    let mut all = Vec::new();
    for document in text.split("\n---\n").flat_map(|part| part.strip_prefix("---\n").or(Some(part))) {
        if document.lines().all(|line| line.trim().is_empty() || line.starts_with('#')) {
            continue;
        }
        all.push(serde_saphyr::from_str(document).map_err(|error| format!("{error}\n{document}"))?);
    }
    Ok(all)
}

fn by_name(objects: Vec<Value>) -> BTreeMap<String, Value> {
    let name = |object: &Value| {
        let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        format!("{} {}", text("/kind"), text("/metadata/name"))
    };
    objects.into_iter().map(|object| (name(&object), object)).collect()
}
