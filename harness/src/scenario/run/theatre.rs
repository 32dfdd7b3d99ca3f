//! Where a scenario is performed: a world of its own, and the ways into it.

use std::sync::{Arc, Mutex, PoisonError};

use arc_agent_sim::kube_client::from_kubeconfig;
use mock_arm::profile::{Principal, Profile, RoleGrant};
use serde_json::Value;
use sim_core::clock::Clock;
use sim_core::faults::{Effect, Hook, Matcher, Rule};
use sim_core::keys::KeySource;
use sim_core::net::Net;
use sim_core::seed::Seed;

use super::super::driver;
use super::super::model::{NetworkSpec, Scenario};
use super::super::step::{Environment, Who};
use super::RunOptions;
use super::clients::{Clients, Place};
use super::customer::{self, Customer};
use crate::driver::{Azure, Cluster, Driver, Event, Pace, StageState};
use crate::lab::{self, LabOptions};
use crate::state::{Scratch, WorldName};
use crate::world::{World, prepared};

/// The principal by which expectations are looked up. It may do everything and never goes wrong.
pub(super) const OBSERVER: &str = "dryarc-observer";

/// What was said while a step was performed.
pub(super) type Said = Arc<Mutex<Vec<Event>>>;

/// A scenario's world, with its clients.
pub(super) struct Theatre {
    pub(super) world: World,
    pub(super) profile: Arc<Profile>,
    pub(super) clock: Clock,
    pub(super) pace: Pace,
    net: Net,
    customer: Customer,
    keys: KeySource,
    seed: Seed,
    said: Said,
    /// Azure, for expectations.
    pub(super) observer: Azure,
    /// The cluster, as its administrator sees it.
    pub(super) cluster: Cluster,
    /// Who performs the steps.
    pub(super) driver: driver::Driver,
    /// What real programs need, where such take part.
    pub(super) clients: Option<Clients>,
    /// Gone last.
    _folder: Scratch,
}

/// What the folders of scenarios are called first.
pub(super) const SCRATCH: &str = "dryarc-scenario-";

impl Theatre {
    /// Starts the world of a scenario.
    pub(super) async fn open(scenario: &Scenario, seed: Seed, options: &RunOptions) -> Result<Self, String> {
        let unusable = |error: &dyn std::fmt::Display| format!("the world could not be started: {error}");
        let folder = Scratch::new(SCRATCH).map_err(|error| unusable(&error))?;
        let (driver, keys) = (options.driver_of(scenario), &options.keys);
        let name = WorldName::temporary("scenario", std::process::id());
        let place = if scenario.programs(driver).is_empty() {
            None
        } else {
            Some(Place::take(folder.path(), &name).await.map_err(|error| unusable(&error))?)
        };
        let lab = LabOptions {
            seed: seed.value(),
            cloud: cloud(scenario),
            registered: scenario.world.registered,
            start: scenario.world.start,
            nodes: scenario.world.nodes.clone(),
            proxies: customer::wanted(&scenario.network),
            keys: keys.clone(),
        };
        let dir = place.as_ref().map_or(folder.path(), Place::dir).into();
        let mut config = lab::config(lab, name, dir);
        if place.is_some() {
            prepared(&mut config, &options.outer);
        }
        let world = Box::pin(World::start(config)).await.map_err(|error| unusable(&error))?;
        let clients = match place {
            None => None,
            Some(place) => {
                let opened = Clients::open(&world, place, &options.outer, scenario.folder.as_deref());
                Some(Box::pin(opened).await.map_err(|error| unusable(&error))?)
            }
        };
        let clock = world.clock().clone();
        let net = lab::network(&world).map_err(|error| unusable(&error))?;
        let customer = Customer::of(&world, folder.path()).map_err(|error| unusable(&error))?;
        let kube = from_kubeconfig(&net, &world.cluster().kubeconfig(), None);
        let kube = kube.map_err(|error| unusable(&error))?;
        let profile = world.cloud().world().profile.clone();
        let owner = profile.principals.iter().find(|one| one.name == OBSERVER);
        let observer = lab::azure(&net, &clock, seed, lab::credentials(&profile, owner));
        for rule in network_rules(&scenario.network).chain(scenario.faults.iter().cloned()) {
            world.faults().add(rule);
        }
        clock.quiet().await;
        Ok(Self {
            profile,
            pace: Pace::new(clock.clone()),
            net,
            customer,
            keys: keys.clone(),
            seed,
            said: Said::default(),
            observer,
            cluster: Cluster::new(kube),
            driver,
            clients,
            clock,
            world,
            _folder: folder,
        })
    }

    /// Ends the world.
    pub(super) async fn close(self) {
        // An embedded cluster has nothing that could not be undone.
        let _ = self.world.shutdown().await;
    }

    /// The network, as a shell with this environment sees it.
    pub(super) fn net(&self, environment: Option<&Environment>) -> Result<Net, String> {
        self.customer.net(&self.net, environment)
    }

    /// Puts the places of proxies in a text.
    pub(super) fn placed(&self, text: &str) -> String {
        self.customer.placed(text)
    }

    /// The service principal that somebody is; the first one when nobody is named.
    pub(super) fn principal(&self, who: Option<&Who>) -> Result<&Principal, String> {
        let name = who.and_then(|who| who.principal.as_deref());
        let mut all = self.profile.principals.iter();
        let found = all.find(|one| name.is_none_or(|name| one.name == name));
        found.ok_or_else(|| format!("the world has no service principal '{}'", name.unwrap_or_default()))
    }

    /// Azure, as somebody sees it.
    pub(super) fn azure(&self, net: &Net, who: Option<&Who>) -> Result<Azure, String> {
        let mut credentials = lab::credentials(&self.profile, Some(self.principal(who)?));
        if let Some(who) = who {
            credentials.client_secret = who.secret.clone().unwrap_or(credentials.client_secret);
            credentials.tenant = who.tenant.clone().unwrap_or(credentials.tenant);
        }
        Ok(lab::azure(net, &self.clock, self.seed, credentials))
    }

    /// The driver for the cluster behind a kubeconfig.
    pub(super) fn driver(&self, net: &Net, azure: Azure, kubeconfig: &str) -> Result<Driver, String> {
        let kube = from_kubeconfig(net, kubeconfig, None)
            .map_err(|error| format!("the kubeconfig cannot be used: {error}"))?;
        let said = self.said.clone();
        let reporter = Arc::new(move |event: &Event| {
            said.lock().unwrap_or_else(PoisonError::into_inner).push(event.clone());
        });
        Ok(Driver::new(azure, kube, self.clock.clone(), self.keys.clone(), reporter))
    }

    /// Warnings and results that were said since the last call.
    pub(super) fn take_said(&self) -> Vec<String> {
        let events = std::mem::take(&mut *self.said.lock().unwrap_or_else(PoisonError::into_inner));
        let told = |event: &Event| matches!(event.state, StageState::Warning | StageState::Done);
        events.into_iter().filter(told).map(|event| event.text).collect()
    }

    /// Puts what a text names in its place.
    pub(super) fn filled(&self, text: &str) -> String {
        if !text.contains('{') {
            return text.to_owned();
        }
        let first = self.profile.principals.first();
        let (group, cluster) = (super::super::step::GROUP, super::super::step::CLUSTER);
        let subscription = self.profile.subscriptions.first().map_or_else(String::new, |s| s.id.to_string());
        [
            ("{subscription}", subscription),
            ("{tenant}", self.profile.tenant.id.to_string()),
            ("{group}", group.to_owned()),
            ("{cluster}", self.observer.cluster_id(group, cluster)),
            ("{principal}", first.map_or_else(String::new, |one| one.object_id.to_string())),
            ("{client}", first.map_or_else(String::new, |one| one.client_id.to_string())),
        ]
        .into_iter()
        .fold(text.to_owned(), |text, (name, value)| text.replace(name, &value))
    }

    /// The same in every text of a value.
    pub(super) fn filled_value(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => self.filled(text).into(),
            Value::Array(all) => all.iter().map(|one| self.filled_value(one)).collect(),
            Value::Object(map) => {
                map.iter().map(|(name, one)| (self.filled(name), self.filled_value(one))).collect()
            }
            other => other.clone(),
        }
    }
}

fn cloud(scenario: &Scenario) -> Profile {
    let mut cloud = scenario.world.cloud.clone();
    if cloud.principals.is_empty() {
        cloud.principals.push(Principal::default());
    }
    let owner = RoleGrant { role: "Owner".into(), scope: String::new() };
    cloud.principals.push(Principal { name: OBSERVER.into(), roles: vec![owner], ..Principal::default() });
    cloud
}

fn network_rules(network: &NetworkSpec) -> impl Iterator<Item = Rule> {
    let rule = |kind: &str, host: &String, effect: Effect| Rule {
        id: format!("{kind}:{host}"),
        hook: Hook::Wire,
        matcher: Matcher {
            facts: [("host".to_owned(), host.clone())].into_iter().collect(),
            ..Matcher::default()
        },
        effect,
    };
    let blocked = network.blocked.iter().map(move |host| rule("blocked", host, Effect::Refuse));
    blocked.chain(network.reset.iter().map(move |host| rule("reset", host, Effect::Reset)))
}
