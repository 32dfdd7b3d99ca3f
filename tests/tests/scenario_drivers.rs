//! Scenarios by real programs: the Azure CLI as a driver, and users' own tools as steps.
//!
//! Every built-in scenario that names the driver `az` is performed by the real CLI; how it ended is kept in
//! `fixtures/golden/scenarios/az`, which `UPDATE_GOLDEN=1` rewrites. What is not installed is reported as ignored, by name.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use e2e_tests::clients::{self, Client};
use e2e_tests::command::{Ran, Sandbox};
use e2e_tests::normalize::normalize;
use e2e_tests::repository::root;
use e2e_tests::transcript::held_against;
use harness::client_env::OuterEnv;
use harness::scenario::{Driver, Report, RunOptions, Scenario, Verdict, built_in, run};
use libtest_mimic::{Arguments, Completion, Failed, Trial};
use serde_json::Value;

/// How many scenarios the Azure CLI performs at least.
const LEAST: usize = 12;

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    // The Azure CLI is at work itself.
    arguments.test_threads.get_or_insert(std::thread::available_parallelism().map_or(2, usize::from) + 1);
    let mut trials = vec![
        Trial::test(
            "users_scenarios_run_scripts_in_their_folder",
            users_scenarios_run_scripts_in_their_folder,
        ),
        Trial::ignorable_test("users_scenarios_run_kubectl_and_helm", users_scenarios_run_kubectl_and_helm),
        Trial::test("a_tool_that_is_not_there_is_named", a_tool_that_is_not_there_is_named),
        Trial::test(
            "the_drivers_of_a_scenario_are_listed_and_told",
            the_drivers_of_a_scenario_are_listed_and_told,
        ),
        Trial::test("without_the_azure_cli_nothing_passes", without_the_azure_cli_nothing_passes),
    ];
    match built_in() {
        Ok(scenarios) => {
            let of_az: Vec<Scenario> =
                scenarios.into_iter().filter(|one| one.drivers.contains(&Driver::Az)).collect();
            let count = of_az.len();
            trials.push(Trial::test("twelve_scenarios_and_more_are_for_the_azure_cli", move || {
                twelve_scenarios_and_more_are_for_the_azure_cli(count)
            }));
            trials.extend(of_az.into_iter().map(|scenario| {
                let name = format!("az::{}", scenario.name);
                Trial::ignorable_test(name, move || the_azure_cli_ends_as_recorded(&scenario))
            }));
        }
        Err(error) => {
            trials.push(Trial::test("the scenarios can be read", move || Err(Failed::from(&error))))
        }
    }
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn twelve_scenarios_and_more_are_for_the_azure_cli(count: usize) -> Result<(), Failed> {
    if count >= LEAST { Ok(()) } else { Err(format!("there are {count}").into()) }
}

/// The environment of somebody who has the Azure CLI, its extension, helm and kubectl.
fn outer(az: &Path) -> OuterEnv {
    let beside = [Some(az.to_path_buf()), Client::Helm.find(), Client::Kubectl.find()];
    let folders =
        beside.iter().flatten().filter_map(|file| file.parent()).map(|one| one.display().to_string());
    let path = folders.chain(std::env::var("PATH")).collect::<Vec<_>>().join(":");
    let mut variables = vec![("PATH".to_owned(), path)];
    variables.extend(
        clients::extension().map(|one| ("DRYARC_AZ_EXTENSION_DIR".to_owned(), one.display().to_string())),
    );
    OuterEnv::new(variables)
}

fn the_azure_cli_ends_as_recorded(scenario: &Scenario) -> Result<Completion, Failed> {
    let (Some(az), Some(_)) = (Client::Connectedk8s.find(), Client::Kubectl.find()) else {
        let names = [Client::Connectedk8s.name(), Client::Kubectl.name()].join(" and ");
        return Ok(Completion::ignored_with(format!("{names} are not all installed")));
    };
    let options = RunOptions { driver: Some(Driver::Az), outer: outer(&az), ..RunOptions::default() };
    let report = run(scenario, &options);
    if report.verdict != Verdict::Passed {
        let shown = harness::scenario::terminal::story(&report);
        return Err(format!("{}\n{shown}", report.problems().join("\n")).into());
    }
    if !report.varies.as_deref().is_some_and(|why| why.contains("az")) {
        return Err("the report does not say that its order varies".into());
    }
    let file = root().join("fixtures/golden/scenarios/az").join(format!("{}.txt", scenario.name));
    held_against(&file, &outcomes(&report))?;
    Ok(Completion::Completed)
}

/// The steps that are commands of the Azure CLI.
const OF_AZ: [&str; 5] = ["register", "group", "onboard", "offboard", "arm"];

/// How the commands of a run ended and what was in Azure then, without what differs from run to run.
fn outcomes(report: &Report) -> String {
    let mut text = String::new();
    for act in &report.acts {
        text.push_str(&format!("# {}\n", act.what));
        for step in act.steps.iter().filter(|step| OF_AZ.contains(&step.action)) {
            let outcome = &step.outcome;
            let status = outcome.status.map(|status| status.to_string());
            let more = [&outcome.code, &outcome.arm_code, &status].into_iter().flatten();
            let end: String = more.map(|one| format!(" {one}")).collect();
            text.push_str(&format!("{}: exit {}{end}\n", step.action, outcome.exit));
            for line in normalize(&outcome.text).lines().filter(|line| !line.trim().is_empty()) {
                text.push_str(&format!("    {}\n", stable(line)));
            }
        }
        // What agents have reported by then is a matter of time, unless it was waited for.
        let waited = act.steps.last().is_some_and(|step| step.action == "wait");
        for one in &act.azure {
            let field = |name: &str| one[name].as_str().unwrap_or_default().to_owned();
            let (kind, name) = if one["group"].is_string() {
                ("group", field("group"))
            } else {
                ("cluster", field("cluster"))
            };
            let reported = if waited { format!(" {}", field("connectivityStatus")) } else { String::new() };
            text.push_str(format!("= {kind} {name} {}{reported}", field("provisioningState")).trim_end());
            text.push('\n');
        }
    }
    text
}

/// A line of an error, without what Python and the machine put into it, and not longer than people read.
fn stable(line: &str) -> String {
    let own = format!("scenario-{}", std::process::id());
    let line = line.replace(&own, "<world>");
    let line = regex_lite::Regex::new("0x[0-9a-f]{6,}")
        .map_or_else(|_| line.clone(), |address| address.replace_all(&line, "<address>").into_owned());
    line.chars().take(400).collect()
}

const HEAD: &str = "symptom: s\ncause: c\nsources: [https://example.com/1]\ntags: [own]\n";

fn sandbox(clients: &[&Path]) -> std::io::Result<Sandbox> {
    let program = PathBuf::from(env!("CARGO_BIN_EXE_dryarc-under-test"));
    clients::with_search_path(Sandbox::new(program)?, clients)
}

/// Writes a user's scenario, and runs their folder.
fn run_own(sandbox: &Sandbox, text: &str, more: &[&str]) -> Result<(Ran, Value), Failed> {
    let folder = sandbox.work().join("own");
    std::fs::create_dir_all(&folder)?;
    std::fs::write(folder.join("own.yaml"), format!("title: t\n{HEAD}{text}"))?;
    std::fs::write(folder.join("look.sh"), "echo \"seen from $(basename \"$PWD\")\"\n")?;
    let folder = folder.display().to_string();
    let ran = sandbox.run(["scenario", "run", &folder, "-o", "json"].iter().chain(more))?;
    let document = serde_json::from_str(&ran.stdout)
        .map_err(|error| format!("{error}: {}\n{}", ran.stdout, ran.stderr))?;
    Ok((ran, document))
}

fn assert_passed(ran: &Ran, document: &Value) -> Result<(), Failed> {
    if ran.code == 0 && document["passed"] == 1 {
        return Ok(());
    }
    Err(format!("{document:#}\n{}", ran.stderr).into())
}

fn users_scenarios_run_scripts_in_their_folder() -> Result<(), Failed> {
    let sandbox = sandbox(&[])?;
    let text = r#"
steps:
  - sh: sh look.sh
    expect: {exit: 0, text: seen from own}
  - sh: |
      test -f "$KUBECONFIG" && test -f "$REQUESTS_CA_BUNDLE" && test -n "$HTTPS_PROXY" || exit 9
      dryarc provider list > /dev/null || exit 8
      echo '{"ready": 1}'; echo "secret $AZURE_CLIENT_SECRET"; echo "no cluster" >&2; exit 4
    expect: {exit: 4, text: [no cluster, 'secret ***']}
remedy:
  what: Connect.
  steps:
    - onboard: {}
    - sh: |
        dryarc list -o json
    - sh: echo '{"state":{"ready":2}}'
      expect: {exit: 0, is: {state.ready: 2}}
"#;
    let (ran, document) = run_own(&sandbox, text, &[])?;
    assert_passed(&ran, &document)?;
    let one = &document["scenarios"][0];
    let varies = one["varies"].as_str().unwrap_or_default();
    if !varies.contains("(sh)") || one["driver"] != "native" {
        return Err(format!("{one:#}").into());
    }
    sandbox.assert_nothing_left();
    Ok(())
}

fn users_scenarios_run_kubectl_and_helm() -> Result<Completion, Failed> {
    let (Some(kubectl), Some(helm)) = (Client::Kubectl.find(), Client::Helm.find()) else {
        return Ok(Completion::ignored_with("kubectl and helm are not both installed"));
    };
    let sandbox = sandbox(&[&kubectl, &helm])?;
    let shop = root().join("fixtures/golden/inputs/shop").display().to_string();
    let text = format!(
        r#"
steps:
  - kubectl: [get, namespace, azure-arc]
    expect: {{exit: 1, text: not found}}
remedy:
  what: Connect, and install the shop.
  steps:
    - onboard: {{}}
    - kubectl: [wait, deployment, config-agent, -n, azure-arc, --for, condition=Available, --timeout, 60s]
    - kubectl: [get, deployment, config-agent, -n, azure-arc, -o, json]
      expect: {{exit: 0, is: {{metadata.name: config-agent, status.readyReplicas: 1}}}}
    - helm: [install, shop, '{shop}']
      expect: {{exit: 0, text: 'STATUS: deployed'}}
    - helm: [list, --output, json]
      expect: {{exit: 0, is: {{0.name: shop}}}}
"#
    );
    let (ran, document) = run_own(&sandbox, &text, &[])?;
    assert_passed(&ran, &document)?;
    sandbox.assert_nothing_left();
    Ok(Completion::Completed)
}

fn a_tool_that_is_not_there_is_named() -> Result<(), Failed> {
    let sandbox = sandbox(&[])?.with_variable("PATH", "/nonexistent");
    for tool in ["kubectl", "helm"] {
        let text = format!(
            "steps: [{{{tool}: [version], expect: {{exit: 1}}}}]\nremedy: {{what: w, steps: [{{advance: 1s}}]}}\n"
        );
        let (ran, document) = run_own(&sandbox, &text, &[])?;
        let said = document["scenarios"][0]["acts"][0]["steps"][0]["unmet"][0].as_str().unwrap_or_default();
        if ran.code != 1 || !said.contains(&format!("'{tool}' was not found on PATH")) {
            return Err(format!("{document:#}").into());
        }
    }
    Ok(())
}

fn the_drivers_of_a_scenario_are_listed_and_told() -> Result<(), Failed> {
    let sandbox = sandbox(&[])?;
    let listed = sandbox.run(["scenario", "list"])?.ok().stdout;
    let row = listed.lines().find(|line| line.starts_with("unknown-region")).unwrap_or_default();
    let told = sandbox.run(["scenario", "show", "unknown-region"])?.ok().stdout;
    let both = listed.contains("DRIVERS") && row.contains("native,az");
    if both && told.contains("Drivers: native, az") && told.contains("with az: exit 1 \"Connected cluster") {
        return Ok(());
    }
    Err(format!("{row}\n{told}").into())
}

fn without_the_azure_cli_nothing_passes() -> Result<(), Failed> {
    let sandbox = sandbox(&[])?.with_variable("PATH", "/nonexistent");
    let ran = sandbox.run(["scenario", "run", "unknown-region", "--driver", "az"])?;
    let said = ran.code == 1
        && ran.stdout.contains("skip    unknown-region")
        && ran.stdout.contains("az) was not found on PATH")
        && ran.stderr.contains("nothing was performed");
    let other = sandbox.run(["scenario", "run", "image-pull", "quota-exhausted", "--driver", "az"])?;
    let refused = other.code == 2 && other.stderr.contains("'quota-exhausted' is not for the driver az");
    let junit = sandbox.work().join("junit.xml");
    let junit = junit.display().to_string();
    sandbox.run(["scenario", "run", "unknown-region", "--driver", "az", "--junit", &junit])?;
    let xml = std::fs::read_to_string(&junit)?;
    let skipped = xml.contains("skipped=\"1\"") && xml.contains("<skipped message=");
    if said && refused && skipped {
        return Ok(());
    }
    Err(format!("{}\n{}\n{}\n{xml}", ran.stdout, ran.stderr, other.stderr).into())
}
