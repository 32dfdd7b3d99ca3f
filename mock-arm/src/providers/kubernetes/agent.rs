//! What the agents' services read from and write to connected clusters.
//!
//! Agents do not speak to Resource Manager; their data plane does, as the application
//! `64b12d6e-6549-484c-8cc6-6281839ba394` (recordings of the Arc service).

use arm_wire::ids::ResourceId;
use jiff::Timestamp;
use serde_json::{Map, Value};
use sim_core::ledger::{Ledger, Row};

use crate::store::resources;
use crate::store::time::{millis, precise};

/// The application as which the Arc service changes resources.
pub const ARC_APPLICATION: &str = "64b12d6e-6549-484c-8cc6-6281839ba394";

/// There is no such connected cluster, or it is being deleted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("connected cluster '{0}' does not exist")]
pub struct NotFound(pub String);

/// What a status report of the agents says. What it leaves out stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Version of the cluster.
    pub kubernetes_version: Option<String>,
    /// Number of nodes.
    pub total_node_count: Option<i64>,
    /// Number of cores.
    pub total_core_count: Option<i64>,
    /// Version of the agents.
    pub agent_version: Option<String>,
    /// Distribution, if the agents found one.
    pub distribution: Option<String>,
    /// Infrastructure, if the agents found one.
    pub infrastructure: Option<String>,
    /// The marketplace offering, if any.
    pub offering: Option<String>,
    /// When the identity certificate runs out; not shown before the second report.
    pub certificate_expiry: Option<Timestamp>,
    /// The cluster's OIDC issuer, where it has one.
    pub oidc_issuer_url: Option<String>,
}

/// The ledger key of a connected cluster; `None` when `id` is the id of something else.
#[must_use]
pub fn key(id: &ResourceId) -> Option<String> {
    let [(kind, name)] = id.segments.as_slice() else { return None };
    let ours =
        id.namespace.eq_ignore_ascii_case(super::NAMESPACE) && kind.eq_ignore_ascii_case(super::CLUSTERS);
    ours.then(|| resources::key_of(&id.subscription, &id.group, super::NAMESPACE, &[super::CLUSTERS, name]))
}

fn usable(row: &Row) -> bool {
    resources::state(row) != Some("Deleting")
}

/// The stored form of a connected cluster: every property that any API version knows, the connectivity status not
/// computed. A cluster that is being deleted is not there any more.
///
/// # Errors
/// [`NotFound`].
pub fn find(ledger: &Ledger, id: &ResourceId) -> Result<Value, NotFound> {
    let missing = || NotFound(id.to_string());
    let key = key(id).ok_or_else(missing)?;
    ledger.read(|view| {
        let row = resources::get(view, &key).filter(|row| usable(row)).ok_or_else(missing)?;
        Ok(resources::resource(row))
    })
}

/// Applies a status report at the world time `now`: that is a heartbeat, so `lastConnectivityTime` moves, and the Arc
/// service becomes who last modified the resource. Returns the stored form as it was before.
///
/// # Errors
/// [`NotFound`].
pub fn report(ledger: &Ledger, id: &ResourceId, report: &Report, now: Timestamp) -> Result<Value, NotFound> {
    let missing = || NotFound(id.to_string());
    let key = key(id).ok_or_else(missing)?;
    ledger.write(|txn| {
        let row = resources::get(txn, &key).filter(|row| usable(row)).ok_or_else(missing)?;
        let before = resources::resource(row);
        let operation = resources::operation(row).map(str::to_owned);
        let mut after = before.clone();
        if let Some(properties) = after.get_mut("properties").and_then(Value::as_object_mut) {
            merge(properties, report, now);
        }
        if let Some(system) = after.get_mut("systemData").and_then(Value::as_object_mut) {
            system.insert("lastModifiedBy".into(), ARC_APPLICATION.into());
            system.insert("lastModifiedByType".into(), "Application".into());
            system.insert("lastModifiedAt".into(), precise(now).into());
        }
        resources::put(txn, &key, &after, operation.as_deref());
        Ok(before)
    })
}

fn merge(properties: &mut Map<String, Value>, report: &Report, now: Timestamp) {
    let texts = [
        ("kubernetesVersion", &report.kubernetes_version),
        ("agentVersion", &report.agent_version),
        ("distribution", &report.distribution),
        ("infrastructure", &report.infrastructure),
        ("offering", &report.offering),
    ];
    for (name, value) in texts {
        if let Some(value) = value {
            properties.insert(name.into(), value.as_str().into());
        }
    }
    for (name, value) in
        [("totalNodeCount", report.total_node_count), ("totalCoreCount", report.total_core_count)]
    {
        if let Some(value) = value {
            properties.insert(name.into(), value.into());
        }
    }
    let issuer = properties.get_mut("oidcIssuerProfile").and_then(Value::as_object_mut);
    if let (Some(profile), Some(url)) = (issuer, &report.oidc_issuer_url) {
        profile.insert("issuerUrl".into(), url.as_str().into());
    }
    // Recordings show the expiry from the second report on.
    let seen_before = properties.contains_key("lastConnectivityTime");
    if let Some(expiry) = report.certificate_expiry.filter(|_| seen_before) {
        properties.insert("managedIdentityCertificateExpirationTime".into(), millis(expiry).into());
    }
    properties.insert("lastConnectivityTime".into(), millis(now).into());
    properties.insert("connectivityStatus".into(), "Connected".into());
}
