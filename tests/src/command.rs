//! Runs `dryarc` as a user would, in a private state directory, and cleans up after itself.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

/// A place to run the command in: its own state directory, home and working directory.
#[derive(Debug)]
pub struct Sandbox {
    program: PathBuf,
    directory: TempDir,
    variables: BTreeMap<String, String>,
}

/// What a run printed and how it ended.
#[derive(Debug, Clone)]
pub struct Ran {
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
    /// Exit code; 128 plus the signal's number when a signal ended it.
    pub code: i32,
}

impl From<&Output> for Ran {
    fn from(output: &Output) -> Self {
        use std::os::unix::process::ExitStatusExt as _;
        let signal = || output.status.signal().map(|number| 128 + number);
        Self {
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
            code: output.status.code().or_else(signal).unwrap_or(-1),
        }
    }
}

impl Ran {
    /// The run itself when it ended well.
    ///
    /// # Panics
    /// When it did not: the test has failed, and says with what.
    pub fn ok(self) -> Self {
        assert_eq!(self.code, 0, "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }
}

impl Sandbox {
    /// A sandbox for `program`, the path of the command under test.
    ///
    /// # Errors
    /// When no temporary directory can be made.
    pub fn new(program: impl Into<PathBuf>) -> io::Result<Self> {
        let directory = tempfile::Builder::new().prefix("dryarc-test-").tempdir()?;
        for name in ["state", "home", "work"] {
            std::fs::create_dir(directory.path().join(name))?;
        }
        let path = |name: &str| directory.path().join(name).display().to_string();
        let variables = [("DRYARC_STATE_HOME".to_owned(), path("state")), ("HOME".to_owned(), path("home"))];
        Ok(Self { program: program.into(), variables: variables.into(), directory })
    }

    /// Sets a variable for every run.
    #[must_use]
    pub fn with_variable(mut self, name: &str, value: impl Into<String>) -> Self {
        self.variables.insert(name.into(), value.into());
        self
    }

    /// The command under test.
    #[must_use]
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// Where worlds keep their state.
    #[must_use]
    pub fn state(&self) -> PathBuf {
        self.directory.path().join("state")
    }

    /// The private home directory.
    #[must_use]
    pub fn home(&self) -> PathBuf {
        self.directory.path().join("home")
    }

    /// The working directory of every run.
    #[must_use]
    pub fn work(&self) -> PathBuf {
        self.directory.path().join("work")
    }

    /// The command, ready to be spawned, without any of the caller's Azure, Kubernetes or proxy settings.
    #[must_use]
    pub fn prepare<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Command {
        self.prepare_program(&self.program, arguments)
    }

    /// Another program in the same place.
    #[must_use]
    pub fn prepare_program<S: AsRef<OsStr>>(
        &self,
        program: &Path,
        arguments: impl IntoIterator<Item = S>,
    ) -> Command {
        let mut command = Command::new(program);
        command.args(arguments).current_dir(self.work()).stdin(Stdio::null());
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy().to_uppercase();
            let foreign =
                ["DRYARC_", "AZURE_", "ARM_", "KUBE", "HELM"].iter().any(|prefix| text.starts_with(prefix))
                    || text.ends_with("_PROXY")
                    || text == "RUST_LOG";
            if foreign {
                command.env_remove(&name);
            }
        }
        command.envs(&self.variables);
        command
    }

    /// The worlds whose folders are there.
    #[must_use]
    pub fn worlds(&self) -> Vec<String> {
        let entries = self.state().join("worlds").read_dir().into_iter().flatten().flatten();
        entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
    }

    /// The command lines of processes that were started with this state directory in their environment.
    #[must_use]
    pub fn processes(&self) -> Vec<String> {
        let marker = format!("DRYARC_STATE_HOME={}", self.state().display());
        let mut found = Vec::new();
        for entry in Path::new("/proc").read_dir().into_iter().flatten().flatten() {
            let environment = std::fs::read(entry.path().join("environ")).unwrap_or_default();
            if environment.split(|byte| *byte == 0).any(|variable| variable == marker.as_bytes()) {
                let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
                found.push(String::from_utf8_lossy(&line).replace('\0', " "));
            }
        }
        found
    }

    /// # Panics
    /// When a world or a process of one is left.
    pub fn assert_nothing_left(&self) {
        assert_eq!(self.worlds(), Vec::<String>::new());
        assert_eq!(self.processes(), Vec::<String>::new());
    }

    /// Runs the command to its end.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn run<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> io::Result<Ran> {
        self.prepare(arguments).output().map(|output| Ran::from(&output))
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        let Ok(worlds) = std::fs::read_dir(self.state().join("worlds")) else { return };
        for world in worlds.flatten() {
            let name = world.file_name();
            // A world that is gone already has nothing to be ended.
            let _ = self.run([OsStr::new("down"), OsStr::new("--world"), &name]);
        }
    }
}
