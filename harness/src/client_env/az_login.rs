//! The Azure CLI's folder as a successful `az login --service-principal` leaves it.
//!
//! Source: behaviour of azure-cli 2.91. Accounts are in `azureProfile.json`, the secret in
//! `service_principal_entries.json` when token encryption is off, the active subscription in `clouds.config`. There is
//! no token yet: the CLI asks for one, by the secret, when it first needs it.

use serde_json::{Value, json};

use super::Material;
use crate::state::{Facts, StateError, write_private};

const SETTINGS: &str = "\
[core]
encrypt_token_cache = false
collect_telemetry = no
first_run = no
login_experience_v2 = off
survey_message = no

[cloud]
name = AzureCloud

[auto-upgrade]
enable = no
prompt = no
";

pub(super) fn write(facts: &Facts, material: &Material<'_>) -> Result<(), StateError> {
    let folder = facts.azure_config();
    let json_file =
        |name: &str, content: &Value| write_private(&folder.join(name), content.to_string().as_bytes());
    json_file("azureProfile.json", &profile(facts, material))?;
    json_file("service_principal_entries.json", &principals(facts))?;
    write_private(&folder.join("config"), SETTINGS.as_bytes())?;
    let clouds = format!("[AzureCloud]\nsubscription = {}\n", facts.subscription);
    write_private(&folder.join("clouds.config"), clouds.as_bytes())
}

fn profile(facts: &Facts, material: &Material<'_>) -> Value {
    let account = |(index, (id, name)): (usize, &(String, String))| {
        json!({
            "id": id,
            "name": name,
            "state": "Enabled",
            "user": { "name": facts.client_id, "type": "servicePrincipal" },
            "isDefault": index == 0,
            "tenantId": facts.tenant,
            "environmentName": "AzureCloud",
            "homeTenantId": facts.tenant,
            "managedByTenants": [],
        })
    };
    let accounts: Vec<Value> = material.subscriptions.iter().enumerate().map(account).collect();
    json!({ "installationId": material.installation_id, "subscriptions": accounts })
}

fn principals(facts: &Facts) -> Value {
    json!([{
        "client_id": facts.client_id,
        "tenant": facts.tenant,
        "client_secret": facts.client_secret,
    }])
}
