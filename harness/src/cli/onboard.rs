//! `dryarc onboard`.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use sim_core::clock::{Mode, Reading};
use sim_core::keys::{Bits, KeySource};

use super::onboard_features::FeatureArgs;
use super::output::{Output, show};
use super::remote::Remote;
use super::{CliError, Context, Exit, list, output, remote};
use crate::driver::{DriverError, Event, OnboardOptions, ProxyOptions, Reporter, Stage, StageState};

/// Connect the world's cluster to Azure Arc with the native driver
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  dryarc onboard --name AzureArcTest1 --resource-group AzureArcTest --location eastus
  dryarc onboard -n c -g g --tags env=test owner=me
  dryarc onboard -n c -g g --proxy-https http://proxy:3128 --proxy-skip-range 10.0.0.0/8,.svc
  dryarc onboard -n c -g g --enable-oidc-issuer --enable-workload-identity

The resource providers must be registered: `az provider register`, or `dryarc provider set NAMESPACE --state Registered`.
The options are those of `az connectedk8s connect`; AZURE_LOCAL_DISCONNECTED=true leaves out the checks of the network, as there.")]
pub(super) struct Onboard {
    /// The name of the resource
    #[arg(long, short)]
    name: String,
    /// The resource group; made when it does not exist and a location is given
    #[arg(long, short = 'g')]
    resource_group: String,
    /// The location; the group's when left out
    #[arg(long, short)]
    location: Option<String>,
    /// Tags of the resource
    #[arg(long, value_name = "KEY=VALUE", num_args = 0.., value_parser = tag)]
    tags: Vec<(String, String)>,
    /// A kubeconfig other than the world's
    #[arg(long, value_name = "FILE")]
    kube_config: Option<PathBuf>,
    /// A context other than the current one
    #[arg(long, value_name = "NAME")]
    kube_context: Option<String>,
    /// The proxy that the agents use for HTTPS
    #[arg(long, value_name = "URL")]
    proxy_https: Option<String>,
    /// The proxy that the agents use for HTTP
    #[arg(long, value_name = "URL")]
    proxy_http: Option<String>,
    /// What the agents reach without the proxy
    #[arg(long, value_name = "LIST")]
    proxy_skip_range: Option<String>,
    /// Certificates that the agents trust (PEM)
    #[arg(long, visible_alias = "custom-ca-cert", value_name = "FILE")]
    proxy_cert: Option<PathBuf>,
    /// The distribution; found out when left out
    #[arg(long, value_name = "NAME")]
    distribution: Option<String>,
    /// The infrastructure; found out when left out
    #[arg(long, value_name = "NAME")]
    infrastructure: Option<String>,
    /// Do not let the agents upgrade themselves
    #[arg(long)]
    disable_auto_upgrade: bool,
    /// How long the agents may take to become available, in seconds of the world's time
    #[arg(long, value_name = "SECONDS", default_value_t = 1200)]
    onboarding_timeout: u64,
    /// Do not wait for the resource or the agents
    #[arg(long)]
    no_wait: bool,
    /// The id by which Azure tells what belongs together; drawn when left out
    #[arg(long, value_name = "ID")]
    correlation_id: Option<String>,
    /// Taken for the sake of scripts: nothing is asked here
    #[arg(long = "yes", short = 'y')]
    _yes: bool,
    /// The form of the output
    #[arg(long, short, value_enum, default_value = "json", value_name = "FORM")]
    output: Output,
    #[command(flatten)]
    features: FeatureArgs,
}

fn tag(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.into(), value.into())),
        _ => Err(format!("'{text}' is no tag: write KEY=VALUE")),
    }
}

impl Onboard {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, CliError> {
        let remote = Remote::connect(context).await?.correlated(self.correlation_id.clone());
        if matches!(context.control()?.get::<Reading>("/v1/clock").await, Ok(reading) if reading.mode == Mode::Manual)
        {
            output::say(
                "note: this world's time stands still; what is waited for comes with `dryarc clock advance 10m`",
            );
        }
        let options = self.options(context);
        let keys = KeySource::fresh();
        keys.prefetch(&options.key, Bits::Rsa4096);
        let driver = remote.driver(
            "connectedk8s connect",
            self.kube_config.as_deref(),
            self.kube_context.as_deref(),
            keys,
            reporter(),
        )?;
        let onboarded = match remote.wait_for(Box::pin(driver.onboard(&options))).await? {
            Ok(onboarded) => onboarded,
            Err(error) => return Err(collected(context, error).await),
        };
        let resource = list::flat(onboarded.resource);
        show(self.output, &resource, || list::people(std::slice::from_ref(&resource)))?;
        Ok(Exit::Ok)
    }

    fn options(&self, context: &Context) -> OnboardOptions {
        let disconnected = context.outer.get("AZURE_LOCAL_DISCONNECTED");
        let mut options = OnboardOptions {
            checks: !disconnected.is_some_and(|value| value.eq_ignore_ascii_case("true")),
            location: self.location.clone(),
            tags: self.tags.iter().cloned().collect(),
            proxy: ProxyOptions {
                https: self.proxy_https.clone(),
                http: self.proxy_http.clone(),
                skip_range: self.proxy_skip_range.clone(),
                certificate: self.proxy_cert.clone(),
            },
            distribution: self.distribution.clone(),
            infrastructure: self.infrastructure.clone(),
            disable_auto_upgrade: self.disable_auto_upgrade,
            onboarding_timeout: Duration::from_secs(self.onboarding_timeout),
            no_wait: self.no_wait,
            ..OnboardOptions::new(&self.name, &self.resource_group)
        };
        self.features.fill(&mut options);
        options
    }
}

/// A failed stage; a real cluster knows more about it than the stage.
async fn collected(context: &Context, error: DriverError) -> CliError {
    let in_cluster = matches!(error.stage, Stage::Agents | Stage::Readiness);
    let mut failed = failed(error);
    if let (true, Ok(record)) = (in_cluster, context.running())
        && let Some(folder) = remote::collect(&record).await
    {
        failed
            .what
            .push_str(&format!("\n  where: logs and events of the cluster are in {}", folder.display()));
    }
    failed
}

/// Tells the person at the terminal what happens.
pub(super) fn reporter() -> Reporter {
    Arc::new(|event: &Event| match event.state {
        StageState::Started => output::say(&event.step_line()),
        StageState::Warning => output::say(&format!("warning: {}", event.text)),
        StageState::Waiting => tracing::info!(stage = %event.stage, "{}", event.text),
        StageState::Done => tracing::info!(stage = %event.stage, "done: {}", event.text),
    })
}

/// A failed stage, in the command's own form.
pub(super) fn failed(error: DriverError) -> CliError {
    let place = if error.place.is_empty() { String::new() } else { format!(", {}", error.place) };
    let what = format!("{}: {}\n  where: stage '{}'{place}", error.code, error.what, error.stage);
    let missing = matches!(error.arm_code.as_deref(), Some("ResourceNotFound" | "ResourceGroupNotFound"));
    let exit = if missing { Exit::NotFound } else { Exit::Failed };
    CliError::new(exit, what).next(error.next)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_pairs() {
        assert_eq!(tag("a=b=c"), Ok(("a".into(), "b=c".into())));
        assert_eq!(tag("a="), Ok(("a".into(), String::new())));
        assert!(tag("a").is_err());
        assert!(tag("=b").is_err());
    }
}
