//! What stands behind an image: a program of this machine, a function of this process, or a scripted life.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::task::Task;
use crate::controllers::objects::annotation;

/// Pod annotation that gives containers of unknown images a life: one of the names of [`Life`]. The form
/// `kube-sim.dryarc.dev/life.CONTAINER` speaks of one container only.
pub const LIFE_ANNOTATION: &str = "kube-sim.dryarc.dev/life";

/// A container as its image is asked for: variables in command and arguments are expanded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContainerImage {
    /// `image` of the container.
    pub image: String,
    /// The container's name.
    pub name: String,
    /// `command`, which replaces the image's entry point.
    pub command: Vec<String>,
    /// `args`.
    pub args: Vec<String>,
}

/// What a container does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Workload {
    /// Runs a program as a child process.
    Process {
        /// The program.
        program: PathBuf,
        /// Its arguments, without its name.
        args: Vec<String>,
        /// What the image sets; the container's own `env` goes over it.
        env: Vec<(String, String)>,
    },
    /// Runs a function of this process.
    Task(Task),
    /// Follows a script.
    Scripted(Script),
}

/// A life without a process. Times are world time since the container's start. Probes of a scripted container are not
/// run: the script says when it is ready.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Script {
    /// What it logs and when, in order.
    pub lines: Vec<(Duration, String)>,
    /// When it becomes ready; `Duration::MAX` for never.
    pub ready_after: Duration,
    /// When it ends, and with which exit code; never when `None`.
    pub exit: Option<(Duration, i32)>,
}

/// Knows what to run for an image; `None` for images it does not know.
pub type ImageResolver = Arc<dyn Fn(&ContainerImage) -> Option<Workload> + Send + Sync>;

/// Runs programs of this machine for these images: a container's `args` are the program's, and its `command` goes in the
/// program's place. Other images are not known.
#[must_use]
pub fn programs(images: Vec<(String, PathBuf)>) -> ImageResolver {
    Arc::new(move |container: &ContainerImage| {
        let (_, program) = images.iter().find(|(image, _)| *image == container.image)?;
        let (program, first) = match container.command.split_first() {
            Some((own, rest)) => (PathBuf::from(own), rest),
            None => (program.clone(), &[][..]),
        };
        let args = first.iter().chain(&container.args).cloned().collect();
        Some(Workload::Process { program, args, env: Vec::new() })
    })
}

/// Reads `IMAGE=PROGRAM`, for options that name images for [`programs`].
///
/// # Errors
/// What is wrong with the text.
pub fn parse_program(text: &str) -> Result<(String, PathBuf), String> {
    let named = text.split_once('=').filter(|(image, program)| !image.is_empty() && !program.is_empty());
    let (image, program) = named.ok_or_else(|| format!("'{text}' is not IMAGE=PROGRAM"))?;
    Ok((image.to_owned(), program.into()))
}

/// The scripted lives that [`LIFE_ANNOTATION`] can name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Life {
    /// Runs and is ready. The default.
    Running,
    /// Runs and never becomes ready.
    NotReady,
    /// Ends with exit code 0 at once.
    Completed,
    /// Ends with exit code 1 at once, again and again.
    CrashLoopBackOff,
    /// The image cannot be pulled.
    ImagePullBackOff,
}

/// A life that nobody knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct UnknownLife(pub(crate) String);

impl fmt::Display for UnknownLife {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = "Running, NotReady, Completed, CrashLoopBackOff, ImagePullBackOff";
        write!(f, "annotation {LIFE_ANNOTATION}: \"{}\" is none of {known}", self.0)
    }
}

impl Life {
    /// The life that a pod's annotations give one of its containers.
    pub(crate) fn of(pod: &Value, container: &str) -> Result<Self, UnknownLife> {
        let own = annotation(pod, &format!("{LIFE_ANNOTATION}.{container}"));
        match own.or_else(|| annotation(pod, LIFE_ANNOTATION)) {
            None | Some("Running") => Ok(Self::Running),
            Some("NotReady") => Ok(Self::NotReady),
            Some("Completed") => Ok(Self::Completed),
            Some("CrashLoopBackOff") => Ok(Self::CrashLoopBackOff),
            Some("ImagePullBackOff") => Ok(Self::ImagePullBackOff),
            Some(other) => Err(UnknownLife(other.to_owned())),
        }
    }

    /// The script of this life.
    pub(crate) fn script(self) -> Script {
        let ends = |code| Some((Duration::ZERO, code));
        match self {
            Self::Running | Self::ImagePullBackOff => Script::default(),
            Self::NotReady => Script { ready_after: Duration::MAX, ..Script::default() },
            Self::Completed => Script { exit: ends(0), ..Script::default() },
            Self::CrashLoopBackOff => Script { exit: ends(1), ..Script::default() },
        }
    }
}
