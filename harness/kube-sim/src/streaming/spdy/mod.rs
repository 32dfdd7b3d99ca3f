//! The server's side of SPDY/3.1: streams that a client opens over one connection.
//!
//! What `kubectl port-forward` and older `kubectl exec` speak, as a real API server answers it. Streams have no windows:
//! a stream whose reader is slow holds up the others of its connection, never this machine's memory.

mod dictionary;
mod frame;
mod headers;

use std::collections::HashMap;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::mpsc;

use self::frame::Frame;
pub(crate) use self::headers::Headers;

/// How many frames wait for a reader or for the connection.
const QUEUE: usize = 16;

/// How many streams a client may have open.
const STREAMS: usize = 256;

/// The most data that one frame carries.
const CHUNK: usize = 16 * 1024;

/// What a session's streams write to.
#[derive(Debug, Clone)]
pub(crate) struct Outgoing(mpsc::Sender<Bytes>);

/// A stream that the client opened.
#[derive(Debug)]
pub(crate) struct Stream {
    /// Its headers, names in lower case.
    pub(crate) headers: Headers,
    /// What the client sends; ends with its last frame.
    pub(crate) incoming: mpsc::Receiver<Bytes>,
    id: u32,
    outgoing: Outgoing,
}

/// Where a stream's data goes.
#[derive(Debug, Clone)]
pub(crate) struct StreamWriter {
    id: u32,
    outgoing: Outgoing,
}

impl Stream {
    /// The value of a header; empty when it is missing.
    pub(crate) fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(own, _)| own == name);
        found.map_or("", |(_, value)| value.as_str())
    }

    /// The stream's other direction.
    pub(crate) fn writer(&self) -> StreamWriter {
        StreamWriter { id: self.id, outgoing: self.outgoing.clone() }
    }
}

impl StreamWriter {
    /// Sends data. False when the connection is gone.
    pub(crate) async fn send(&self, data: &[u8]) -> bool {
        for chunk in data.chunks(CHUNK) {
            if self.outgoing.0.send(frame::data(self.id, chunk, false)).await.is_err() {
                return false;
            }
        }
        true
    }

    /// Ends this direction.
    pub(crate) async fn finish(&self) {
        // Without a connection it has ended already.
        let _ = self.outgoing.0.send(frame::data(self.id, &[], true)).await;
    }
}

/// Serves one connection until it ends. Every stream that the client opens is answered and given to `opened`.
pub(crate) async fn serve(
    connection: impl AsyncRead + AsyncWrite + Send + 'static,
    opened: mpsc::Sender<Stream>,
) {
    let (reader, writer) = tokio::io::split(connection);
    let (sender, frames) = mpsc::channel(QUEUE);
    let writing = write(writer, frames);
    let reading = read(reader, Outgoing(sender), opened);
    tokio::pin!(writing, reading);
    tokio::select! {
        () = &mut writing => {}
        () = &mut reading => writing.await,
    }
}

async fn write(mut writer: impl AsyncWrite + Unpin, mut frames: mpsc::Receiver<Bytes>) {
    while let Some(frame) = frames.recv().await {
        let written = async {
            writer.write_all(&frame).await?;
            writer.flush().await
        };
        if written.await.is_err() {
            return;
        }
    }
    // The other side is gone when this fails.
    let _ = writer.shutdown().await;
}

async fn read(mut reader: impl AsyncRead + Unpin, outgoing: Outgoing, opened: mpsc::Sender<Stream>) {
    let (mut inflate, mut deflate) = (headers::Reader::new(), headers::Writer::default());
    let mut streams: HashMap<u32, mpsc::Sender<Bytes>> = HashMap::new();
    loop {
        let next = tokio::select! {
            next = frame::read(&mut reader) => next,
            () = opened.closed() => return,
        };
        let frame = match next {
            Ok(Some(frame)) => frame,
            Ok(None) => return,
            Err(error) => {
                tracing::debug!(%error, "a SPDY connection broke");
                return;
            }
        };
        let answer = match frame {
            Frame::Open { stream, headers, last } => {
                let Ok(headers) = inflate.read(&headers) else { return };
                streams.retain(|_, sender| !sender.is_closed());
                if streams.len() >= STREAMS {
                    Some(frame::reset(stream))
                } else {
                    let (sender, incoming) = mpsc::channel(QUEUE);
                    if !last {
                        streams.insert(stream, sender);
                    }
                    let answer = frame::reply(stream, &deflate.write(&[]));
                    // The answer comes before anything that the stream's owner sends.
                    if outgoing.0.send(answer).await.is_err() {
                        return;
                    }
                    let stream = Stream { headers, incoming, id: stream, outgoing: outgoing.clone() };
                    if opened.send(stream).await.is_err() {
                        return;
                    }
                    None
                }
            }
            Frame::Data { stream, data, last } => {
                if let Some(sender) = streams.get(&stream).filter(|_| !data.is_empty()) {
                    // A stream without a reader swallows what comes.
                    let _ = sender.send(data).await;
                }
                if last {
                    streams.remove(&stream);
                }
                None
            }
            Frame::Reset { stream } => {
                streams.remove(&stream);
                None
            }
            Frame::Headers { headers } => {
                if inflate.read(&headers).is_err() {
                    return;
                }
                None
            }
            Frame::Ping { id } => Some(frame::pong(id)),
            Frame::GoAway | Frame::Other => None,
        };
        if let Some(answer) = answer
            && outgoing.0.send(answer).await.is_err()
        {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncReadExt as _;

    #[tokio::test]
    async fn a_stream_is_answered_read_and_written() {
        let (client, server) = tokio::io::duplex(1024);
        let (opened, mut streams) = mpsc::channel(1);
        let session = tokio::spawn(serve(server, opened));
        let (mut reader, mut writer) = tokio::io::split(client);
        let block = headers::Writer::default().write(&[("streamtype", "data"), ("port", "80")]);
        let mut open = vec![0x80, 3, 0, 1, 0, 0, 0, u8::try_from(block.len() + 10).unwrap()];
        open.extend([0, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
        open.extend(block);
        writer.write_all(&open).await.unwrap();
        writer.write_all(&frame::data(1, b"ping", true)).await.unwrap();
        let mut stream = streams.recv().await.unwrap();
        assert_eq!((stream.header("streamtype"), stream.header("none")), ("data", ""));
        assert_eq!(stream.incoming.recv().await.as_deref(), Some(&b"ping"[..]));
        assert_eq!(stream.incoming.recv().await, None);
        let answer = stream.writer();
        assert!(answer.send(b"pong").await);
        answer.finish().await;
        let mut seen = Vec::new();
        while let Some(frame) = frame::read(&mut reader).await.unwrap() {
            let last = matches!(frame, Frame::Data { last: true, .. });
            seen.push(frame);
            if last {
                break;
            }
        }
        assert!(matches!(seen[0], Frame::Headers { .. }), "{seen:?}");
        assert_eq!(seen[1], Frame::Data { stream: 1, data: Bytes::from_static(b"pong"), last: false });
        drop((stream, answer, writer));
        let mut rest = Vec::new();
        drop(streams);
        reader.read_to_end(&mut rest).await.unwrap();
        session.await.unwrap();
    }
}
