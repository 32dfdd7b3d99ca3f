//! The device code flow (RFC 8628): codes, and the page on which a person approves.
//!
//! Codes live by wall time, because clients wait for them by their own clocks. The page asks for no password: it protects nothing
//! outside of the simulation.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sim_core::journal::Entry;
use sim_core::keys;
use sim_core::ledger::Txn;
use uuid::Uuid;

use super::super::SurfaceRequest;
use super::super::params::Params;
use super::super::reply::SurfaceReply;
use super::discovery::Version;
use super::page;
use super::public_clients;
use super::refresh::digest_of;
use super::refusal::Refusal;
use super::tenant::Tenant;
use crate::store::identities;
use crate::world::World;

const TABLE: &str = "entra/device-codes";

/// How long a code can be approved and redeemed, in seconds of wall time.
const LIFE: i64 = 900;

/// Letters of the codes that people type: none that look alike.
const LETTERS: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";

/// Where a code stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum State {
    Pending,
    Approved(String),
    Declined,
    Redeemed,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    user_code: String,
    client: Uuid,
    scope: String,
    expires: Timestamp,
    state: State,
}

/// What a person approved.
pub(super) struct Approved {
    /// The person's name.
    pub(super) user: String,
    /// What the client asked for.
    pub(super) scope: String,
}

fn put(txn: &mut Txn<'_>, key: &str, row: &Row) {
    // A row is plain data: it always has a JSON form.
    txn.put(TABLE, key, serde_json::to_value(row).unwrap_or_default());
}

/// Nine letters, from a number that never comes back.
fn user_code(world: &World, number: u64) -> String {
    let bytes = *world.seed.uuid(&format!("entra/device/{number}")).as_bytes();
    let letter = |byte: u8| LETTERS.get(usize::from(byte) % LETTERS.len()).copied().unwrap_or(b'B');
    bytes.into_iter().take(9).map(|byte| char::from(letter(byte))).collect()
}

/// Begins a flow.
pub(super) fn begin(
    world: &World,
    tenant: &Tenant,
    version: Version,
    request: SurfaceRequest<'_>,
) -> Result<SurfaceReply, Refusal> {
    let params = Params::parse(request.body);
    let text = params.get("client_id").ok_or(Refusal::Missing("client_id"))?;
    let client = public_clients::find(world, text)
        .ok_or_else(|| Refusal::UnknownApp { app: text.into(), tenant: tenant.segment() })?;
    let scope = match version {
        Version::V2 => params.get("scope").ok_or(Refusal::Missing("scope"))?.to_owned(),
        Version::V1 => {
            format!(
                "{}/.default openid offline_access",
                params.get("resource").ok_or(Refusal::Missing("resource"))?
            )
        }
    };
    let code = keys::secret("device code").map_err(|error| Refusal::NoKey(error.to_string()))?;
    let expires = world.clock.wall().saturating_add(SignedDuration::from_secs(LIFE));
    let expires = expires.unwrap_or(Timestamp::MAX);
    let begun: Result<String, std::convert::Infallible> = world.ledger.write(|txn| {
        let user_code = user_code(world, identities::next(txn, "entra/device-codes"));
        let row = Row { user_code: user_code.clone(), client, scope, expires, state: State::Pending };
        put(txn, &digest_of(&code), &row);
        Ok(user_code)
    });
    let Ok(user_code) = begun;
    let page = if request.is_custom_cloud() {
        format!("{}/common/oauth2/deviceauth", request.base_url)
    } else {
        "https://login.microsoft.com/device".into()
    };
    let message = format!(
        "To sign in, use a web browser to open the page {page} and enter the code {user_code} to authenticate."
    );
    Ok(match version {
        Version::V2 => SurfaceReply::json(
            200,
            &json!({
                "user_code": user_code, "device_code": code, "verification_uri": page,
                "expires_in": LIFE, "interval": 5, "message": message,
            }),
        ),
        Version::V1 => SurfaceReply::json(
            200,
            &json!({
                "user_code": user_code, "device_code": code, "verification_url": page,
                "expires_in": LIFE.to_string(), "interval": "5", "message": message,
            }),
        ),
    })
}

/// Redeems a code for whom it was approved by. It can be redeemed once.
pub(super) fn redeem(world: &World, code: &str, client: Uuid) -> Result<Approved, Refusal> {
    let key = digest_of(code);
    let now = world.clock.wall();
    world.ledger.write(|txn| {
        let row = txn.get(TABLE, &key).and_then(|row| Row::deserialize(&*row.value).ok());
        let row = row.filter(|row| row.client == client).ok_or(Refusal::DeviceCode)?;
        match row.state.clone() {
            State::Declined => Err(Refusal::DeviceDeclined),
            State::Redeemed => Err(Refusal::DeviceRedeemed),
            _ if row.expires <= now => Err(Refusal::DeviceExpired),
            State::Pending => Err(Refusal::DevicePending),
            State::Approved(user) => {
                let scope = row.scope.clone();
                put(txn, &key, &Row { state: State::Redeemed, ..row });
                Ok(Approved { user, scope })
            }
        }
    })
}

/// The page: shown by GET; a form that is sent by POST decides.
pub(super) fn approve(world: &World, request: SurfaceRequest<'_>) -> SurfaceReply {
    let query = Params::parse(request.query.as_bytes());
    if request.method != http::Method::POST {
        return page::form(world, query.get("otc").or(query.get("user_code")).unwrap_or_default(), "");
    }
    let params = Params::parse(request.body);
    let code = params.get("user_code").or(params.get("otc")).unwrap_or_default().trim().to_ascii_uppercase();
    let first = world.profile.users.first().map(|user| user.principal_name.as_str());
    let name = params.get("login").or(first).unwrap_or_default();
    let Some(user) = world.profile.user(name) else {
        return page::form(world, &code, "This account is not in the directory.");
    };
    let declined = params.get("decline").is_some();
    let state = if declined { State::Declined } else { State::Approved(user.principal_name.clone()) };
    match decide(world, &code, state) {
        Ok(()) => {
            let entry = Entry::new("entra", "device-code").fact("user", user.principal_name.as_str());
            world.journal.record(entry.fact("approved", !declined));
            page::done(declined)
        }
        Err(reason) => page::form(world, &code, reason),
    }
}

fn decide(world: &World, code: &str, state: State) -> Result<(), &'static str> {
    let now = world.clock.wall();
    world.ledger.write(|txn| {
        let found = txn.scan(TABLE, "").find_map(|(key, row)| {
            let row = Row::deserialize(&*row.value).ok()?;
            (row.user_code == code).then(|| (key.to_owned(), row))
        });
        match found {
            None => Err("That code didn't work. Check the code and try again."),
            Some((_, row)) if row.expires <= now => Err("That code has expired."),
            Some((_, row)) if row.state != State::Pending => Err("That code was used already."),
            Some((key, row)) => {
                put(txn, &key, &Row { state, ..row });
                Ok(())
            }
        }
    })
}
