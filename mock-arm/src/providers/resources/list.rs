//! The list of all resources of a subscription or a group.

use serde_json::{Value, json};
use sim_core::ledger::{Row, Txn};

use super::super::page::{Filter, page};
use super::super::refusal::Refusal;
use super::super::seam::{Call, Reply};
use super::super::tracked;
use crate::store::{RESOURCES, Rows, groups, resources};

/// What the list shows of a resource. `$expand` adds three more members, as clients ask for them by name.
fn summary(resource: &Value, expand: &str) -> Value {
    let mut found = json!({});
    for member in ["id", "name", "type", "kind", "location", "identity", "tags"] {
        if let Some(value) = resource.get(member) {
            found[member] = value.clone();
        }
    }
    let expansions = [
        ("createdTime", "/systemData/createdAt"),
        ("changedTime", "/systemData/lastModifiedAt"),
        ("provisioningState", "/properties/provisioningState"),
    ];
    for (name, place) in expansions {
        if expand.split(',').any(|wanted| wanted.trim().eq_ignore_ascii_case(name))
            && let Some(value) = resource.pointer(place)
        {
            found[name] = value.clone();
        }
    }
    // The generic list spells types as templates do, whatever the provider itself says.
    if found.get("type").is_some_and(|kind| kind == arm_wire::connected_cluster::WIRE_TYPE) {
        found["type"] = arm_wire::connected_cluster::TYPE.into();
    }
    found
}

pub(super) fn list(
    call: &Call<'_>,
    subscription: &str,
    group: Option<&str>,
    txn: &Txn<'_>,
) -> Result<Reply, Refusal> {
    if let Some(group) = group {
        groups::get(txn, subscription, group).ok_or_else(|| Refusal::group_not_found(group))?;
    }
    let filter = Filter::of(call.query)?;
    let expand = call.query.get("$expand").unwrap_or_default();
    let prefix = resources::prefix(subscription, group);
    let rows = txn.rows(RESOURCES, &prefix).filter(|(_, row)| {
        tracked::is_listed(call, row) && (filter.is_empty() || filter.accepts(&resources::resource(row)))
    });
    let shown = |_: &str, row: &Row| tracked::json_text(&summary(&resources::resource(row), expand));
    page(call.query, rows, shown).map(Reply::Page)
}
