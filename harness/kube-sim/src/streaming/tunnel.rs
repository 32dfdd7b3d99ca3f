//! A websocket as a stream of bytes: how newer clients carry SPDY through proxies that know only websockets.

use bytes::Bytes;
use futures::{SinkExt as _, StreamExt as _};
use hyper::upgrade::Upgraded;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use tokio_tungstenite::tungstenite::Message;

use super::channels;

/// How much waits on the way between the two.
const BUFFER: usize = 64 * 1024;

/// Carries bytes between a websocket and the other end of the returned stream, for as long as the returned future runs.
pub(super) fn open(connection: Upgraded) -> (DuplexStream, impl Future<Output = ()> + Send) {
    let (near, far) = tokio::io::duplex(BUFFER);
    let carry = async move {
        let (mut sink, mut source) = channels::socket(connection).await.split();
        let (mut reader, mut writer) = tokio::io::split(far);
        let inwards = async {
            while let Some(Ok(message)) = source.next().await {
                let Message::Binary(data) = message else { continue };
                if writer.write_all(&data).await.is_err() {
                    return;
                }
            }
            // The far side is gone as well when this fails.
            let _ = writer.shutdown().await;
        };
        let outwards = async {
            let mut buffer = vec![0; BUFFER];
            while let Ok(count @ 1..) = reader.read(&mut buffer).await {
                let data = Bytes::copy_from_slice(&buffer[..count]);
                if sink.send(Message::Binary(data)).await.is_err() {
                    return;
                }
            }
            // A client that went away needs no farewell.
            let _ = sink.close().await;
        };
        tokio::select! {
            () = inwards => {}
            () = outwards => {}
        }
    };
    (near, carry)
}
