//! A scenario as it is written: plain data, read strictly.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use fault_proxy::ProxyConfig;
use jiff::Timestamp;
use kube_sim::kubelet::NodeSpec;
use mock_arm::profile::Profile;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use sim_core::faults::Rule;

use super::driver::Driver;
use super::expect::Expect;
use super::step::Step;
use crate::lab::LabOptions;
use crate::world::Egress;

/// A failure with its remedy: what goes wrong, what the user then sees, and what makes it go away.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Scenario {
    /// The name of its file, without the ending. Not written inside.
    #[serde(skip)]
    pub name: String,
    /// What happens, in one line.
    pub title: String,
    /// What users say, in their words.
    pub symptom: String,
    /// Why it happens, in one sentence.
    pub cause: String,
    /// Public issues or documents that it models.
    pub sources: Vec<String>,
    /// Words to choose it by.
    pub tags: Vec<String>,
    /// Where its file is, in which scripts and tools run. Built-in scenarios have none.
    #[serde(skip)]
    pub folder: Option<PathBuf>,
    /// Who can perform it.
    #[serde(default = "native")]
    pub drivers: Vec<Driver>,
    /// The world it happens in.
    #[serde(default)]
    pub world: WorldSpec,
    /// What is wrong with the way to Azure.
    #[serde(default)]
    pub network: NetworkSpec,
    /// What else goes wrong from the start: rules, each with an id.
    #[serde(default)]
    pub faults: Vec<Rule>,
    /// The first act: what the user does, until it has failed.
    pub steps: Vec<Step>,
    /// What is true after it.
    #[serde(default)]
    pub expect: Expect,
    /// The second act: what makes it work.
    pub remedy: Remedy,
}

fn native() -> Vec<Driver> {
    vec![Driver::Native]
}

/// The second act.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Remedy {
    /// What to do, in one sentence.
    pub what: String,
    /// Doing it, and trying again.
    pub steps: Vec<Step>,
    /// What is true after it.
    #[serde(default)]
    pub expect: Expect,
}

/// The world of a scenario. It begins at a fixed moment and moves only for those who wait.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct WorldSpec {
    /// What names, ids and draws come from.
    pub seed: u64,
    /// The world's time when it begins.
    pub start: Timestamp,
    /// Whether the providers that onboarding needs are registered from the start.
    pub registered: bool,
    /// The cloud: a profile as `dryarc up --profile` takes it.
    pub cloud: Profile,
    /// The cluster's nodes.
    pub nodes: Vec<NodeSpec>,
}

impl Default for WorldSpec {
    fn default() -> Self {
        let LabOptions { seed, start, registered, cloud, nodes, .. } = LabOptions::default();
        Self { seed, start, registered, cloud, nodes }
    }
}

/// What is wrong with the way to Azure. Each entry of the lists is a host, or `*.SUFFIX`, and becomes a `wire` rule `blocked:HOST` or
/// `reset:HOST`, which a step can clear. Rules strike at a proxy alone by the fact `hop`: `workstation-proxy` or `cluster-proxy`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct NetworkSpec {
    /// Connections to these hosts are refused on the way.
    pub blocked: Vec<String>,
    /// Connections to these hosts are reset on the way.
    pub reset: Vec<String>,
    /// The customer's proxy before the clients, as `dryarc up --workstation-proxy` takes it. Every step goes by it, unless its
    /// `environment` says otherwise.
    pub workstation_proxy: Option<Box<ProxyConfig>>,
    /// The customer's proxy before the agents, as `dryarc up --cluster-proxy` takes it. Only agents that are told of it use it.
    pub cluster_proxy: Option<Box<ProxyConfig>>,
    /// What becomes of the agents' connections that go by no proxy: `open`, `refused` or `dropped`.
    pub cluster_egress: Egress,
}

/// A span of world time: `90s`, `11m`, `1h30m`, `2d`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span(pub Duration);

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        crate::span::parse(&text).map(Self).map_err(D::Error::custom)
    }
}

/// One text, or a list of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Texts(pub Vec<String>);

impl<'de> Deserialize<'de> for Texts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = Texts;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a text, or a list of texts")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Texts, E> {
                Ok(Texts(vec![text.to_owned()]))
            }

            fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut list: A) -> Result<Texts, A::Error> {
                let mut texts = Vec::new();
                while let Some(text) = list.next_element()? {
                    texts.push(text);
                }
                Ok(Texts(texts))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

/// Values by dotted path (`status.phase`), as an object must have them. A text may have `*` at either end.
pub type Fields = BTreeMap<String, serde_json::Value>;
