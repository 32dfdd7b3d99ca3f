//! The server name that a client asks for within a tunnel, read without opening its TLS.

use std::io;

use rustls::server::Acceptor;
use tokio::io::{AsyncRead, AsyncReadExt as _};

use super::ProxyConfig;

/// The longest first message that is looked at.
const LARGEST: usize = 32 << 10;

/// Whether server names matter at all.
pub(super) fn is_looked_at(config: &ProxyConfig) -> bool {
    !config.sni.allow.is_empty() || !config.sni.deny.is_empty()
}

/// Whether a connection that asks for `name` passes; `None` asks for nobody.
pub(super) fn admits(config: &ProxyConfig, name: Option<&str>) -> bool {
    let Some(name) = name else { return config.sni.allow.is_empty() };
    let any = |list: &[crate::HostPattern]| list.iter().any(|pattern| pattern.matches(name, 443));
    (config.sni.allow.is_empty() || any(&config.sni.allow)) && !any(&config.sni.deny)
}

/// Reads a client's first message into `said`, and returns the server name in it.
///
/// # Errors
/// When the connection breaks.
pub(super) async fn read<S: AsyncRead + Unpin>(
    client: &mut S,
    said: &mut Vec<u8>,
) -> io::Result<Option<String>> {
    let mut acceptor = Acceptor::default();
    let mut fed = 0;
    loop {
        let mut fresh = said.get(fed..).unwrap_or_default();
        while !fresh.is_empty() {
            if acceptor.read_tls(&mut fresh).is_err() {
                return Ok(None);
            }
        }
        fed = said.len();
        match acceptor.accept() {
            Ok(None) => {}
            Ok(Some(accepted)) => return Ok(accepted.client_hello().server_name().map(str::to_owned)),
            Err(_) => return Ok(None),
        }
        if said.len() >= LARGEST || client.read_buf(said).await? == 0 {
            return Ok(None);
        }
    }
}
