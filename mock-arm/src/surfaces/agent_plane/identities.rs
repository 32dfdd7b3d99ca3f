//! The system-assigned identities of connected clusters, as the identity service hands them out and Entra ID knows them.

use arm_wire::ids::ResourceId;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sim_core::ledger::Ledger;
use uuid::Uuid;

use crate::providers::kubernetes::agent;
use crate::world::World;

/// Identities that certificates were issued for, by client id.
const TABLE: &str = "arc/identities";

/// What the identity service knows of an identity.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Row {
    /// The connected cluster.
    pub(crate) arm_id: String,
    /// Object id of the identity; a cluster that is created anew has another one.
    pub(crate) principal_id: Uuid,
    /// When its certificate expires, in the world's time.
    pub(crate) expiry: Timestamp,
}

/// An identity that may ask for tokens.
pub(crate) struct Identity {
    /// Client id.
    pub(crate) client_id: Uuid,
    /// Object id.
    pub(crate) object_id: Uuid,
    /// The connected cluster, as stored.
    pub(crate) arm_id: String,
    /// DER of the PKCS#1 onboarding public key.
    pub(crate) public_key: Vec<u8>,
    /// Whether its certificate is past its expiry.
    pub(crate) expired: bool,
}

/// The client id of the identity with this object id.
pub(crate) fn client_id_of(world: &World, principal_id: Uuid) -> Uuid {
    world.seed.uuid(&format!("entra/identity/{principal_id}"))
}

/// The object id of a cluster's identity.
pub(crate) fn principal_of(cluster: &Value) -> Option<Uuid> {
    cluster.pointer("/identity/principalId")?.as_str()?.parse().ok()
}

/// The onboarding public key of a cluster: DER of a PKCS#1 `RSAPublicKey`.
pub(crate) fn public_key_of(cluster: &Value) -> Option<Vec<u8>> {
    let text = cluster.pointer("/properties/agentPublicKeyCertificate")?.as_str()?;
    STANDARD.decode(text.trim()).ok().filter(|key| !key.is_empty())
}

/// Remembers that a certificate was issued.
pub(crate) fn remember(ledger: &Ledger, client_id: Uuid, row: &Row) {
    let done: Result<(), std::convert::Infallible> = ledger.write(|txn| {
        // A row is plain data: it always has a JSON form.
        if let Ok(value) = serde_json::to_value(row) {
            txn.put(TABLE, &client_id.to_string(), value);
        }
        Ok(())
    });
    let Ok(()) = done;
}

/// The identity with this client id, while its cluster exists and is the one that it was issued for.
pub(crate) fn find(world: &World, client_id: &str) -> Option<Identity> {
    let client_id = Uuid::try_parse(client_id).ok()?;
    let row = world.ledger.read(|view| {
        let row = view.get(TABLE, &client_id.to_string())?;
        Row::deserialize(&*row.value).ok()
    })?;
    let id: ResourceId = row.arm_id.parse().ok()?;
    let cluster = agent::find(&world.ledger, &id).ok()?;
    if principal_of(&cluster) != Some(row.principal_id) {
        return None;
    }
    Some(Identity {
        client_id,
        object_id: row.principal_id,
        arm_id: row.arm_id,
        public_key: public_key_of(&cluster)?,
        expired: row.expiry <= world.clock.now(),
    })
}
