//! Commands over bare SPDY, as clients before websockets ask for them: one stream per end of the command.

use std::time::Duration;

use bytes::Bytes;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use sim_core::clock::Clock;
use tokio::sync::mpsc::{self, Receiver, Sender};

use super::QUEUE;
use super::exec::{self, Ask, Input, Output, Source};
use super::spdy::{self, Stream};

/// The protocols, best first.
pub(super) const PROTOCOLS: [&str; 1] = ["v4.channel.k8s.io"];

/// How long a client may take to open its streams, in wall time (the real kubelet's `--stream-creation-timeout`).
const OPENING: Duration = Duration::from_secs(30);

/// The streams of one command.
#[derive(Default)]
struct Ends {
    error: Option<Stream>,
    stdin: Option<Stream>,
    stdout: Option<Stream>,
    stderr: Option<Stream>,
    resize: Option<Stream>,
}

impl Ends {
    fn take(&mut self, stream: Stream) {
        let slot = match stream.header("streamtype") {
            "error" => &mut self.error,
            "stdin" => &mut self.stdin,
            "stdout" => &mut self.stdout,
            "stderr" => &mut self.stderr,
            "resize" => &mut self.resize,
            _ => return,
        };
        *slot = Some(stream);
    }

    fn complete(&self, ask: &Ask) -> bool {
        self.error.is_some()
            && (!ask.stdin || self.stdin.is_some())
            && (!ask.stdout || self.stdout.is_some())
            && (!ask.stderr || ask.tty || self.stderr.is_some())
            && (!ask.tty || self.resize.is_some())
    }
}

/// Runs a command whose ends are streams of a SPDY connection.
pub(super) async fn serve(connection: Upgraded, from: Source, ask: Ask, clock: &Clock) {
    let (opened, streams) = mpsc::channel(QUEUE);
    let session = spdy::serve(TokioIo::new(connection), opened);
    let command = command(streams, from, &ask, clock);
    tokio::join!(session, command);
}

async fn command(mut streams: Receiver<Stream>, from: Source, ask: &Ask, clock: &Clock) {
    let mut ends = Ends::default();
    let opening = async {
        while !ends.complete(ask) {
            let Some(stream) = streams.recv().await else { return false };
            ends.take(stream);
        }
        true
    };
    if clock.wall_timeout(OPENING, opening).await != Ok(true) {
        return;
    }
    let Ends { error, stdin, stdout, stderr, resize } = ends;
    let (to_command, input) = mpsc::channel(QUEUE);
    let (output, mut from_command) = mpsc::channel::<(Output, Bytes)>(QUEUE);
    let (out, err) = (stdout.as_ref().map(Stream::writer), stderr.as_ref().map(Stream::writer));
    let talk = async {
        while let Some((to, data)) = from_command.recv().await {
            let writer = if to == Output::Stdout { &out } else { &err };
            if let Some(writer) = writer
                && !writer.send(&data).await
            {
                return;
            }
        }
    };
    let listen = async {
        let sizes = each(resize, &to_command, Input::Resize);
        let data = async {
            each(stdin, &to_command, Input::Data).await;
            // A command that is over takes nothing.
            let _ = to_command.send(Input::End).await;
        };
        tokio::join!(sizes, data);
        // The end of the connection is the end of the command.
        while streams.recv().await.is_some() {}
    };
    let run = async { tokio::join!(exec::run(from, ask, input, output), talk).0 };
    tokio::select! {
        status = run => {
            if let (Some(status), Some(error)) = (status, error) {
                error.writer().send(status.to_string().as_bytes()).await;
                error.writer().finish().await;
            }
            for writer in [out, err].into_iter().flatten() {
                writer.finish().await;
            }
        }
        () = listen => {}
    }
}

async fn each(stream: Option<Stream>, to: &Sender<Input>, of: impl Fn(Bytes) -> Input) {
    let Some(mut stream) = stream else { return };
    while let Some(data) = stream.incoming.recv().await {
        if to.send(of(data)).await.is_err() {
            return;
        }
    }
}
