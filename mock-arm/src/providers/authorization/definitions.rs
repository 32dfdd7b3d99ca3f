//! Built-in roles, as far as onboarding uses them (Azure's published list of built-in roles).

use std::sync::Arc;

use serde_json::{Value, json};

use super::super::refusal::{Kind, Refusal};
use super::super::seam::{Call, Reply, Verb};
use super::super::target::Typed;
use super::super::tracked;

/// A built-in role.
#[derive(Debug, Clone, Copy)]
pub(super) struct Role {
    pub(super) id: &'static str,
    pub(super) name: &'static str,
    description: &'static str,
    pub(super) actions: &'static [&'static str],
    pub(super) except: &'static [&'static str],
}

const ROLES: &[Role] = &[
    Role {
        id: "8e3af657-a8ff-443c-a75c-2fe8c4bcb635",
        name: "Owner",
        description: "Everything, roles included.",
        actions: &["*"],
        except: &[],
    },
    Role {
        id: "b24988ac-6180-42a0-ab88-20f7382dd24c",
        name: "Contributor",
        description: "Everything but granting access.",
        actions: &["*"],
        except: &[
            "Microsoft.Authorization/*/Delete",
            "Microsoft.Authorization/*/Write",
            "Microsoft.Authorization/elevateAccess/Action",
            "Microsoft.Blueprint/blueprintAssignments/write",
            "Microsoft.Blueprint/blueprintAssignments/delete",
            "Microsoft.Compute/galleries/share/action",
        ],
    },
    Role {
        id: "acdd72a7-3385-48ef-bd42-f606fba81ae7",
        name: "Reader",
        description: "Reads everything.",
        actions: &["*/read"],
        except: &[],
    },
    Role {
        id: "18d7d88d-d35e-4fb5-a5c3-7773c20a72d9",
        name: "User Access Administrator",
        description: "Grants access.",
        actions: &["*/read", "Microsoft.Authorization/*", "Microsoft.Support/*"],
        except: &[],
    },
    Role {
        id: "f58310d9-a9f6-439a-9e8d-f62e7b41a168",
        name: "Role Based Access Control Administrator",
        description: "Grants access by assigning roles.",
        actions: &[
            "Microsoft.Authorization/roleAssignments/write",
            "Microsoft.Authorization/roleAssignments/delete",
            "*/read",
            "Microsoft.Support/*",
        ],
        except: &[],
    },
    Role {
        id: "34e09817-6cbe-4d01-b1a2-e0eac5743d41",
        name: "Kubernetes Cluster - Azure Arc Onboarding",
        description: "Onboards connected clusters.",
        actions: &[
            "Microsoft.Authorization/*/read",
            "Microsoft.Insights/alertRules/*",
            "Microsoft.Resources/deployments/write",
            "Microsoft.Resources/subscriptions/operationresults/read",
            "Microsoft.Resources/subscriptions/read",
            "Microsoft.Resources/subscriptions/resourceGroups/read",
            "Microsoft.Kubernetes/connectedClusters/Write",
            "Microsoft.Kubernetes/connectedClusters/read",
            "Microsoft.Support/*",
        ],
        except: &[],
    },
    Role {
        id: "00493d72-78f6-4148-b6c5-d3ce8e4799dd",
        name: "Azure Arc Enabled Kubernetes Cluster User Role",
        description: "Lists cluster user credentials.",
        actions: &[
            "Microsoft.Resources/deployments/write",
            "Microsoft.Resources/subscriptions/operationresults/read",
            "Microsoft.Resources/subscriptions/read",
            "Microsoft.Resources/subscriptions/resourceGroups/read",
            "Microsoft.Kubernetes/connectedClusters/listClusterUserCredentials/action",
            "Microsoft.Kubernetes/connectedClusters/listClusterUserCredential/action",
            "Microsoft.Kubernetes/connectedClusters/read",
            "Microsoft.Support/*",
        ],
        except: &[],
    },
    Role {
        id: "85cb6faf-e071-4c9b-8136-154b5a04f717",
        name: "Kubernetes Extension Contributor",
        description: "Manages extensions of clusters.",
        actions: &[
            "Microsoft.Authorization/*/read",
            "Microsoft.Insights/alertRules/*",
            "Microsoft.Resources/deployments/*",
            "Microsoft.Resources/subscriptions/resourceGroups/read",
            "Microsoft.KubernetesConfiguration/extensions/write",
            "Microsoft.KubernetesConfiguration/extensions/read",
            "Microsoft.KubernetesConfiguration/extensions/delete",
            "Microsoft.KubernetesConfiguration/extensions/operations/read",
        ],
        except: &[],
    },
];

/// The role with this id or name; the id may be a whole resource id.
pub(super) fn find(role: &str) -> Option<&'static Role> {
    let last = role.rsplit('/').next().unwrap_or_default();
    ROLES.iter().find(|known| known.id.eq_ignore_ascii_case(last) || known.name.eq_ignore_ascii_case(role))
}

fn object(call: &Call<'_>, role: &Role) -> Value {
    let scope = call.target.subscription().map(|id| format!("/subscriptions/{id}")).unwrap_or_default();
    json!({
        "properties": {
            "roleName": role.name,
            "type": "BuiltInRole",
            "description": role.description,
            "assignableScopes": ["/"],
            "permissions": [{
                "actions": role.actions,
                "notActions": role.except,
                "dataActions": [],
                "notDataActions": [],
            }],
            "createdOn": "2015-02-02T21:55:09.8806423Z",
            "updatedOn": "2023-11-08T17:05:51.7391310Z",
            "createdBy": null,
            "updatedBy": null,
        },
        "id": format!("{scope}/providers/{}/roleDefinitions/{}", super::NAMESPACE, role.id),
        "type": "Microsoft.Authorization/roleDefinitions",
        "name": role.id,
    })
}

pub(super) fn handle(call: &Call<'_>, typed: &Typed<'_>) -> Result<Reply, Refusal> {
    if call.verb.is_write() {
        return Err(Refusal::not_modelled("custom role definitions"));
    }
    if typed.name().is_empty() {
        // Tools ask for a role by its name or type; other filters of this list are `atScope`, which all of these are.
        let filter = call.query.get("$filter").unwrap_or_default();
        let wanted = filter.split("roleName eq '").nth(1).and_then(|rest| rest.split('\'').next());
        let custom = filter.contains("'CustomRole'");
        let roles = ROLES
            .iter()
            .filter(|role| !custom && wanted.is_none_or(|name| role.name.eq_ignore_ascii_case(name)));
        return Ok(tracked::whole(roles.map(|role| object(call, role))));
    }
    debug_assert!(call.verb == Verb::Get || call.verb == Verb::Head);
    find(typed.name()).map(|role| Reply::Ok(Arc::new(object(call, role)))).ok_or_else(|| {
        let text = format!("The specified role definition with ID '{}' does not exist.", typed.name());
        Refusal::service(Kind::NotFound, "RoleDefinitionDoesNotExist", text)
    })
}
