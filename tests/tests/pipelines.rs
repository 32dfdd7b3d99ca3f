//! The composite action, the GitLab snippet and our own workflows: they are YAML, their shell is sound, and the parts that others
//! run do here what they do there. What shellcheck finds is told where it is installed; otherwise that test is ignored.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use e2e_tests::clients::{Client, on_path};
use e2e_tests::command::Ran;
use e2e_tests::pipelines::{Script, read, scripts};
use libtest_mimic::{Arguments, Completion, Failed, Trial};
use serde_json::Value;

const ACTION: &str = ".github/actions/dryarc/action.yml";
const GITLAB: &str = "fixtures/ci/gitlab.yml";
const FILES: [&str; 4] = [ACTION, GITLAB, ".github/workflows/ci.yml", ".github/workflows/release.yml"];

type Checked = Result<Completion, Failed>;

type Test = (&'static str, fn() -> Checked);

fn program() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_dryarc-under-test"))
}

fn every_script() -> Result<Vec<Script>, String> {
    let mut all = Vec::new();
    for file in FILES {
        all.extend(scripts(file, &read(file)?));
    }
    Ok(all)
}

/// What an expression of the pipeline leaves behind is text by the time the shell reads it.
fn without_expressions(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once("${{") {
        plain.push_str(before);
        plain.push('x');
        rest = behind.split_once("}}").map_or("", |(_, after)| after);
    }
    plain + rest
}

fn every_pipeline_is_yaml_with_shell_that_parses() -> Checked {
    let all = every_script()?;
    if all.len() < 10 {
        return Err(format!("only {} scripts were found", all.len()).into());
    }
    for (place, text) in all {
        let ran = Ran::from(&Command::new("bash").args(["-n", "-c", &without_expressions(&text)]).output()?);
        if ran.code != 0 {
            return Err(format!("{place}:\n{}", ran.stderr).into());
        }
    }
    Ok(Completion::Completed)
}

fn shellcheck_finds_nothing() -> Checked {
    let Some(shellcheck) = on_path("shellcheck") else {
        return Ok(Completion::ignored_with("shellcheck is not installed"));
    };
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("script");
    for (place, text) in every_script()? {
        std::fs::write(&file, without_expressions(&text))?;
        let ran = Ran::from(&Command::new(&shellcheck).args(["--shell", "bash"]).arg(&file).output()?);
        if ran.code != 0 {
            return Err(format!("{place}:\n{}", ran.stdout).into());
        }
    }
    Ok(Completion::Completed)
}

/// A place where steps run one after the other, as on a runner.
struct Runner {
    folder: tempfile::TempDir,
}

impl Runner {
    fn new() -> std::io::Result<Self> {
        let folder = tempfile::tempdir()?;
        for name in ["temp", "home", "state", "project"] {
            std::fs::create_dir(folder.path().join(name))?;
        }
        for name in ["path", "output"] {
            std::fs::write(folder.path().join(name), "")?;
        }
        Ok(Self { folder })
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.at(name)).unwrap_or_default()
    }

    /// The folders that steps added to `PATH`, before those of this machine.
    fn search_path(&self) -> String {
        let kubectl = Client::Kubectl.find().and_then(|file| file.parent().map(Path::to_path_buf));
        let kubectl = kubectl.map(|folder| folder.display().to_string()).unwrap_or_default();
        let added: Vec<String> = self.read("path").lines().map(str::to_owned).collect();
        [added.join(":"), kubectl, std::env::var("PATH").unwrap_or_default()].join(":")
    }

    fn run(&self, script: &str, variables: &[(&str, String)]) -> std::io::Result<Ran> {
        let mut command = Command::new("bash");
        command
            .args(["--noprofile", "--norc", "-eo", "pipefail", "-c", script])
            .current_dir(self.at("project"));
        command.env("PATH", self.search_path()).env("HOME", self.at("home"));
        command.env("DRYARC_STATE_HOME", self.at("state")).env("RUNNER_TEMP", self.at("temp"));
        command.env("GITHUB_PATH", self.at("path")).env("GITHUB_OUTPUT", self.at("output"));
        command.env("CI_PROJECT_DIR", self.at("project"));
        command.envs(variables.iter().map(|(name, value)| (name, value)));
        command.output().map(|output| Ran::from(&output))
    }
}

fn succeeded(ran: &Ran) -> Result<(), Failed> {
    if ran.code == 0 {
        Ok(())
    } else {
        Err(format!("ended with {}:\n{}{}", ran.code, ran.stdout, ran.stderr).into())
    }
}

/// The shell of a step of the action, with the variables that its inputs become.
fn step(
    action: &Value,
    index: usize,
    inputs: &[(&str, String)],
) -> Result<(String, Vec<(String, String)>), String> {
    let step = &action["runs"]["steps"][index];
    let script = step["run"].as_str().ok_or("the step has no shell")?.to_owned();
    let value = |expression: &str| {
        let name = expression.trim_start_matches("${{ inputs.").trim_end_matches(" }}");
        let given = inputs.iter().find(|(input, _)| *input == name).map(|(_, value)| value.clone());
        let default = action["inputs"][name]["default"].as_str().map(str::to_owned);
        given.or(default).unwrap_or_default()
    };
    let variables = step["env"].as_object().into_iter().flatten();
    let variables = variables.map(|(name, text)| (name.clone(), value(text.as_str().unwrap_or_default())));
    Ok((script, variables.collect()))
}

fn the_action_installs_runs_and_keeps_the_exit_code() -> Checked {
    if Client::Kubectl.find().is_none() {
        return Ok(Completion::ignored_with("kubectl is not installed"));
    }
    let (action, runner) = (read(ACTION)?, Runner::new()?);
    let lines = "kubectl get namespaces --output name\nprintf '<testsuites/>' >junit.xml";
    let inputs = |run: &str| {
        vec![
            ("binary", program().display().to_string()),
            ("options", "--seed\n7\n".to_owned()),
            ("run", run.to_owned()),
        ]
    };
    let perform = |index: usize, run: &str| -> Result<Ran, Failed> {
        let (script, variables) = step(&action, index, &inputs(run))?;
        let variables: Vec<(&str, String)> =
            variables.iter().map(|(name, value)| (name.as_str(), value.clone())).collect();
        Ok(runner.run(&script, &variables)?)
    };
    succeeded(&perform(0, lines)?)?;
    if !runner.read("output").starts_with("version=dryarc ") {
        return Err(format!("the output is {:?}", runner.read("output")).into());
    }
    let ran = perform(1, lines)?;
    succeeded(&ran)?;
    if !ran.stdout.contains("namespace/kube-system") || !runner.at("project/junit.xml").exists() {
        return Err(format!("it printed:\n{}{}", ran.stdout, ran.stderr).into());
    }
    let failing = perform(1, "exit 41")?;
    if failing.code != 41 {
        return Err(format!("a failing command ended with {}", failing.code).into());
    }
    Ok(Completion::Completed)
}

fn the_gitlab_snippet_installs_and_runs() -> Checked {
    if Client::Kubectl.find().is_none() {
        return Ok(Completion::ignored_with("kubectl is not installed"));
    }
    let (file, runner) = (read(GITLAB)?, Runner::new()?);
    let lines = |value: &Value| -> String {
        let lines: Vec<&str> = value.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        lines.join("\n")
    };
    let script =
        [lines(&file[".dryarc"]["before_script"]), lines(&file["dryarc-example"]["script"])].join("\n");
    let ran = runner.run(&script, &[("DRYARC_BINARY", program().display().to_string())])?;
    succeeded(&ran)?;
    if !ran.stdout.contains("kube-system") {
        return Err(format!("it printed:\n{}{}", ran.stdout, ran.stderr).into());
    }
    Ok(Completion::Completed)
}

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let tests: [Test; 4] = [
        ("every_pipeline_is_yaml_with_shell_that_parses", every_pipeline_is_yaml_with_shell_that_parses),
        ("shellcheck_finds_nothing", shellcheck_finds_nothing),
        (
            "the_action_installs_runs_and_keeps_the_exit_code",
            the_action_installs_runs_and_keeps_the_exit_code,
        ),
        ("the_gitlab_snippet_installs_and_runs", the_gitlab_snippet_installs_and_runs),
    ];
    let trials = tests.map(|(name, test)| Trial::ignorable_test(name, test)).into();
    libtest_mimic::run(&arguments, trials).exit_code()
}
