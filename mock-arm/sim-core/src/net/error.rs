//! Which step on the way to a host failed.

use std::io;
use std::sync::Arc;

/// A request or a connection that did not succeed: which step, for which host.
#[derive(Debug, Clone, thiserror::Error)]
pub enum NetError {
    /// The settings of the client itself are unusable.
    #[error("{what}: {reason}")]
    Config {
        /// Which setting or file.
        what: String,
        /// Why it is unusable.
        reason: String,
    },
    /// The name of the host has no address.
    #[error("cannot resolve host '{host}': {source}")]
    Resolve {
        /// The host.
        host: String,
        /// What the resolver said.
        source: Arc<io::Error>,
    },
    /// No connection to the host, or to the proxy in front of it, could be opened.
    #[error("cannot connect to {host} ({address}): {source}")]
    Dial {
        /// The host or proxy.
        host: String,
        /// The address tried last.
        address: String,
        /// What the operating system said.
        source: Arc<io::Error>,
    },
    /// A proxy answered CONNECT with something else than success.
    #[error("proxy {proxy} answered {status} for {host}{}", if text.is_empty() { String::new() } else { format!(": {text}") })]
    Proxy {
        /// The proxy, without credentials.
        proxy: String,
        /// The target that was asked for.
        host: String,
        /// The HTTP status of the proxy's answer.
        status: u16,
        /// The beginning of the answer's body.
        text: String,
    },
    /// A proxy broke off, or did not speak HTTP.
    #[error("proxy {proxy} failed for {host}: {reason}")]
    ProxyBroken {
        /// The proxy, without credentials.
        proxy: String,
        /// The target that was asked for.
        host: String,
        /// What happened.
        reason: String,
    },
    /// A host answered the request for a websocket with something else.
    #[error("{host} opened no websocket but answered {status}{}", if text.is_empty() { String::new() } else { format!(": {text}") })]
    NoWebSocket {
        /// The host.
        host: String,
        /// The HTTP status of its answer.
        status: u16,
        /// The beginning of the answer's body.
        text: String,
    },
    /// A proxy of a kind that is not modelled, SOCKS for instance.
    #[error("proxy {proxy}: the scheme '{scheme}' is not modelled; use http:// or https://")]
    ProxyScheme {
        /// The proxy, without credentials.
        proxy: String,
        /// Its scheme.
        scheme: String,
    },
    /// The TLS handshake failed; `reason` says whether trust, name or protocol was at fault.
    #[error("TLS with {host} failed: {reason}")]
    Tls {
        /// The host or proxy.
        host: String,
        /// What the TLS library said.
        reason: String,
    },
    /// The URL cannot be requested.
    #[error("'{url}' cannot be requested: {reason}")]
    Url {
        /// The URL.
        url: String,
        /// Why not.
        reason: &'static str,
    },
    /// The HTTP exchange broke off after the connection stood.
    #[error("HTTP with {host} failed: {reason}")]
    Http {
        /// The host.
        host: String,
        /// What happened.
        reason: String,
    },
}

impl NetError {
    /// Whether the host was never reached: resolving, dialling, a proxy or TLS failed, and no request was sent.
    #[must_use]
    pub fn before_request(&self) -> bool {
        !matches!(self, Self::Http { .. })
    }

    /// Finds the error of the connector inside an error of a client that was built on it.
    #[must_use]
    pub fn find<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a Self> {
        let mut current = Some(error);
        while let Some(error) = current {
            if let Some(found) = error.downcast_ref::<Self>() {
                return Some(found);
            }
            current = error.source();
        }
        None
    }
}

/// An error with everything that caused it, on one line. A cause that the text already names is not repeated.
#[must_use]
pub fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut current = error.source();
    while let Some(cause) = current {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        current = cause.source();
    }
    text
}
