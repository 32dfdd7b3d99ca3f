//! The examples of tests in other languages, under `tests/examples`: they pass as they stand.

use std::path::Path;
use std::process::{Command, ExitCode};

use e2e_tests::clients::on_path;
use e2e_tests::command::Ran;
use e2e_tests::repository::root;
use e2e_tests::sdks::sdk;
use libtest_mimic::{Arguments, Completion, Failed, Trial};

type Checked = Result<Completion, Failed>;

fn main() -> ExitCode {
    let trials = vec![
        Trial::ignorable_test("the_example_for_pytest_passes", pytest),
        Trial::ignorable_test("the_example_for_go_passes", go),
    ];
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

/// Runs an example's tests with `dryarc` where they look for it.
fn run(folder: &str, program: &Path, arguments: &[&str]) -> Checked {
    let output = Command::new(program)
        .args(arguments)
        .current_dir(root().join("tests/examples").join(folder))
        .env("DRYARC", env!("CARGO_BIN_EXE_dryarc-under-test"))
        .env("GOCACHE", Path::new(env!("CARGO_TARGET_TMPDIR")).join("go-examples"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()?;
    match Ran::from(&output) {
        Ran { code: 0, .. } => Ok(Completion::Completed),
        ran => Err(format!("{folder} ended with {}:\n{}\n{}", ran.code, ran.stdout, ran.stderr).into()),
    }
}

fn pytest() -> Checked {
    let installed = sdk("schemathesis").map(|folder| folder.join("bin/pytest"));
    match installed.or_else(|why| on_path("pytest").ok_or(why)) {
        Ok(pytest) => run("python", &pytest, &["-q", "-p", "no:cacheprovider"]),
        Err(why) => Ok(Completion::ignored_with(format!("pytest: {why}"))),
    }
}

fn go() -> Checked {
    match on_path("go") {
        Some(go) => run("go", &go, &["test", "-count=1", "./..."]),
        None => Ok(Completion::ignored_with("the SDKs for go are not installed: there is no go")),
    }
}
