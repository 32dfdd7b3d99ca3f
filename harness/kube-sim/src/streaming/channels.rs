//! The channel protocol of websockets: the first byte of a message says which channel it belongs to.
//!
//! `v5.channel.k8s.io` is `v4.channel.k8s.io` with a message that closes one channel, by which a client ends its input.

use bytes::{BufMut as _, Bytes, BytesMut};
use futures::{SinkExt as _, StreamExt as _};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::sync::mpsc;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::frame::{CloseFrame, Utf8Bytes};
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

use super::exec::{self, Ask, Input, Output, Source};

const STDIN: u8 = 0;
const STDOUT: u8 = 1;
const STDERR: u8 = 2;
const ERROR: u8 = 3;
const RESIZE: u8 = 4;
const CLOSE: u8 = 255;

/// The protocols, best first.
pub(super) const PROTOCOLS: [&str; 2] = ["v5.channel.k8s.io", "v4.channel.k8s.io"];

/// The largest message that is read.
const MESSAGE_LIMIT: usize = 1024 * 1024;

/// How many messages wait for a command or a client.
const QUEUE: usize = 8;

/// A websocket over a connection that was upgraded.
pub(super) async fn socket(connection: Upgraded) -> WebSocketStream<TokioIo<Upgraded>> {
    let limits =
        WebSocketConfig::default().max_message_size(Some(MESSAGE_LIMIT)).max_frame_size(Some(MESSAGE_LIMIT));
    WebSocketStream::from_raw_socket(TokioIo::new(connection), Role::Server, Some(limits)).await
}

/// Runs a command whose ends are channels of a websocket.
pub(super) async fn serve(connection: Upgraded, source_of: Source, ask: Ask) {
    let (mut sink, mut source) = socket(connection).await.split();
    let (to_command, input) = mpsc::channel(QUEUE);
    let (output, mut from_command) = mpsc::channel::<(Output, Bytes)>(QUEUE);
    let listen = async move {
        while let Some(Ok(message)) = source.next().await {
            let Some(input) = payload(message).as_ref().and_then(read) else { continue };
            if to_command.send(input).await.is_err() {
                // The command is over; what comes now is for nobody, but pings are still answered.
                continue;
            }
        }
    };
    let command = async move {
        let talk = async {
            while let Some((to, data)) = from_command.recv().await {
                let channel = if to == Output::Stdout { STDOUT } else { STDERR };
                if sink.send(message(channel, &data)).await.is_err() {
                    break;
                }
            }
            sink
        };
        let (status, mut sink) = tokio::join!(exec::run(source_of, &ask, input, output), talk);
        if let Some(mut status) = status {
            if status["reason"] == "InternalError" {
                // Between a real kubelet and a websocket stands the API server, which reports what failed once more.
                let message = status["message"].as_str().unwrap_or_default();
                status["message"] = format!("Internal error occurred: {message}").into();
            }
            // A client that went away does not need it.
            let _ = sink.send(message(ERROR, status.to_string().as_bytes())).await;
            let frame = CloseFrame { code: CloseCode::Normal, reason: Utf8Bytes::default() };
            let _ = sink.send(Message::Close(Some(frame))).await;
        }
    };
    tokio::pin!(listen, command);
    tokio::select! {
        () = &mut command => {}
        // The client is gone: the command is told by its input's end.
        () = &mut listen => {}
    }
}

/// What a message carries; some clients send text as text.
fn payload(message: Message) -> Option<Bytes> {
    match message {
        Message::Binary(bytes) => Some(bytes),
        Message::Text(text) => Some(text.into()),
        _ => None,
    }
}

fn message(channel: u8, data: &[u8]) -> Message {
    let mut bytes = BytesMut::with_capacity(1 + data.len());
    bytes.put_u8(channel);
    bytes.put_slice(data);
    Message::Binary(bytes.freeze())
}

fn read(message: &Bytes) -> Option<Input> {
    match *message.first()? {
        STDIN => Some(Input::Data(message.slice(1..))),
        RESIZE => Some(Input::Resize(message.slice(1..))),
        CLOSE if message.get(1) == Some(&STDIN) => Some(Input::End),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_byte_says_what_a_message_is() {
        assert_eq!(read(&Bytes::from_static(b"\x00hi")), Some(Input::Data(Bytes::from_static(b"hi"))));
        assert_eq!(read(&Bytes::from_static(b"\xff\x00")), Some(Input::End));
        assert_eq!(read(&Bytes::from_static(b"\xff\x01")), None);
        assert_eq!(read(&Bytes::new()), None);
        let text = payload(Message::text("\u{0}hi")).unwrap();
        assert_eq!(read(&text), Some(Input::Data(Bytes::from_static(b"hi"))));
        assert_eq!(payload(Message::Ping(Bytes::new())), None);
        assert_eq!(message(ERROR, b"x"), Message::Binary(Bytes::from_static(b"\x03x")));
    }
}
