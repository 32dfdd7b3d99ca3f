//! What the Azure CLI leaves to helm: pulling a chart, keeping a release.
//!
//! Nothing is rendered from templates: the agents' objects come from `arc_agent_sim::manifests`, which a test holds
//! against what helm renders. The release that is kept is a real one: helm lists, upgrades, rolls back and removes it.

mod chart;
mod manifest;
mod pull;
mod release;

pub(super) use chart::Chart;
pub(super) use manifest::text as manifest_text;
pub(super) use pull::pull;
pub(super) use release::{Release, Status};
