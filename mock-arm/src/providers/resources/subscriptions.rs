//! Tenants, subscriptions and their locations: what the profile says.

use std::sync::Arc;

use serde_json::{Value, json};

use super::super::refusal::Refusal;
use super::super::seam::{Call, Reply};
use super::super::tags;
use super::super::tracked::whole;
use crate::profile::Subscription;

pub(super) fn tenants(call: &Call<'_>) -> Reply {
    let tenant = &call.profile.tenant;
    whole(std::iter::once(json!({
        "id": format!("/tenants/{}", tenant.id),
        "tenantId": tenant.id,
        "countryCode": "US",
        "displayName": tenant.display_name,
        "domains": [tenant.default_domain],
        "defaultDomain": tenant.default_domain,
        "tenantType": "AAD",
        "tenantCategory": "Home",
    })))
}

fn object(call: &Call<'_>, subscription: &Subscription) -> Value {
    json!({
        "id": format!("/subscriptions/{}", subscription.id),
        "authorizationSource": "RoleBased",
        "managedByTenants": [],
        "subscriptionId": subscription.id,
        "tenantId": call.profile.tenant.id,
        "displayName": subscription.name,
        "state": "Enabled",
        "subscriptionPolicies": {
            "locationPlacementId": "Public_2014-09-01",
            "quotaId": "PayAsYouGo_2014-09-01",
            "spendingLimit": "Off",
        },
    })
}

pub(super) fn list(call: &Call<'_>) -> Reply {
    whole(call.profile.subscriptions.iter().map(|subscription| object(call, subscription)))
}

pub(super) fn get(call: &Call<'_>, subscription: &str) -> Result<Reply, Refusal> {
    let found = call.profile.subscription(subscription);
    let found = found.ok_or_else(|| Refusal::subscription_not_found(subscription))?;
    Ok(Reply::Ok(Arc::new(object(call, found))))
}

pub(super) fn locations(call: &Call<'_>, subscription: &str) -> Reply {
    whole(tags::regions(call.profile).map(|region| {
        json!({
            "id": format!("/subscriptions/{subscription}/locations/{}", region.name),
            "name": region.name,
            "type": "Region",
            "displayName": region.display,
            "regionalDisplayName": format!("({}) {}", region.group, region.display),
            "metadata": { "regionType": "Physical", "geographyGroup": region.group },
        })
    }))
}
