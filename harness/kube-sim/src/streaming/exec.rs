//! `kubectl exec`: a command in a container, its input and output carried by channels of one connection.
//!
//! A command ends with its container and with its client, whichever goes first.

use axum::body::Bytes;
use futures::StreamExt as _;
use futures::stream::BoxStream;
use pty_process::{OwnedWritePty, Size};
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::ChildStdin;
use tokio::sync::mpsc::{Receiver, Sender};

use crate::kubelet::command;
use crate::kubelet::live::Live;
use crate::status::Status;

/// How much of the output travels at once.
const CHUNK: usize = 16 * 1024;

/// What a client wants to run, and which of its ends it holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Ask {
    /// Program and arguments.
    pub(crate) argv: Vec<String>,
    /// Whether the client sends input.
    pub(crate) stdin: bool,
    /// Whether it wants the output.
    pub(crate) stdout: bool,
    /// Whether it wants the error output, which a terminal does not tell from the output.
    pub(crate) stderr: bool,
    /// Whether the command gets a terminal.
    pub(crate) tty: bool,
}

/// What a client is connected with.
pub(crate) enum Source {
    /// A fresh command in a container, or why there is none.
    Command(Result<Live, String>),
    /// What a container writes from now on.
    Log(BoxStream<'static, Bytes>),
}

/// What comes from the client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Input {
    /// Bytes for standard input.
    Data(Bytes),
    /// No more input.
    End,
    /// The client's window changed: `{"Width":80,"Height":24}`.
    Resize(Bytes),
}

/// Where output goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Output {
    Stdout,
    Stderr,
}

/// What takes the command's input.
enum Feed {
    Pipe(Option<ChildStdin>),
    Terminal(OwnedWritePty),
}

/// Runs a command to its end. Returns the `Status` object that the client is told; nothing when the client is gone.
pub(super) async fn run(
    source: Source,
    ask: &Ask,
    input: Receiver<Input>,
    output: Sender<(Output, Bytes)>,
) -> Option<Value> {
    match source {
        Source::Command(live) => command(live, ask, input, output).await,
        Source::Log(log) => follow(log, input, output).await,
    }
}

/// Carries what a container writes until it ends. Output and error output are one, as in its log.
async fn follow(
    mut log: BoxStream<'static, Bytes>,
    mut input: Receiver<Input>,
    output: Sender<(Output, Bytes)>,
) -> Option<Value> {
    let work = async {
        while let Some(text) = log.next().await {
            output.send((Output::Stdout, text)).await.ok()?;
        }
        Some(ended(&[], 0))
    };
    // Nothing but the size of a window is sent.
    let listen = async { while input.recv().await.is_some() {} };
    tokio::select! {
        status = work => status,
        () = listen => None,
    }
}

async fn command(
    live: Result<Live, String>,
    ask: &Ask,
    input: Receiver<Input>,
    output: Sender<(Output, Bytes)>,
) -> Option<Value> {
    let mut live = match live {
        Ok(live) => live,
        Err(message) => return Some(failure(&message)),
    };
    let mut running = match command::start(&live, &ask.argv, ask.stdin, ask.tty) {
        Ok(running) => running,
        Err(message) => {
            return Some(not_run(&format!(
                "error executing command in container: failed to exec in container: {message}"
            )));
        }
    };
    let (stdout, stderr) = (running.child.stdout.take(), running.child.stderr.take());
    let (terminal, feed) = match running.terminal.take() {
        None => (None, Feed::Pipe(running.child.stdin.take())),
        Some(pty) => {
            let (reader, writer) = pty.into_split();
            (Some(reader), Feed::Terminal(writer))
        }
    };
    let gone = output.clone();
    let work = async {
        let (_, _, _, code) = tokio::join!(
            pump(terminal, Output::Stdout, ask.stdout, &output),
            pump(stdout, Output::Stdout, ask.stdout, &output),
            pump(stderr, Output::Stderr, ask.stderr, &output),
            running.wait(),
        );
        code
    };
    tokio::select! {
        code = work => Some(ended(&ask.argv, code)),
        () = give(feed, input) => None,
        () = gone.closed() => None,
        () = live.ended() => Some(ended(&ask.argv, 137)),
    }
}

/// Carries output until its end. What nobody wants is read all the same, so that the command does not wait.
async fn pump(
    pipe: Option<impl AsyncRead + Unpin>,
    to: Output,
    wanted: bool,
    output: &Sender<(Output, Bytes)>,
) {
    let Some(mut pipe) = pipe else { return };
    let mut buffer = vec![0; CHUNK];
    loop {
        // A terminal ends with an error when its last holder is gone.
        let Ok(count @ 1..) = pipe.read(&mut buffer).await else { return };
        if wanted && output.send((to, Bytes::copy_from_slice(&buffer[..count]))).await.is_err() {
            return;
        }
    }
}

/// Gives the command what the client sends. Returns when the client is gone.
async fn give(mut feed: Feed, mut input: Receiver<Input>) {
    while let Some(message) = input.recv().await {
        match (message, &mut feed) {
            (Input::Data(data), Feed::Pipe(Some(stdin))) => {
                if stdin.write_all(&data).await.is_err() {
                    // The command closed its input; the rest is for nobody.
                    feed = Feed::Pipe(None);
                }
            }
            (Input::Data(data), Feed::Terminal(writer)) => {
                // A terminal without a holder takes nothing, and the command's end is told elsewhere.
                let _ = writer.write_all(&data).await;
            }
            (Input::End, Feed::Pipe(stdin)) => drop(stdin.take()),
            (Input::End, Feed::Terminal(writer)) => {
                // Control-D: the end of input, as a terminal is told.
                let _ = writer.write_all(&[4]).await;
            }
            (Input::Resize(size), Feed::Terminal(writer)) => {
                if let Some(size) = window(&size) {
                    // A size that the system does not take leaves the window as it was.
                    let _ = writer.resize(size);
                }
            }
            (Input::Data(_), Feed::Pipe(None)) | (Input::Resize(_), Feed::Pipe(_)) => {}
        }
    }
}

fn window(text: &[u8]) -> Option<Size> {
    let size: Value = serde_json::from_slice(text).ok()?;
    let of = |field: &str| size[field].as_u64().and_then(|count| u16::try_from(count).ok());
    Some(Size::new(of("Height")?, of("Width")?))
}

/// What clients are told of a command that ended.
fn ended(argv: &[String], code: i32) -> Value {
    if code == 0 {
        return json!({"metadata": {}, "status": "Success"});
    }
    let message = format!(
        "command terminated with non-zero exit code: error executing command [{}], exit code {code}",
        argv.join(" ")
    );
    json!({
        "metadata": {}, "status": "Failure", "message": message, "reason": "NonZeroExitCode",
        "details": {"causes": [{"reason": "ExitCode", "message": code.to_string()}]},
    })
}

fn failure(message: &str) -> Value {
    json!({"metadata": {}, "status": "Failure", "message": message, "reason": "InternalError", "code": 500})
}

fn not_run(message: &str) -> Value {
    let mut status =
        Status::internal(message).with_details(json!({"causes": [{"message": message}]})).to_value();
    if let Some(map) = status.as_object_mut() {
        map.shift_remove("kind");
        map.shift_remove("apiVersion");
    }
    status
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kubelet::live::Backing;
    use tokio::sync::mpsc;

    async fn shell(script: &str, ask: Ask, inputs: Vec<Input>) -> (Option<Value>, String, String) {
        let env = vec![("PATH".to_owned(), "/usr/bin:/bin".to_owned())];
        let (live, _kept) = Live::new(Backing::Process { env, dir: std::env::temp_dir(), ports: Vec::new() });
        let (input, inputs_read) = mpsc::channel(8);
        for one in inputs {
            input.send(one).await.unwrap();
        }
        let (output, mut outputs) = mpsc::channel(8);
        let argv = vec!["sh".into(), "-c".into(), script.into()];
        let ask = Ask { argv, stdout: true, stderr: true, ..ask };
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let collect = async {
            while let Some((to, bytes)) = outputs.recv().await {
                if to == Output::Stdout { out.extend(bytes) } else { err.extend(bytes) }
            }
        };
        let (status, ()) = tokio::join!(run(Source::Command(Ok(live)), &ask, inputs_read, output), collect);
        drop(input);
        (status, String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap())
    }

    #[tokio::test]
    async fn a_command_reads_writes_and_its_code_is_told() {
        let input = vec![Input::Data(Bytes::from_static(b"hello\n")), Input::End];
        let ask = Ask { stdin: true, ..Ask::default() };
        let (status, out, err) = shell("cat; echo bad >&2; exit 3", ask, input).await;
        assert_eq!((out.as_str(), err.as_str()), ("hello\n", "bad\n"));
        assert_eq!(status.unwrap()["details"]["causes"][0]["message"], "3");
    }

    #[tokio::test]
    async fn a_client_that_attaches_gets_what_comes_until_the_container_ends() {
        let log = futures::stream::iter([Bytes::from_static(b"one\n"), Bytes::from_static(b"two\n")]).boxed();
        let (_input, inputs) = mpsc::channel(1);
        let (output, mut outputs) = mpsc::channel(8);
        let status = run(Source::Log(log), &Ask::default(), inputs, output).await;
        assert_eq!(status.unwrap()["status"], "Success");
        assert_eq!(outputs.recv().await.unwrap(), (Output::Stdout, Bytes::from_static(b"one\n")));
        assert_eq!(outputs.recv().await.unwrap().1, "two\n");
    }

    #[tokio::test]
    async fn a_terminal_is_one_and_has_the_size_of_the_clients_window() {
        let ask = Ask { tty: true, stdin: true, ..Ask::default() };
        let input = vec![
            Input::Resize(Bytes::from_static(br#"{"Width":123,"Height":45}"#)),
            Input::Data(Bytes::from_static(b"go\n")),
        ];
        let (status, out, _) = shell("read x; test -t 0 && stty size", ask, input).await;
        assert_eq!(status.unwrap()["status"], "Success");
        assert!(out.contains("45 123"), "{out}");
    }

    #[tokio::test]
    async fn a_command_ends_with_its_client() {
        let (live, _kept) = Live::new(Backing::Process {
            env: vec![("PATH".to_owned(), "/usr/bin:/bin".to_owned())],
            dir: std::env::temp_dir(),
            ports: Vec::new(),
        });
        let (input, inputs) = mpsc::channel(1);
        let (output, _outputs) = mpsc::channel(1);
        drop(input);
        let ask = Ask { argv: vec!["sleep".into(), "1000".into()], ..Ask::default() };
        assert_eq!(run(Source::Command(Ok(live)), &ask, inputs, output).await, None);
    }
}
