//! Programs on `PATH`, asked for their version.

use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use serde_json::Value;
use sim_core::clock::Clock;
use tokio::process::Command;

use super::finding::Finding;
use crate::client_env::OuterEnv;

/// How long a program may take to tell its version (wall time).
const PATIENCE: Duration = Duration::from_secs(20);

/// The longest reason that is shown, in characters.
const LONGEST: usize = 200;

/// What a program printed when it was asked, or why there is nothing.
pub(super) async fn ask(mut command: Command, clock: &Clock) -> Result<String, String> {
    command.stdin(Stdio::null()).kill_on_drop(true);
    match clock.wall_timeout(PATIENCE, command.output()).await {
        Err(_) => Err(format!("it said nothing within {} s", PATIENCE.as_secs())),
        Ok(Err(error)) => Err(format!("it cannot be run: {error}")),
        Ok(Ok(output)) if output.status.success() => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        Ok(Ok(output)) => Err(complaint(&output)),
    }
}

/// The first line of what a program complained about.
fn complaint(output: &Output) -> String {
    let streams = [&output.stderr, &output.stdout];
    let texts = streams.map(|stream| String::from_utf8_lossy(stream).into_owned());
    let line = texts.iter().flat_map(|text| text.lines()).map(str::trim).find(|line| !line.is_empty());
    line.map_or_else(
        || format!("it ended with {}", output.status),
        |line| line.chars().take(LONGEST).collect(),
    )
}

/// The program as the user would start it.
pub(super) fn command(program: &Path, outer: &OuterEnv, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(arguments).env_clear().envs(outer.variables());
    command
}

/// Looks for `program` (or where `variable` says) and asks it; `version` reads the answer.
async fn examine(
    finding: Finding,
    place: Option<PathBuf>,
    outer: &OuterEnv,
    clock: &Clock,
    arguments: &[&str],
    version: impl FnOnce(&str) -> Option<String>,
) -> Finding {
    let Some(place) = place else { return finding };
    match ask(command(&place, outer, arguments), clock).await {
        Ok(said) => finding.found(Some(place), version(&said)),
        Err(reason) => finding.unusable(Some(place), reason),
    }
}

fn first_line(text: &str) -> Option<String> {
    text.lines().map(str::trim).find(|line| !line.is_empty()).map(str::to_owned)
}

fn given(outer: &OuterEnv, variable: &str, name: &str) -> Option<PathBuf> {
    outer.get(variable).map(PathBuf::from).filter(|path| path.is_file()).or_else(|| outer.program(name))
}

pub(super) async fn kubectl(outer: &OuterEnv, clock: &Clock) -> Finding {
    let finding = Finding::missing(
        "kubectl",
        "looking into a world's cluster: `dryarc exec -- kubectl get pods -A`",
        "install it (kubernetes.io/docs/tasks/tools) and put it on PATH, or name it by KUBECTL_CLIENT_PATH",
    );
    let version = |said: &str| {
        let said: Value = serde_json::from_str(said).ok()?;
        said.pointer("/clientVersion/gitVersion")?.as_str().map(str::to_owned)
    };
    let place = given(outer, "KUBECTL_CLIENT_PATH", "kubectl");
    examine(finding, place, outer, clock, &["version", "--client", "--output", "json"], version).await
}

pub(super) async fn helm(outer: &OuterEnv, clock: &Clock) -> Finding {
    let finding = Finding::missing(
        "helm",
        "`az connectedk8s connect` in a world, which installs the agents by it; `dryarc onboard` does without",
        "install version 3 (helm.sh/docs/intro/install) and put it on PATH, or name it by HELM_CLIENT_PATH",
    );
    let place = given(outer, "HELM_CLIENT_PATH", "helm");
    examine(finding, place, outer, clock, &["version", "--short"], first_line).await
}

pub(super) async fn docker(outer: &OuterEnv, clock: &Clock) -> Finding {
    let finding = Finding::missing(
        "docker",
        "a world's cluster made by kind (`dryarc up --cluster kind`)",
        "install Docker (docs.docker.com/engine/install), start its daemon, and see that you may use it: `docker info`",
    );
    let arguments = ["version", "--format", "{{.Server.Version}}"];
    examine(finding, outer.program("docker"), outer, clock, &arguments, first_line).await
}

pub(super) async fn kind(outer: &OuterEnv, clock: &Clock) -> Finding {
    let finding = Finding::missing(
        "kind",
        "a world's cluster made by kind (`dryarc up --cluster kind`)",
        "install it (kind.sigs.k8s.io/docs/user/quick-start) and put it on PATH",
    );
    let version = |said: &str| said.split_whitespace().find(|word| word.starts_with('v')).map(str::to_owned);
    examine(finding, outer.program("kind"), outer, clock, &["version"], version).await
}

#[cfg(test)]
mod tests {
    use super::super::finding::State;
    use super::*;

    /// A folder with scripts, which is the whole `PATH`.
    struct Scripts(PathBuf);

    impl Scripts {
        fn new(name: &str, scripts: &[(&str, &str)]) -> Self {
            let folder = std::env::temp_dir().join(format!("dryarc-doctor-{}-{name}", std::process::id()));
            std::fs::create_dir_all(&folder).unwrap();
            for (script, text) in scripts {
                // Written by a child: a file that this process has open for writing cannot be run by another thread's child.
                let write = "printf '#!/bin/sh\n%s\n' \"$1\" > \"$0\" && chmod +x \"$0\"";
                let path = folder.join(script);
                let written =
                    std::process::Command::new("sh").args(["-c", write]).arg(&path).arg(text).status();
                assert!(written.unwrap().success());
            }
            Self(folder)
        }

        fn outer(&self) -> OuterEnv {
            OuterEnv::new([("PATH".to_owned(), self.0.display().to_string())])
        }
    }

    impl Drop for Scripts {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    #[tokio::test]
    async fn programs_tell_their_version_in_their_own_ways() {
        let scripts = Scripts::new(
            "versions",
            &[
                ("kubectl", r#"echo '{"clientVersion":{"gitVersion":"v1.32.1"}}'"#),
                ("helm", "echo v3.17.0+g301108e"),
                ("kind", "echo kind v0.31.0 go1.25 linux/amd64"),
            ],
        );
        let (outer, clock) = (scripts.outer(), Clock::running(1.0));
        let found = [kubectl(&outer, &clock).await, helm(&outer, &clock).await, kind(&outer, &clock).await];
        let versions = found.each_ref().map(|one| one.version.as_deref().unwrap());
        assert_eq!(versions, ["v1.32.1", "v3.17.0+g301108e", "v0.31.0"]);
        assert!(found.iter().all(|one| one.state == State::Ok && one.place.is_some()));
    }

    #[tokio::test]
    async fn a_daemon_that_is_not_reached_says_why_in_its_own_words() {
        let scripts =
            Scripts::new("docker", &[("docker", "echo 'Cannot connect to the Docker daemon' >&2; exit 1")]);
        let docker = docker(&scripts.outer(), &Clock::running(1.0)).await;
        assert_eq!(docker.state, State::Unusable);
        assert_eq!(docker.detail.unwrap(), "Cannot connect to the Docker daemon");
    }

    #[tokio::test]
    async fn what_is_not_on_the_path_is_missing() {
        let outer = OuterEnv::new([("PATH".to_owned(), "/nowhere".to_owned())]);
        assert_eq!(kind(&outer, &Clock::running(1.0)).await.state, State::Missing);
    }
}
