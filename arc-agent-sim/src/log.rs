//! The agents' log lines: JSON objects on standard output, as `kubectl logs` shows them.

use std::fmt;
use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;
use sim_core::clock::Clock;

use crate::config::AgentConfig;
use crate::role::Role;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Level {
    /// What is going on.
    Information,
    /// Something is late or odd.
    Warning,
    /// Something failed.
    Error,
}

/// One line. The fields and their order are those seen in public logs of agents.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Line<'a> {
    message: &'a str,
    log_type: &'a str,
    log_level: Level,
    environment: &'a str,
    role: &'a str,
    location: &'a str,
    arm_id: &'a str,
    correlation_id: &'a str,
    agent_name: &'a str,
    agent_version: &'a str,
    agent_timestamp: &'a str,
}

struct Inner {
    clock: Clock,
    role: Role,
    location: String,
    arm_id: String,
    correlation: String,
    version: String,
    sink: Mutex<Box<dyn Write + Send>>,
}

/// Writes the log of one agent. Cheap to clone. Timestamps are world time; the correlation id comes from the seed.
/// A sink that fails is ignored: an agent does not stop because nobody reads its log.
#[derive(Clone)]
pub struct AgentLog(Arc<Inner>);

impl fmt::Debug for AgentLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AgentLog").field("role", &self.0.role).finish_non_exhaustive()
    }
}

impl AgentLog {
    /// A log of `role` that is written to `sink`.
    #[must_use]
    pub fn new(clock: Clock, role: Role, config: &AgentConfig, sink: Box<dyn Write + Send>) -> Self {
        let correlation =
            config.seed.uuid(&format!("agent/{}/{}", config.arm_id(), config.pod_name)).to_string();
        Self(Arc::new(Inner {
            clock,
            role,
            location: config.region.clone(),
            arm_id: config.arm_id(),
            correlation,
            version: config.agent_version.clone(),
            sink: Mutex::new(sink),
        }))
    }

    /// Writes a line of level [`Level::Information`].
    pub fn info(&self, message: impl AsRef<str>) {
        self.write(Level::Information, message.as_ref());
    }

    /// Writes a line of level [`Level::Warning`].
    pub fn warn(&self, message: impl AsRef<str>) {
        self.write(Level::Warning, message.as_ref());
    }

    /// Writes a line of level [`Level::Error`].
    pub fn error(&self, message: impl AsRef<str>) {
        self.write(Level::Error, message.as_ref());
    }

    fn write(&self, level: Level, message: &str) {
        let inner = &*self.0;
        let now = inner.clock.now().strftime("%Y/%m/%d %H:%M:%S").to_string();
        let line = Line {
            message,
            log_type: inner.role.log_type(),
            log_level: level,
            environment: "prod",
            role: "ClusterConfigAgent",
            location: &inner.location,
            arm_id: &inner.arm_id,
            correlation_id: &inner.correlation,
            agent_name: inner.role.agent_name(),
            agent_version: &inner.version,
            agent_timestamp: &now,
        };
        let Ok(mut text) = serde_json::to_vec(&line) else { return };
        text.push(b'\n');
        let mut sink = inner.sink.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = sink.write_all(&text).and_then(|()| sink.flush());
    }
}

/// A log that tests read.
#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use sim_core::clock::Mode;

    #[derive(Clone, Default)]
    pub(crate) struct Memory(Arc<Mutex<Vec<u8>>>);

    impl Memory {
        pub(crate) fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
        }
    }

    impl Write for Memory {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_line_has_the_agents_fields_in_their_order() {
        let clock = Clock::new(Mode::Manual, "2026-01-02T03:04:05Z".parse().unwrap());
        let config = crate::config::tests::config(&[]);
        let memory = Memory::default();
        let log = AgentLog::new(clock, Role::ConfigAgent, &config, Box::new(memory.clone()));
        log.error("Error in the Getting Config {x}");
        let value: serde_json::Value = serde_json::from_str(&memory.text()).unwrap();
        let keys: Vec<&str> = value.as_object().unwrap().keys().map(String::as_str).collect();
        let expected = [
            "Message",
            "LogType",
            "LogLevel",
            "Environment",
            "Role",
            "Location",
            "ArmId",
            "CorrelationId",
            "AgentName",
            "AgentVersion",
            "AgentTimestamp",
        ];
        assert_eq!(keys, expected);
        assert_eq!(value["AgentTimestamp"], "2026/01/02 03:04:05");
        assert_eq!(value["LogLevel"], "Error");
        assert!(memory.text().ends_with("}\n"));
    }
}
