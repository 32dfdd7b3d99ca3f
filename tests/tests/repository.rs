//! The rules of the repository, as tests.
//!
//! 1. the root holds what it is documented to hold; 2. files stay small; 3. crates and floors import downwards only;
//! 4. time, sleep and unsafe code come from nowhere but where they may; 5. every claim of FIDELITY.md names a test that exists;
//! 6. the product speaks of itself only.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::BTreeSet;

use e2e_tests::repository::{Source, code_only, is_test_code, root, rust_sources, sources};
use e2e_tests::{seen, seen_options};

const ROOT_ENTRIES: &[&str] = &[
    // What the user asked for.
    "Cargo.toml",
    "arc-agent-sim",
    "docker-compose.yml",
    "fixtures",
    "harness",
    "mock-arm",
    "tests",
    // The usual files.
    ".cargo",
    ".ci",
    ".dockerignore",
    ".git",
    ".github",
    ".gitignore",
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "Cargo.lock",
    "FIDELITY.md",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "README.md",
    "SECURITY.md",
    "clippy.toml",
    "deny.toml",
    "rustfmt.toml",
];

/// No file may be longer: a second concept in it wants its own file.
const LINES_LIMIT: usize = 500;

fn offenders(found: impl Iterator<Item = (String, String)>) -> Vec<String> {
    found.map(|(path, what)| format!("{path}: {what}")).collect()
}

fn assert_none(offenders: &[String]) {
    assert!(offenders.is_empty(), "\n{}", offenders.join("\n"));
}

#[test]
fn the_root_holds_only_what_it_is_documented_to_hold() {
    let allowed: BTreeSet<_> = ROOT_ENTRIES.iter().copied().collect();
    let found: BTreeSet<_> =
        root().read_dir().unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    let extra: Vec<_> =
        found.iter().filter(|name| *name != "target" && !allowed.contains(name.as_str())).collect();
    assert!(extra.is_empty(), "not documented: {extra:?}");
    let optional = ["target", ".git", "docker-compose.yml"];
    let missing: Vec<_> =
        allowed.iter().filter(|name| !found.contains(**name) && !optional.contains(name)).collect();
    assert!(missing.is_empty(), "missing: {missing:?}");
}

#[test]
fn files_stay_within_the_limit() {
    let long = rust_sources().into_iter().filter_map(|source| {
        let lines = source.text.lines().count();
        (lines > LINES_LIMIT).then(|| (source.path, format!("{lines} lines, {LINES_LIMIT} allowed")))
    });
    assert_none(&offenders(long));
}

/// Folder, and the workspace packages that it may depend on.
const CRATE_EDGES: &[(&str, &[&str])] = &[
    ("mock-arm/wire", &[]),
    ("mock-arm/sim-core", &[]),
    ("mock-arm", &["arm-wire", "sim-core"]),
    ("arc-agent-sim", &["arm-wire", "sim-core"]),
    ("harness/kube-sim", &["sim-core"]),
    ("harness/fault-proxy", &["sim-core"]),
    ("harness", &["arc-agent-sim", "arm-wire", "fault-proxy", "kube-sim", "mock-arm", "sim-core"]),
];

const PACKAGES: &[&str] =
    &["arm-wire", "sim-core", "mock-arm", "arc-agent-sim", "kube-sim", "fault-proxy", "harness", "e2e-tests"];

#[test]
fn crates_depend_downwards_only() {
    let mut wrong = Vec::new();
    for (folder, allowed) in CRATE_EDGES {
        let manifest = std::fs::read_to_string(root().join(folder).join("Cargo.toml")).unwrap();
        for package in PACKAGES.iter().filter(|package| !allowed.contains(package)) {
            // A test that brings its own runner says `harness = false`, which is no dependency.
            let depends = manifest.lines().filter(|line| *line != "harness = false").any(|line| {
                line.strip_prefix(package)
                    .is_some_and(|rest| rest.starts_with('.') || rest.trim_start().starts_with('='))
            });
            if depends {
                wrong.push(format!("{folder} depends on {package}"));
            }
        }
    }
    assert_none(&wrong);
}

/// Folder under `mock-arm/src`, and the modules of the same crate that it may not name.
const FLOORS: &[(&str, &[&str])] = &[
    ("store/", &["lro", "providers", "surfaces", "front", "admin", "server"]),
    ("lro/", &["providers", "surfaces", "front", "admin", "server"]),
    ("providers/", &["surfaces", "front", "admin", "server"]),
    ("surfaces/", &["front", "admin", "server"]),
    ("front/", &["admin", "server"]),
    ("admin/", &["front", "server"]),
];

#[test]
fn floors_of_the_cloud_import_downwards_only() {
    let mut wrong = Vec::new();
    for source in rust_sources() {
        let Some(inner) = source.path.strip_prefix("mock-arm/src/") else { continue };
        let code = code_only(&source.text);
        for (folder, forbidden) in FLOORS {
            if !inner.starts_with(folder) && inner != format!("{}.rs", folder.trim_end_matches('/')) {
                continue;
            }
            for module in forbidden.iter().filter(|module| code.contains(&format!("crate::{module}::"))) {
                wrong.push(format!("{} names {module}", source.path));
            }
        }
        let knows_http =
            ["front", "admin", "server", "surfaces", "main"].iter().any(|top| inner.starts_with(top));
        if !knows_http && (code.contains("axum::") || code.contains("http::") || code.contains("hyper::")) {
            wrong.push(format!("{} knows HTTP", source.path));
        }
    }
    assert_none(&wrong);
}

/// Folder under `harness/src`, and the modules of the same crate that it may not name.
const HARNESS_FLOORS: &[(&str, &[&str])] = &[
    ("state/", &["cli", "world", "clusters", "driver", "quickstart", "control"]),
    ("driver/", &["cli", "world", "clusters", "quickstart", "control", "state"]),
    ("clusters/", &["cli", "world", "quickstart", "control"]),
    ("world/", &["cli", "quickstart", "scenario"]),
    ("scenario/", &["cli", "control", "quickstart"]),
];

#[test]
fn floors_of_the_harness_import_downwards_only() {
    let mut wrong = Vec::new();
    for source in rust_sources() {
        let Some(inner) = source.path.strip_prefix("harness/src/") else { continue };
        let code = code_only(&source.text);
        for (_, forbidden) in HARNESS_FLOORS.iter().filter(|(folder, _)| inner.starts_with(folder)) {
            for module in forbidden.iter().filter(|module| code.contains(&format!("crate::{module}::"))) {
                wrong.push(format!("{} names {module}", source.path));
            }
        }
    }
    assert_none(&wrong);
}

#[test]
fn the_wire_types_know_no_runtime_and_no_clock() {
    let wrong = rust_sources()
        .into_iter()
        .filter(|source| source.path.starts_with("mock-arm/wire/"))
        .flat_map(|source| {
            let code = code_only(&source.text);
            ["tokio::", "axum::", "sim_core::", "std::time"]
                .into_iter()
                .filter(move |name| code.contains(name))
                .map(move |name| (source.path.clone(), name.to_owned()))
                .collect::<Vec<_>>()
        });
    assert_none(&offenders(wrong));
}

fn mentions(source: &Source, words: &[&str]) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for (number, line) in source.text.lines().enumerate() {
        for word in words.iter().filter(|word| line.contains(**word)) {
            found.push((format!("{}:{}", source.path, number + 1), (*word).to_owned()));
        }
    }
    found
}

#[test]
fn nobody_sleeps_but_on_the_clock() {
    // Put together here, so that this list does not find itself.
    let words: Vec<String> =
        [("thread", "sleep("), ("tokio::time", "sleep("), ("SystemTime", "now("), ("Timestamp", "now(")]
            .iter()
            .map(|(module, call)| format!("{module}::{call}"))
            .collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let found = rust_sources()
        .into_iter()
        .filter(|source| !source.path.starts_with("mock-arm/sim-core/src/clock/"))
        .flat_map(|source| mentions(&source, &words));
    assert_none(&offenders(found));
}

#[test]
fn outside_of_tests_nothing_unwraps() {
    let found = rust_sources().into_iter().filter(|source| !is_test_code(&source.path)).flat_map(|source| {
        let code = Source { text: code_only(&source.text), path: source.path };
        mentions(&code, &[".unwrap()", "panic!(", "unreachable!("])
    });
    assert_none(&offenders(found));
}

#[test]
fn every_crate_forbids_unsafe_code_through_the_workspace_lints() {
    let workspace = std::fs::read_to_string(root().join("Cargo.toml")).unwrap();
    assert!(workspace.contains("unsafe_code = \"forbid\""));
    for (folder, _) in CRATE_EDGES {
        let manifest = std::fs::read_to_string(root().join(folder).join("Cargo.toml")).unwrap();
        assert!(manifest.contains("[lints]\nworkspace = true"), "{folder} does not take the workspace lints");
    }
}

#[test]
fn one_crypto_provider_is_in_the_lock_file_of_what_is_built() {
    let workspace = std::fs::read_to_string(root().join("deny.toml")).unwrap();
    for banned in ["ring", "openssl", "native-tls", "rsa"] {
        assert!(workspace.contains(&format!("name = \"{banned}\"")), "{banned} is not banned");
    }
    let lock = std::fs::read_to_string(root().join("Cargo.lock")).unwrap();
    for banned in ["openssl", "native-tls", "rsa", "reqwest", "serde_yaml"] {
        assert!(!lock.contains(&format!("name = \"{banned}\"\n")), "{banned} is in Cargo.lock");
    }
}

/// The claims of FIDELITY.md: rows `| claim | test |`.
fn claims() -> Vec<(String, String)> {
    let text = std::fs::read_to_string(root().join("FIDELITY.md")).unwrap();
    let cells = |line: &str| -> Vec<String> {
        line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect()
    };
    text.lines()
        .filter(|line| line.starts_with("| ") && !line.starts_with("| ---"))
        .map(cells)
        .filter(|cells| cells.len() >= 2 && cells[1] != "proof")
        .map(|cells| (cells[0].clone(), cells[1].clone()))
        .collect()
}

#[test]
fn every_claim_of_fidelity_names_a_test_that_exists_or_says_not_modelled() {
    let all = sources();
    let names: String =
        rust_sources().iter().map(|source| source.text.as_str()).collect::<Vec<_>>().join("\n");
    let claims = claims();
    assert!(claims.len() > 20, "only {} claims found", claims.len());
    let mut wrong = Vec::new();
    for (claim, proof) in claims {
        if proof == "not modelled" || proof == "differs" {
            continue;
        }
        for name in proof.split(',').map(|name| name.trim().trim_matches('`')) {
            let known = match name.strip_suffix(".transcript") {
                Some(_) => all.iter().any(|source| source.path.ends_with(name)),
                None => names.contains(&format!("fn {}(", name.rsplit("::").next().unwrap_or(name))),
            };
            if !known {
                wrong.push(format!("{claim}: no test {name}"));
            }
        }
    }
    assert_none(&wrong);
}

#[test]
fn the_tables_of_what_was_seen_are_those_that_the_recordings_make() {
    let tables = [("TABLE.md", seen::table()), ("CONNECTEDK8S.md", seen_options::table())];
    for (name, table) in tables {
        seen_options::up_to_date(name, &table.unwrap()).unwrap();
    }
}

#[test]
fn the_product_speaks_of_itself_only() {
    let words: Vec<String> =
        [("/wo", "rk/"), ("/ro", "ot/"), ("/fa", "rm/"), ("bash", "_jobs"), ("TO", "DO"), ("FIX", "ME")]
            .iter()
            .map(|(a, b)| format!("{a}{b}"))
            .collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let found = sources().into_iter().flat_map(|source| mentions(&source, &words));
    assert_none(&offenders(found));
}
