//! Refresh tokens: what people's logins live on between access tokens.
//!
//! The store holds digests, so that a snapshot lets nobody log in. Entra ID's tokens end ninety days after they were last used
//! (Microsoft identity platform, "refresh tokens"); that is world time here.

use aws_lc_rs::digest;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use sim_core::keys::{self, KeyError};
use uuid::Uuid;

use super::public_clients;
use super::refusal::Refusal;
use crate::world::World;

const TABLE: &str = "entra/refresh-tokens";

/// How long a token lives without being used.
const INACTIVE: SignedDuration = SignedDuration::from_hours(90 * 24);

#[derive(Serialize, Deserialize)]
struct Row {
    user: String,
    client: Uuid,
    issued: Timestamp,
    used: Timestamp,
}

/// The key under which something secret is stored.
pub(super) fn digest_of(secret: &str) -> String {
    let digest = digest::digest(&digest::SHA256, secret.as_bytes());
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn put(world: &World, key: &str, row: &Row) {
    let stored: Result<(), std::convert::Infallible> = world.ledger.write(|txn| {
        // A row is plain data: it always has a JSON form.
        txn.put(TABLE, key, serde_json::to_value(row).unwrap_or_default());
        Ok(())
    });
    let Ok(()) = stored;
}

/// A new token for a person at a client.
///
/// # Errors
/// [`KeyError`] when the operating system has no randomness to give.
pub(super) fn issue(world: &World, user: &str, client: Uuid) -> Result<String, KeyError> {
    let token = format!("1.{}{}", keys::secret("refresh token")?, keys::secret("refresh token")?);
    let now = world.clock.now();
    put(world, &digest_of(&token), &Row { user: user.into(), client, issued: now, used: now });
    Ok(token)
}

/// Whose token this is, if it is good for this client.
///
/// # Errors
/// The [`Refusal`] that Entra ID gives for tokens that are none, another client's, or too old.
pub(super) fn redeem(world: &World, token: &str, client: Uuid) -> Result<String, Refusal> {
    let key = digest_of(token);
    let row =
        world.ledger.read(|view| view.get(TABLE, &key).and_then(|row| Row::deserialize(&*row.value).ok()));
    let row = row.ok_or(Refusal::RefreshToken)?;
    let family = public_clients::is_family(row.client) && public_clients::is_family(client);
    if row.client != client && !family {
        return Err(Refusal::RefreshToken);
    }
    let now = world.clock.now();
    if now.duration_since(row.used) > INACTIVE {
        return Err(Refusal::RefreshExpired { issued: row.issued });
    }
    let user = row.user.clone();
    put(world, &key, &Row { used: now, ..row });
    Ok(user)
}
