//! `dryarc scenario`, as it is typed.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::path::PathBuf;

use e2e_tests::command::{Ran, Sandbox};
use serde_json::Value;

fn sandbox() -> Sandbox {
    Sandbox::new(PathBuf::from(env!("CARGO_BIN_EXE_dryarc-under-test"))).unwrap()
}

fn run(sandbox: &Sandbox, arguments: &[&str]) -> Ran {
    sandbox.run(["scenario"].iter().chain(arguments)).unwrap()
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

#[test]
fn scenarios_are_listed_told_run_and_reported() {
    let sandbox = sandbox();
    let list = json(&run(&sandbox, &["list", "--tag", "registration", "-o", "json"]).ok().stdout);
    assert!(
        list.as_array().unwrap().iter().any(|one| one["name"] == "registration-eleven-minutes"),
        "{list}"
    );
    let told = run(&sandbox, &["show", "registration-eleven-minutes"]).ok().stdout;
    assert!(told.contains("Remedy:") && told.contains("https://github.com/"), "{told}");
    let text = run(&sandbox, &["show", "registration-eleven-minutes", "--text"]).ok().stdout;
    let mine = sandbox.work().join("mine");
    std::fs::create_dir(&mine).unwrap();
    std::fs::write(mine.join("own.yaml"), &text).unwrap();
    let (junit, html) = (sandbox.work().join("junit.xml"), sandbox.work().join("page.html"));
    let (folder, junit_path) = (mine.display().to_string(), junit.display().to_string());
    let line = ["run", &folder, "--junit", &junit_path, "--html", &html.display().to_string(), "-o", "json"];
    let document = json(&run(&sandbox, &line).ok().stdout);
    assert_eq!((&document["passed"], &document["failed"]), (&1.into(), &0.into()));
    let one = &document["scenarios"][0];
    assert_eq!((&one["name"], &one["verdict"], &one["seed"]), (&"own".into(), &"passed".into(), &1.into()));
    assert!(one["acts"][0]["steps"][0]["text"].as_str().unwrap().contains("Registering"), "{one}");
    let junit = std::fs::read_to_string(junit).unwrap();
    assert!(junit.contains("tests=\"1\" failures=\"0\" errors=\"0\""), "{junit}");
    assert!(junit.contains("<testcase classname=\"dryarc.registration\" name=\"own\""), "{junit}");
    let html = std::fs::read_to_string(html).unwrap();
    assert!(html.contains("<details") && html.contains("Timeline"), "{html}");
    assert!(!html.contains("http-equiv") && !html.contains("<script"), "it needs nothing else");
    assert_eq!(json(&run(&sandbox, &["schema"]).ok().stdout)["title"], "dryarc scenario");
    sandbox.assert_nothing_left();
}

#[test]
fn a_scenario_that_does_not_hold_fails_the_run_and_says_why() {
    let sandbox = sandbox();
    let text = run(&sandbox, &["show", "registration-eleven-minutes", "--text"]).ok().stdout;
    let file = sandbox.work().join("own.yaml");
    std::fs::write(&file, text.replace("seconds: 660", "seconds: 60")).unwrap();
    let ran = run(&sandbox, &["run", &file.display().to_string()]);
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert!(
        ran.stdout.contains("FAILED") && ran.stdout.contains("the exit code is 0, not 1"),
        "{}",
        ran.stdout
    );
    assert!(ran.stderr.contains("next: look closer with `dryarc scenario run own"), "{}", ran.stderr);
}

#[test]
fn what_is_no_scenario_says_what_to_do_next() {
    let sandbox = sandbox();
    let file = sandbox.work().join("wrong.yaml");
    std::fs::write(&file, "title: t\nsymptoms: s\n").unwrap();
    let wrong = file.display().to_string();
    for (arguments, code, said, next) in [
        (&["run", "no-such-thing"][..], 3, "no scenario, file or folder", "dryarc scenario list"),
        (&["run", "--tag", "nonsense"], 3, "'nonsense'", "the tags are"),
        (&["run", wrong.as_str()], 2, "line 2", "dryarc scenario schema"),
        (&["run"], 2, "", ""),
        (&["show", "no-such-thing"], 3, "no scenario", "dryarc scenario list"),
    ] {
        let ran = run(&sandbox, arguments);
        assert_eq!(ran.code, code, "{arguments:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(said) && ran.stderr.contains(next), "{arguments:?}: {}", ran.stderr);
    }
}

#[test]
fn what_happened_in_a_world_becomes_a_scenario_that_runs() {
    let sandbox = sandbox();
    let dryarc = |arguments: &[&str]| sandbox.run(arguments).unwrap();
    dryarc(&["up", "--detach", "--clock", "instant"]).ok();
    let none = run(&sandbox, &["new", "--from-journal"]);
    assert_eq!(none.code, 1, "{}", none.stderr);
    assert!(none.stderr.contains("no step of a client") && none.stderr.contains("next: "), "{}", none.stderr);
    let onboard = ["onboard", "-n", "till-1", "-g", "shop", "-l", "westeurope"];
    assert_eq!(dryarc(&onboard).code, 1);
    for namespace in ["Microsoft.Kubernetes", "Microsoft.KubernetesConfiguration"] {
        dryarc(&["provider", "set", namespace, "--state", "Registered"]).ok();
    }
    dryarc(&onboard).ok();
    let file = sandbox.work().join("mine.yaml").display().to_string();
    run(&sandbox, &["new", "--from-journal", "--file", &file]).ok();
    assert_eq!(run(&sandbox, &["new", "--from-journal", "--file", &file]).code, 5);
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(text.contains("connectedk8s connect, at"), "{text}");
    assert!(text.contains("- onboard: {name: till-1, group: shop, location: westeurope}"), "{text}");
    dryarc(&["down"]).ok();
    run(&sandbox, &["run", &file]).ok();
    let told = json(&run(&sandbox, &["bisect-seed", &file, "--seeds", "3", "-o", "json"]).ok().stdout);
    assert_eq!(told["passed"].as_array().unwrap().len(), 3, "{told}");
    sandbox.assert_nothing_left();
}

#[test]
fn a_scenario_that_depends_on_its_seed_is_told_by_seed() {
    let sandbox = sandbox();
    let file = sandbox.work().join("flaky.yaml").display().to_string();
    let text = "title: t\nsymptom: s\ncause: c\nsources: [x]\ntags: [x]\n\
         faults: [{id: at-times, hook: before, match: {facts: {method: PUT, path: '*/resourcegroup/*'}}, effect: reset},\n\
         {id: unlucky, hook: before, match: {facts: {method: PUT, path: '*/resourcegroups/*'}, probability: 0.5}, \
         effect: respond, status: 400, code: Unlucky, message: m}]\n\
         steps: [{group: {}, expect: {armCode: Unlucky}}]\nexpect: {fired: {at-times: 0}}\n\
         remedy: {what: w, steps: [{clear: all}, {group: {}}]}\n";
    std::fs::write(&file, text).unwrap();
    let ran = run(&sandbox, &["bisect-seed", &file, "--from", "1", "--seeds", "12"]);
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert!(
        ran.stdout.contains("smallest seed that fails") && ran.stdout.contains("then they part"),
        "{}",
        ran.stdout
    );
    assert!(ran.stderr.contains("--seed") && ran.stderr.contains("--story"), "{}", ran.stderr);
    // A rule on a route that is not there is warned of when the file is read.
    assert!(
        ran.stderr.contains("warning: flaky: fault rule 'at-times' will probably never fire"),
        "{}",
        ran.stderr
    );
}

#[test]
fn a_report_that_cannot_be_written_is_said_before_anything_runs() {
    let sandbox = sandbox();
    let place = sandbox.work().join("none/report.xml").display().to_string();
    let ran = run(&sandbox, &["run", "unknown-region", "--junit", &place]);
    assert_eq!((ran.code, ran.stdout.as_str()), (1, ""), "{}", ran.stderr);
    assert!(ran.stderr.contains(&place), "{}", ran.stderr);
    let good = sandbox.work().join("report.html");
    run(&sandbox, &["run", "unknown-region", "--html", &good.display().to_string()]).ok();
    assert!(std::fs::metadata(&good).unwrap().len() > 1000);
}
