//! Guest notification and Azure Relay: how a cluster that nobody can reach is reached.
//!
//! The relay's part follows the published protocol of Azure Relay Hybrid Connections: a listener keeps a websocket open and is told
//! of every sender by an `accept` message; it answers by opening the websocket that the message names. How an agent learns where
//! to listen is not published; that call's form is this crate's own.

use serde::{Deserialize, Serialize};

use super::encode;

/// What every relay host ends with.
pub const RELAY_SUFFIX: &str = ".servicebus.windows.net";
/// Path under which a relay serves hybrid connections; the connection's name follows.
pub const RELAY_PATH: &str = "/$hc/";
/// Query parameter with the access token.
pub const RELAY_TOKEN: &str = "sb-hc-token";
/// Query parameter with the id of an announced sender.
pub const RELAY_ID: &str = "sb-hc-id";
/// Path at the guest notification service under which an agent asks where to listen.
pub const LISTENERS_PATH: &str = "/listeners";
/// Application ids under which the cluster connect proxy accepts tokens.
pub const CONNECT_AUDIENCES: [&str; 2] =
    ["6256c85f-0aad-4d50-b960-e6e9b21efe35", "api://6256c85f-0aad-4d50-b960-e6e9b21efe35"];

/// What a websocket to a relay is for (`sb-hc-action`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RelayAction {
    /// To be told of senders.
    Listen,
    /// To take the sender of an `accept` message.
    Accept,
    /// To send.
    Connect,
}

impl RelayAction {
    /// The value of `sb-hc-action`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Listen => "listen",
            Self::Accept => "accept",
            Self::Connect => "connect",
        }
    }

    /// The action of this name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Listen, Self::Accept, Self::Connect].into_iter().find(|action| action.as_str() == text)
    }
}

/// The URL of a websocket to a hybrid connection at the relay called `relay` (`azgnrelay-ph0-l1`), or at a host of that name.
#[must_use]
pub fn hybrid_connection_url(relay: &str, name: &str, action: RelayAction, token: &str) -> String {
    let host = if relay.contains('.') { relay.to_owned() } else { format!("{relay}{RELAY_SUFFIX}") };
    let name = name.trim_start_matches('/');
    let token = encode(token);
    format!("wss://{host}{RELAY_PATH}{name}?sb-hc-action={}&{RELAY_TOKEN}={token}", action.as_str())
}

/// An agent asks where to listen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ListenRequest {
    /// ARM id of its cluster.
    pub resource_id: String,
}

/// Where to listen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ListenReply {
    /// The relay's name, without the suffix.
    pub relay: String,
    /// The hybrid connection.
    pub hybrid_connection_name: String,
    /// The token that allows to listen.
    pub token: String,
    /// When it ends, in seconds of wall time since 1970.
    pub expiration_time: i64,
}

/// A relay's message to a listener: there is a sender.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rendezvous {
    /// The sender.
    pub accept: Accept,
}

/// Where to take a sender.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accept {
    /// URL of the websocket to open.
    pub address: String,
    /// The sender's id.
    pub id: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_url_of_a_hybrid_connection_names_relay_connection_action_and_token() {
        let url = hybrid_connection_url("azgnrelay-ph0-l1", "a/b", RelayAction::Listen, "S sr=x&se=1");
        assert_eq!(
            url,
            "wss://azgnrelay-ph0-l1.servicebus.windows.net/$hc/a/b?sb-hc-action=listen&sb-hc-token=S%20sr%3Dx%26se%3D1"
        );
        assert_eq!(RelayAction::parse("connect"), Some(RelayAction::Connect));
        assert_eq!(RelayAction::parse("request"), None);
    }
}
