//! A world in another process, as the native driver sees it: its clock, its Internet, its cluster.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use arc_agent_sim::from_kubeconfig;
use http::Method;
use serde_json::{Value, json};
use sim_core::clock::{Clock, Mode, Reading};
use sim_core::clock_link::ClockLink;
use sim_core::keys::KeySource;
use sim_core::net::{Net, Proxy, ProxyRules, roots_from_pem};
use sim_core::seed::Seed;

use super::{CliError, Context, Exit};
use crate::clusters::{Backend, collect};
use crate::control::Control;
use crate::driver::{self, Azure, AzureConfig, Credentials, Driver, Endpoints, Reporter};
use crate::state::{Facts, ProxyPlace, WorldRecord};

/// How far an instant clock jumps while a command waits for something.
const JUMP: Duration = Duration::from_secs(1);

/// A running world, reached from outside.
#[derive(Debug)]
pub(super) struct Remote {
    facts: Facts,
    control: Control,
    /// The world's clock, followed.
    pub(super) clock: Clock,
    net: Net,
    /// The correlation id that the user wants, if any.
    correlation: Option<String>,
}

impl Remote {
    /// Reaches the world that is meant.
    pub(super) async fn connect(context: &Context) -> Result<Self, CliError> {
        let record = context.running()?;
        let clock = follow(&record).await?;
        let net = net(&record.facts)?;
        Ok(Self { control: Control::new(&record), facts: record.facts, clock, net, correlation: None })
    }

    /// The same with a correlation id of the user's own.
    pub(super) fn correlated(self, correlation: Option<String>) -> Self {
        Self { correlation, ..self }
    }

    /// Azure, as the world's service principal sees it. `command` is what the Azure CLI calls what is done.
    pub(super) fn azure(&self, command: &str) -> Azure {
        let facts = &self.facts;
        let drawn = || match sim_core::keys::secret("correlation") {
            // The id of a command must not repeat when the same command runs again.
            Ok(fresh) => Seed::new(facts.seed).uuid(&fresh).to_string(),
            Err(_) => Seed::new(facts.seed).uuid("correlation").to_string(),
        };
        let correlation = self.correlation.clone().unwrap_or_else(drawn);
        Azure::new(AzureConfig {
            credentials: credentials(facts),
            endpoints: Endpoints::default(),
            net: self.net.clone(),
            clock: self.clock.clone(),
            correlation,
            command: command.into(),
        })
    }

    /// The cluster behind a kubeconfig: the world's own, or the user's file.
    pub(super) fn kube(&self, file: Option<&Path>, context: Option<&str>) -> Result<kube::Client, CliError> {
        kube_client(&self.facts, &self.net, file, context)
    }

    /// The driver for that cluster, for a command of this name.
    pub(super) fn driver(
        &self,
        command: &str,
        file: Option<&Path>,
        context: Option<&str>,
        keys: KeySource,
        reporter: Reporter,
    ) -> Result<Driver, CliError> {
        let driver =
            Driver::new(self.azure(command), self.kube(file, context)?, self.clock.clone(), keys, reporter);
        let real = is_real(&self.facts) || file.is_some();
        Ok(if real { driver.of_real_cluster() } else { driver })
    }

    /// Waits for `work`. An instant clock moves only for somebody who waits, and from another process that has to be
    /// said by the control interface.
    pub(super) async fn wait_for<T>(&self, work: impl Future<Output = T>) -> Result<T, CliError> {
        let reading: Reading = self.control.get("/v1/clock").await?;
        if reading.mode != Mode::Instant {
            return Ok(work.await);
        }
        let push = async {
            loop {
                let body = json!({ "span": JUMP.as_secs() });
                if let Err(error) = self.control.send::<Value>(Method::POST, "/v1/clock/advance", &body).await
                {
                    return error;
                }
            }
        };
        tokio::select! {
            biased;
            result = work => Ok(result),
            error = push => Err(error.into()),
        }
    }
}

async fn follow(record: &WorldRecord) -> Result<Clock, CliError> {
    let unusable = |reason: String| {
        let what = format!("the clock of world '{}' cannot be followed: {reason}", record.name);
        CliError::new(Exit::Unusable, what).next("end the world with `dryarc down` and start another")
    };
    let link: ClockLink =
        record.facts.clock_link.parse().map_err(|_| unusable("its address is damaged".into()))?;
    link.follow().await.map_err(|error| unusable(error.to_string()))
}

/// The world's service principal.
pub(super) fn credentials(facts: &Facts) -> Credentials {
    Credentials {
        tenant: facts.tenant.clone(),
        client_id: facts.client_id.clone(),
        client_secret: facts.client_secret.clone(),
        subscription: facts.subscription.clone(),
    }
}

/// The network as a workstation in the world has it: the gateway is the Internet, the world's root is trusted. A customer's
/// proxy before the workstation is used; what the caller's environment says about it (credentials, `NO_PROXY`, and the
/// bundle with its root as `SSL_CERT_FILE` or `REQUESTS_CA_BUNDLE`) counts as it does for other programs.
pub(super) fn net(facts: &Facts) -> Result<Net, CliError> {
    net_of(facts, |name| std::env::var(name).ok())
}

fn net_of(facts: &Facts, get: impl Fn(&str) -> Option<String>) -> Result<Net, CliError> {
    let proxy = facts.workstation_proxy();
    let bundle = proxy.map(|proxy| facts.proxy_bundle(&proxy.name));
    let named = ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"].into_iter().filter_map(&get).map(PathBuf::from);
    let path = named.into_iter().find(|path| Some(path) == bundle.as_ref()).unwrap_or_else(|| facts.ca());
    let unusable = |reason: &dyn std::fmt::Display| {
        CliError::new(
            Exit::Unusable,
            format!("the world's certificates in {} cannot be used: {reason}", path.display()),
        )
    };
    let pem = std::fs::read_to_string(&path).map_err(|error| unusable(&error))?;
    let roots = roots_from_pem(&pem).map_err(|error| unusable(&error))?;
    let rules = proxy.map(|proxy| rules(proxy, get)).unwrap_or_default();
    let builder = Net::builder().roots(roots).egress(Some(facts.gateway)).proxy(rules);
    builder.build().map_err(|error| unusable(&error))
}

/// The caller's own variables where they lead to this proxy, else its plain address.
fn rules(place: &ProxyPlace, get: impl Fn(&str) -> Option<String>) -> ProxyRules {
    let here = |url: &String| {
        Proxy::parse(url).is_some_and(|proxy| {
            let listens = |at: SocketAddr| {
                let named = place.names.contains(&proxy.host) || proxy.host == "localhost";
                proxy.port == at.port() && (named || proxy.host == at.ip().to_string())
            };
            listens(place.http) || place.https.is_some_and(listens)
        })
    };
    let both = |name: &str| get(name).or_else(|| get(&name.to_ascii_lowercase()));
    let own = both("HTTPS_PROXY").filter(here);
    let skip = own.as_ref().and_then(|_| both("NO_PROXY"));
    let url = own.unwrap_or_else(|| format!("http://{}", place.http));
    ProxyRules::new(Some(&url), Some(&url), skip.as_deref())
}

/// Whether the world's cluster is a real one.
pub(super) fn is_real(facts: &Facts) -> bool {
    facts.backend != Backend::Embedded.to_string()
}

/// Keeps the logs and events of a real cluster in a new folder; `None` for an embedded one, and when nothing can be had.
pub(super) async fn collect(record: &WorldRecord) -> Option<PathBuf> {
    let facts = &record.facts;
    if !is_real(facts) {
        return None;
    }
    let client = kube_client(facts, &net(facts).ok()?, None, None).ok()?;
    let name = format!("dryarc-{}-{}-failed", record.name, std::process::id());
    let folder = std::env::temp_dir().join(name);
    let files = collect::collect(&driver::Cluster::new(client), &folder).await;
    (files > 0).then_some(folder)
}

/// A client for the cluster behind a kubeconfig.
pub(super) fn kube_client(
    facts: &Facts,
    net: &Net,
    file: Option<&Path>,
    context: Option<&str>,
) -> Result<kube::Client, CliError> {
    let own = facts.kubeconfig();
    let path = file.unwrap_or(&own);
    let next = "check --kube-config and --kube-context, or leave them out for the world's own cluster";
    let text = std::fs::read_to_string(path).map_err(|error| {
        CliError::usage(format!("cannot read the kubeconfig {}: {error}", path.display())).next(next)
    })?;
    from_kubeconfig(net, &text, context).map_err(|error| {
        let error = error.to_string();
        let reason = error.trim_start_matches("kubeconfig: ").trim_start_matches("error: ");
        CliError::usage(format!("the kubeconfig {} cannot be used: {reason}", path.display())).next(next)
    })
}
