//! Hybrid connections of clusters: their names, and who may use them.
//!
//! Tokens have the form of Azure Relay's shared access signatures. They are signed with a key that is made with the world and lives
//! as long as the process; a world that was restarted refuses older ones, and agents and clients ask for new ones.

use std::fmt;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use sim_core::keys;
use sim_core::seed::Seed;

/// The relay that every cluster is assigned to.
pub const RELAY: &str = "azgnrelay-ph0-l1";

/// What a token allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Right {
    /// To be told of senders, which is the agent's.
    Listen,
    /// To send, which is the user's.
    Send,
}

impl Right {
    const fn name(self) -> &'static str {
        match self {
            Self::Listen => "listen",
            Self::Send => "send",
        }
    }
}

/// Signs tokens for hybrid connections.
#[derive(Clone)]
pub struct RelayKey(Option<hmac::Key>);

impl fmt::Debug for RelayKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RelayKey").finish_non_exhaustive()
    }
}

impl RelayKey {
    /// A fresh key. Without randomness from the operating system it signs nothing and accepts nothing.
    #[must_use]
    pub fn fresh() -> Self {
        let secret = keys::secret("relay").ok();
        Self(secret.map(|secret| hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes())))
    }

    /// A token for a hybrid connection, good until the wall time `until`; `None` when there is no key.
    #[must_use]
    pub fn token(&self, name: &str, right: Right, until: Timestamp) -> Option<String> {
        let (resource, expiry) = (resource(name), until.as_second());
        let signature = hmac::sign(self.0.as_ref()?, signed(&resource, expiry, right).as_bytes());
        let signature = encoded(&STANDARD.encode(signature.as_ref()));
        Some(format!("SharedAccessSignature sr={resource}&sig={signature}&se={expiry}&skn={}", right.name()))
    }

    /// Whether `token` allows this with this hybrid connection at the wall time `now`.
    #[must_use]
    pub fn allows(&self, token: &str, name: &str, right: Right, now: Timestamp) -> bool {
        let fields = token.strip_prefix("SharedAccessSignature ").unwrap_or_default();
        let field = |wanted: &str| {
            fields.split('&').find_map(|field| field.split_once('=').filter(|(own, _)| *own == wanted))
        };
        let expiry = field("se").and_then(|(_, text)| text.parse::<i64>().ok());
        let (Some(key), Some(expiry), Some((_, signature))) = (&self.0, expiry, field("sig")) else {
            return false;
        };
        let signature = percent_encoding::percent_decode_str(signature).decode_utf8_lossy();
        let Ok(signature) = STANDARD.decode(signature.as_bytes()) else { return false };
        let message = signed(&resource(name), expiry, right);
        expiry > now.as_second() && hmac::verify(key, message.as_bytes(), &signature).is_ok()
    }
}

fn encoded(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

fn resource(name: &str) -> String {
    encoded(&format!("http://{RELAY}.servicebus.windows.net/{}", name.to_ascii_lowercase()))
}

fn signed(resource: &str, expiry: i64, right: Right) -> String {
    format!("{resource}\n{expiry}\n{}", right.name())
}

/// The hybrid connection of a stored cluster.
#[must_use]
pub fn connection_of(seed: Seed, cluster: &Value) -> String {
    let text = |pointer: &str| cluster.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let created = text("/systemData/createdAt").parse::<Timestamp>().map_or(0, Timestamp::as_second);
    connection_name(seed, text("/id"), created)
}

/// The hybrid connection of a cluster, by its ARM id and the time (seconds since 1970) when it was created: the same for agent and
/// user, and another one for a cluster that is created again.
fn connection_name(seed: Seed, arm_id: &str, created: i64) -> String {
    let id = arm_id.to_ascii_lowercase();
    let draw = |what: &str| seed.uuid(&format!("credential/listener/{what}/{id}")).simple().to_string();
    let kind = arm_wire::connected_cluster::WIRE_TYPE;
    format!("{kind}/{}{}/{}", draw("1"), draw("2"), created.saturating_mul(1_000_000_000).max(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_opens_one_connection_for_one_purpose_until_it_ends() {
        let key = RelayKey::fresh();
        let at = |second| Timestamp::from_second(second).unwrap();
        let token = key.token("a/b", Right::Send, at(100)).unwrap();
        assert!(token.starts_with("SharedAccessSignature sr=http%3A%2F%2F"), "{token}");
        assert!(key.allows(&token, "A/b", Right::Send, at(99)));
        assert!(!key.allows(&token, "a/b", Right::Send, at(100)));
        assert!(!key.allows(&token, "a/b", Right::Listen, at(99)));
        assert!(!key.allows(&token, "a/c", Right::Send, at(99)));
        assert!(!RelayKey::fresh().allows(&token, "a/b", Right::Send, at(99)));
        for text in ["", "SharedAccessSignature ", "SharedAccessSignature se=9999&sig=%", "x"] {
            assert!(!key.allows(text, "a/b", Right::Send, at(99)), "{text}");
        }
    }

    #[test]
    fn a_cluster_that_is_created_again_has_another_connection() {
        let name = |created| connection_name(Seed::new(1), "/Subscriptions/x", created);
        assert_eq!(name(5), connection_name(Seed::new(1), "/subscriptions/X", 5));
        assert_ne!(name(5), name(6));
        assert!(name(5).ends_with("/5000000000"));
    }
}
