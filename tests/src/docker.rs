//! Drives Docker for the container tests: containers that go away when they are dropped, and what the tests need of the machine.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use sim_core::clock::Clock;

use crate::clients::on_path;
use crate::command::Ran;

/// How long an answer may take that a test waits for, in wall time.
const PATIENCE: Duration = Duration::from_secs(30);

/// A Docker daemon, and dryarc's image in it.
#[derive(Debug, Clone)]
pub struct Docker {
    /// The image under test.
    pub image: String,
}

/// What a program printed.
///
/// # Errors
/// When it cannot be started or does not end well: the command and what it said.
pub fn output<S: AsRef<std::ffi::OsStr>>(program: &str, arguments: &[S]) -> Result<Vec<u8>, String> {
    let ran =
        Command::new(program).args(arguments).output().map_err(|error| format!("{program}: {error}"))?;
    if ran.status.success() {
        return Ok(ran.stdout);
    }
    let words: Vec<String> =
        arguments.iter().map(|word| word.as_ref().to_string_lossy().into_owned()).collect();
    Err(format!("{program} {}: {}", words.join(" "), String::from_utf8_lossy(&ran.stderr).trim()))
}

/// What docker printed, without the line break at its end.
///
/// # Errors
/// As [`output`].
pub fn docker<S: AsRef<std::ffi::OsStr>>(arguments: &[S]) -> Result<String, String> {
    Ok(String::from_utf8_lossy(&output("docker", arguments)?).trim_end().to_owned())
}

impl Docker {
    /// What is on this machine. `DRYARC_TEST_IMAGE` names the image; otherwise it is the one of this version.
    ///
    /// # Errors
    /// What is missing.
    pub fn find() -> Result<Self, String> {
        on_path("docker").ok_or("docker is not installed")?;
        docker(&["version", "--format", "{{.Server.Version}}"])
            .map_err(|_| "the Docker daemon does not answer")?;
        let image = std::env::var("DRYARC_TEST_IMAGE")
            .unwrap_or_else(|_| concat!("dryarc:", env!("CARGO_PKG_VERSION")).into());
        docker(&["image", "inspect", &image])
            .map_err(|_| format!("there is no image {image}; `tests/container-images` makes it"))?;
        Ok(Self { image })
    }

    /// A field of the image.
    ///
    /// # Errors
    /// As [`output`].
    pub fn image_field(&self, format: &str) -> Result<String, String> {
        docker(&["image", "inspect", "--format", format, &self.image])
    }

    /// Starts a container as the documentation recommends: nothing writable but `/state`, no capability. `options` stand
    /// before the image, `command` behind it.
    ///
    /// # Errors
    /// As [`output`].
    pub fn start(&self, options: &[&str], command: &[&str]) -> Result<Container, String> {
        let fixed = ["run", "--detach", "--read-only", "--tmpfs", "/state", "--cap-drop", "ALL"];
        let words: Vec<&str> =
            fixed.iter().chain(options).chain([&self.image.as_str()]).chain(command).copied().collect();
        docker(&words).map(Container)
    }
}

/// A program that reads `docker-compose.yml`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compose {
    /// The plug-in of Docker: version 2.
    PlugIn,
    /// The program of its own: version 1, which distributions still carry, or version 2.
    Program,
}

impl Compose {
    /// The words that start it.
    #[must_use]
    pub const fn words(self) -> &'static [&'static str] {
        match self {
            Self::PlugIn => &["docker", "compose"],
            Self::Program => &["docker-compose"],
        }
    }

    /// Whether it is installed.
    #[must_use]
    pub fn is_installed(self) -> bool {
        match self {
            Self::PlugIn => docker(&["compose", "version"]).is_ok(),
            Self::Program => on_path("docker-compose").is_some(),
        }
    }
}

/// A container, removed with its volumes when dropped.
#[derive(Debug)]
pub struct Container(pub String);

impl Drop for Container {
    fn drop(&mut self) {
        // A test that removed it already has nothing left to be removed.
        let _ = docker(&["rm", "--force", "--volumes", &self.0]);
    }
}

impl Container {
    /// A field of its state.
    ///
    /// # Errors
    /// As [`output`].
    pub fn field(&self, format: &str) -> Result<String, String> {
        docker(&["inspect", "--format", format, &self.0])
    }

    /// What it printed to both streams.
    ///
    /// # Errors
    /// As [`output`].
    pub fn logs(&self) -> Result<String, String> {
        let ran =
            Command::new("docker").args(["logs", &self.0]).output().map_err(|error| error.to_string())?;
        let ran = Ran::from(&ran);
        Ok(ran.stdout + &ran.stderr)
    }

    /// Where one of its ports is published on this machine.
    ///
    /// # Errors
    /// When it is not.
    pub fn published(&self, port: u16) -> Result<u16, String> {
        let text = docker(&["port", &self.0, &format!("{port}/tcp")])?;
        let last = text.lines().next().and_then(|line| line.rsplit(':').next());
        last.and_then(|port| port.parse().ok()).ok_or_else(|| format!("port {port} is published as {text:?}"))
    }

    /// Waits until `done` says so of the container.
    ///
    /// # Errors
    /// When that takes too long: the log.
    pub async fn until(&self, clock: &Clock, what: &str, done: impl Fn(&Self) -> bool) -> Result<(), String> {
        let watch = clock.stopwatch();
        while !done(self) {
            if watch.elapsed() > PATIENCE {
                return Err(format!("not {what} within {PATIENCE:?}:\n{}", self.logs()?));
            }
            clock.wall_sleep(Duration::from_millis(5)).await;
        }
        Ok(())
    }

    /// Waits for the line by which a world says that it is ready.
    ///
    /// # Errors
    /// As [`Container::until`].
    pub async fn until_ready(&self, clock: &Clock) -> Result<(), String> {
        self.until(clock, "ready", |own| own.logs().is_ok_and(|logs| logs.contains("\"ready\":true"))).await
    }
}

/// Free ports of loopback, as many as asked for. Somebody else may take one before it is used.
///
/// # Errors
/// When the system has none to give.
pub fn free_ports(count: usize) -> std::io::Result<Vec<u16>> {
    let held: Vec<TcpListener> =
        (0..count).map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0))).collect::<Result<_, _>>()?;
    held.iter().map(|listener| listener.local_addr().map(|address| address.port())).collect()
}

/// Whether a TLS server answers at this port of loopback: it answers a greeting that is none by an alert.
#[must_use]
pub fn speaks_tls(port: u16) -> bool {
    let ask = || {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        // A handshake record (RFC 8446, section 5.1) whose message has neither length nor content.
        stream.write_all(&[22, 3, 1, 0, 4, 1, 0, 0, 0])?;
        let mut first = [0];
        stream.read_exact(&mut first)?;
        Ok::<u8, std::io::Error>(first[0])
    };
    // The record type of alerts (RFC 8446, section 5.1).
    ask().is_ok_and(|first| first == 21)
}

/// Unpacks an archive that a container printed.
///
/// # Errors
/// As [`output`], of tar.
pub fn unpack(archive: &[u8], folder: &Path) -> Result<(), String> {
    std::fs::create_dir_all(folder).map_err(|error| error.to_string())?;
    let file = folder.join(".archive.tar");
    std::fs::write(&file, archive).map_err(|error| error.to_string())?;
    let words: [&std::ffi::OsStr; 5] =
        ["-x".as_ref(), "-f".as_ref(), file.as_ref(), "-C".as_ref(), folder.as_ref()];
    output("tar", &words).map(drop)
}
