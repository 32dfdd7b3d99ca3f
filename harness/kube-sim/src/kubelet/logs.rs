//! What containers wrote: per container the current life and the one before, in memory, with world-time stamps.
//!
//! A life keeps its newest [`LIFE_LIMIT`] bytes, where a node would rotate files of 10 MiB. Lines and their stamps read
//! as from the container runtime's log files: RFC 3339 with nanoseconds in front when asked for.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use futures::Stream;
use futures::stream;
use jiff::{SignedDuration, Timestamp};
use sim_core::clock::Clock;
use tokio::sync::watch;

/// How many bytes of one container's life are kept.
pub const LIFE_LIMIT: usize = 1024 * 1024;

/// What a reader of logs asks for; the fields of `PodLogOptions`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogOptions {
    /// Go on with what is written later, until the container ends.
    pub follow: bool,
    /// Only the last so many lines of what is there.
    pub tail_lines: Option<usize>,
    /// Only lines of the last so many seconds of world time.
    pub since_seconds: Option<i64>,
    /// Only lines from this moment on.
    pub since_time: Option<Timestamp>,
    /// The container's life before its last restart.
    pub previous: bool,
    /// Put the world's time in front of every line.
    pub timestamps: bool,
    /// End after so many bytes, in the middle of a line if need be.
    pub limit_bytes: Option<usize>,
}

/// Why there are no logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LogError {
    /// The container never started on this node.
    #[error("the container has not started yet")]
    NotStarted,
    /// The container never restarted.
    #[error("the container has no previous life")]
    NoPrevious,
}

#[derive(Debug)]
struct Line {
    seq: u64,
    time: Timestamp,
    text: Bytes,
}

#[derive(Debug, Default)]
struct Written {
    lines: VecDeque<Line>,
    next: u64,
    bytes: usize,
    ended: bool,
}

/// One life of a container: from start to exit.
#[derive(Debug)]
struct Life {
    written: Mutex<Written>,
    changed: watch::Sender<u64>,
}

impl Life {
    fn lock(&self) -> MutexGuard<'_, Written> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Debug, Default)]
struct Lives {
    current: Option<Arc<Life>>,
    previous: Option<Arc<Life>>,
}

type Container = (String, String);

/// The logs of all containers of a cluster. Cheap to clone; clones share the content.
#[derive(Debug, Clone)]
pub struct Logs {
    clock: Clock,
    containers: Arc<Mutex<HashMap<Container, Lives>>>,
}

/// Writes one life. When dropped, the life has ended and followers come to their end.
#[derive(Debug)]
pub(crate) struct LogWriter {
    clock: Clock,
    life: Arc<Life>,
}

impl LogWriter {
    /// Appends a line, without its line end.
    pub(crate) fn line(&self, text: &[u8]) {
        let mut written = self.life.lock();
        let seq = written.next;
        written.next += 1;
        written.bytes += text.len();
        written.lines.push_back(Line { seq, time: self.clock.now(), text: Bytes::copy_from_slice(text) });
        while written.bytes > LIFE_LIMIT {
            let Some(oldest) = written.lines.pop_front() else { break };
            written.bytes -= oldest.text.len();
        }
        drop(written);
        self.life.changed.send_replace(seq + 1);
    }
}

impl Drop for LogWriter {
    fn drop(&mut self) {
        let mut written = self.life.lock();
        written.ended = true;
        let next = written.next;
        drop(written);
        self.life.changed.send_replace(next);
    }
}

impl Logs {
    /// No logs yet; `clock` stamps the lines.
    #[must_use]
    pub fn new(clock: Clock) -> Self {
        Self { clock, containers: Arc::default() }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Container, Lives>> {
        self.containers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins a new life of a container; the one so far becomes the previous one.
    pub(crate) fn begin(&self, pod_uid: &str, container: &str) -> LogWriter {
        let life = Arc::new(Life { written: Mutex::default(), changed: watch::Sender::new(0) });
        let mut containers = self.lock();
        let lives = containers.entry((pod_uid.into(), container.into())).or_default();
        lives.previous = lives.current.replace(life.clone());
        LogWriter { clock: self.clock.clone(), life }
    }

    /// Forgets a pod. Readers at work keep what they read.
    pub(crate) fn forget(&self, pod_uid: &str) {
        self.lock().retain(|(uid, _), _| uid != pod_uid);
    }

    /// The last lines of a container's current life, at most `limit` bytes: the message of a container that ends with
    /// an error and has `terminationMessagePolicy: FallbackToLogsOnError`.
    pub(crate) fn tail(&self, pod_uid: &str, container: &str, limit: usize) -> String {
        let key = (pod_uid.to_owned(), container.to_owned());
        let Some(life) = self.lock().get(&key).and_then(|lives| lives.current.clone()) else {
            return String::new();
        };
        let written = life.lock();
        let mut text = Vec::new();
        for line in &written.lines {
            text.extend_from_slice(&line.text);
            text.push(b'\n');
        }
        let start = text.len().saturating_sub(limit);
        String::from_utf8_lossy(&text[start..]).into_owned()
    }

    /// Reads a container's log as `kubectl logs` shows it. The stream of a follower ends when the container does.
    ///
    /// # Errors
    /// [`LogError`] when there is no such life of the container.
    pub fn read(
        &self,
        pod_uid: &str,
        container: &str,
        options: &LogOptions,
    ) -> Result<impl Stream<Item = Bytes> + Send + 'static, LogError> {
        let life = {
            let containers = self.lock();
            let lives = containers.get(&(pod_uid.into(), container.into())).ok_or(LogError::NotStarted)?;
            let (life, missing) = if options.previous {
                (&lives.previous, LogError::NoPrevious)
            } else {
                (&lives.current, LogError::NotStarted)
            };
            life.clone().ok_or(missing)?
        };
        let next = first_wanted(&life.lock(), options, self.clock.now());
        let reader = Reader {
            changed: life.changed.subscribe(),
            life,
            next,
            follow: options.follow,
            timestamps: options.timestamps,
            left: options.limit_bytes.unwrap_or(usize::MAX),
        };
        Ok(stream::unfold(reader, Reader::chunk))
    }
}

/// The sequence number of the first line that a reader gets.
fn first_wanted(written: &Written, options: &LogOptions, now: Timestamp) -> u64 {
    let ago = options.since_seconds.and_then(|span| now.checked_sub(SignedDuration::from_secs(span)).ok());
    let since = options.since_time.into_iter().chain(ago).max();
    let by_time = since.map_or(0, |since| written.lines.partition_point(|line| line.time < since));
    let by_count = options.tail_lines.map_or(0, |tail| written.lines.len().saturating_sub(tail));
    written.lines.get(by_time.max(by_count)).map_or(written.next, |line| line.seq)
}

struct Reader {
    life: Arc<Life>,
    changed: watch::Receiver<u64>,
    next: u64,
    follow: bool,
    timestamps: bool,
    left: usize,
}

impl Reader {
    async fn chunk(mut self) -> Option<(Bytes, Self)> {
        loop {
            if self.left == 0 {
                return None;
            }
            self.changed.borrow_and_update();
            let (mut text, ended) = self.collect();
            if !text.is_empty() {
                text.truncate(self.left);
                self.left -= text.len();
                return Some((text.into(), self));
            }
            if ended || !self.follow {
                return None;
            }
            // The sender lives in the life that this reader holds.
            let _ = self.changed.changed().await;
        }
    }

    fn collect(&mut self) -> (Vec<u8>, bool) {
        let written = self.life.lock();
        let start = written.lines.partition_point(|line| line.seq < self.next);
        let mut text = Vec::new();
        for line in written.lines.range(start..) {
            if self.timestamps {
                text.extend_from_slice(format!("{:.9} ", line.time).as_bytes());
            }
            text.extend_from_slice(&line.text);
            text.push(b'\n');
        }
        self.next = written.next;
        (text, written.ended)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::StreamExt;
    use sim_core::clock::Mode;
    use std::time::Duration;

    async fn text(logs: &Logs, options: LogOptions) -> String {
        let chunks: Vec<_> = logs.read("uid", "c", &options).unwrap().collect().await;
        String::from_utf8(chunks.concat()).unwrap()
    }

    #[tokio::test]
    async fn readers_get_tails_stamps_and_previous_lives() {
        let clock = Clock::new(Mode::Manual, Timestamp::UNIX_EPOCH);
        let logs = Logs::new(clock.clone());
        let missing = logs.read("uid", "c", &LogOptions::default()).err();
        assert_eq!(missing, Some(LogError::NotStarted));
        let life = logs.begin("uid", "c");
        life.line(b"one");
        clock.advance(Duration::from_secs(5)).await;
        life.line(b"two");
        assert_eq!(text(&logs, LogOptions::default()).await, "one\ntwo\n");
        assert_eq!(text(&logs, LogOptions { tail_lines: Some(1), ..LogOptions::default() }).await, "two\n");
        assert_eq!(
            text(&logs, LogOptions { since_seconds: Some(3), ..LogOptions::default() }).await,
            "two\n"
        );
        assert_eq!(text(&logs, LogOptions { limit_bytes: Some(5), ..LogOptions::default() }).await, "one\nt");
        let stamped = text(&logs, LogOptions { timestamps: true, ..LogOptions::default() }).await;
        assert!(stamped.starts_with("1970-01-01T00:00:00.000000000Z one\n"), "{stamped}");
        assert!(logs.read("uid", "c", &LogOptions { previous: true, ..LogOptions::default() }).is_err());
        drop(life);
        let _life = logs.begin("uid", "c");
        assert_eq!(text(&logs, LogOptions { previous: true, ..LogOptions::default() }).await, "one\ntwo\n");
        assert_eq!(text(&logs, LogOptions::default()).await, "");
    }

    #[tokio::test]
    async fn a_follower_sees_later_lines_and_ends_with_the_container() {
        let logs = Logs::new(Clock::new(Mode::Manual, Timestamp::UNIX_EPOCH));
        let life = logs.begin("uid", "c");
        let options = LogOptions { follow: true, ..LogOptions::default() };
        let mut follower = Box::pin(logs.read("uid", "c", &options).unwrap());
        life.line(b"one");
        assert_eq!(follower.next().await.unwrap(), "one\n");
        life.line(b"two");
        drop(life);
        assert_eq!(follower.next().await.unwrap(), "two\n");
        assert_eq!(follower.next().await, None);
    }

    #[test]
    fn a_life_keeps_its_newest_lines_only() {
        let logs = Logs::new(Clock::new(Mode::Manual, Timestamp::UNIX_EPOCH));
        let life = logs.begin("uid", "c");
        let line = vec![b'x'; LIFE_LIMIT / 2];
        for _ in 0..5 {
            life.line(&line);
        }
        assert_eq!(life.life.lock().lines.len(), 2);
    }
}
