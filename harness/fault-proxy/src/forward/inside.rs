//! Interception: the proxy answers a tunnel itself, and passes the requests inside on.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use rustls::server::Acceptor;
use sim_core::faults::Line;
use tokio_rustls::LazyConfigAcceptor;

use super::exchange::{self, Scope};
use super::shared::{Shared, Target};
use super::{Intercept, ProxyConfig};
use crate::leg::{Leg, Rewound};

/// How long a handshake may take (wall time).
const HANDSHAKE: Duration = Duration::from_secs(30);

/// Whether a tunnel to this target is opened.
pub(super) fn is_meant(config: &ProxyConfig, host: &str, port: u16) -> bool {
    let Some(Intercept { hosts, except, .. }) = &config.intercept else { return false };
    let any = |list: &[crate::HostPattern]| list.iter().any(|pattern| pattern.matches(host, port));
    (hosts.is_empty() || any(hosts)) && !any(except)
}

/// Serves the requests inside of a tunnel. Nothing is asked of the target before the first of them.
///
/// # Errors
/// When the handshake fails, as it does with a client that does not trust the proxy.
pub(super) async fn serve(
    shared: &Arc<Shared>,
    client: Rewound<Leg>,
    target: Target<'_>,
    line: Option<Line>,
) -> io::Result<()> {
    let config = shared.config();
    let flaw = config.intercept.as_ref().map(|intercept| intercept.certificate).unwrap_or_default();
    let scope = Scope::inside(target, line);
    let client = scope.guarded(client);
    let shaken = async {
        let start = LazyConfigAcceptor::new(Acceptor::default(), client).await?;
        let name = start.client_hello().server_name().unwrap_or(target.host).to_owned();
        let server = shared.authority.server(&name, flaw).map_err(io::Error::other)?;
        start.into_stream(server).await
    };
    let failed = |reason: String| {
        shared.record(&config, "untrusted", target, &reason);
        Err(io::Error::other(reason))
    };
    match shared.wires.clock.wall_timeout(HANDSHAKE, Box::pin(shaken)).await {
        Ok(Ok(tls)) => {
            shared.record(&config, "intercepted", target, "");
            exchange::within(shared, tls, scope).await
        }
        Ok(Err(error)) => failed(error.to_string()),
        Err(elapsed) => failed(elapsed.to_string()),
    }
}
