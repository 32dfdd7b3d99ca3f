//! Connections that were upgraded, to websockets mostly: bytes pass, or are kept back, until it ends.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use sim_core::clock::Clock;

use super::shared::{ResetFlag, Shared};
use super::{ProxyConfig, Span, Upgrade};
use crate::pass::was_reset;
use crate::shape::Shaped;

/// How much is together before a proxy that buffers lets it go on.
const BUFFERED: usize = 64 << 10;

/// Joins the two once both have been upgraded.
pub(super) fn keep(
    shared: &Arc<Shared>,
    config: &ProxyConfig,
    reset: ResetFlag,
    client: OnUpgrade,
    target: OnUpgrade,
) {
    let keeper = shared.clone();
    let (websockets, idle) = (config.websockets.clone(), config.limits.idle.map(|span| span.0));
    let buffers = websockets.upgrade == Upgrade::Buffer;
    shared.keep(async move {
        let (Ok(client), Ok(target)) = tokio::join!(client, target) else { return };
        let mut client = TokioIo::new(client);
        let enough = if buffers { BUFFERED } else { 0 };
        let mut target = Shaped::held(TokioIo::new(target), enough);
        let ended = tokio::select! {
            ended = keeper.wires.relay(&mut client, &mut target, idle) => ended,
            cut = cut_after(&keeper.wires.clock, websockets.cut_after) => Err(cut),
        };
        if was_reset(&ended) {
            reset.store(true, Ordering::Relaxed);
        }
    });
}

async fn cut_after(clock: &Clock, span: Option<Span>) -> io::Error {
    match span {
        Some(span) => drop(clock.sleep(span.0).await),
        None => std::future::pending::<()>().await,
    }
    io::ErrorKind::ConnectionReset.into()
}
