//! Somebody else than the first service principal, signed in with the Azure CLI in a folder of their own.

use std::path::Path;

use mock_arm::profile::Principal;

use super::super::super::step::Who;
use super::super::outcome::Outcome;
use super::Az;
use crate::state::{create_private_dir, write_private};

/// What of the first login is everybody's: how the CLI behaves, and the subscription.
const COMMON: [&str; 2] = ["config", "clouds.config"];

/// Signs in as `who`, and leads the following commands into that login. `az login` itself may be refused: that is how the step ends
/// then, as it is for users.
pub(super) async fn sign_in(az: &mut Az<'_>, who: &Who) -> Result<(), Outcome> {
    let theatre = az.theatre;
    let principal = theatre.principal(Some(who)).map_err(|reason| Outcome::failed(2, reason))?;
    let Principal { client_id, secret, .. } = principal;
    let folder = az.clients.dir().join("logins").join(client_id.to_string());
    prepare(&az.clients.facts().azure_config(), &folder).map_err(|reason| Outcome::failed(2, reason))?;
    az.set("AZURE_CONFIG_DIR", folder.display().to_string());
    let (tenant, id) = (theatre.profile.tenant.id.to_string(), client_id.to_string());
    let secret = who.secret.as_ref().unwrap_or(secret);
    let line = [
        "login",
        "--service-principal",
        "--username",
        &id,
        // A secret may begin with a dash.
        &format!("--password={secret}"),
        "--tenant",
        who.tenant.as_ref().unwrap_or(&tenant),
        "--allow-no-subscriptions",
        "--output",
        "none",
    ];
    let login = az.run(&line).await;
    if login.exit == 0 { Ok(()) } else { Err(login) }
}

fn prepare(first: &Path, folder: &Path) -> Result<(), String> {
    let failed = |error: &dyn std::fmt::Display| format!("a folder for the login cannot be made: {error}");
    create_private_dir(folder).map_err(|error| failed(&error))?;
    for name in COMMON {
        let content = std::fs::read(first.join(name)).map_err(|error| failed(&error))?;
        write_private(&folder.join(name), &content).map_err(|error| failed(&error))?;
    }
    Ok(())
}
