//! Customers' proxies as users meet them: alone, before a workstation, and beside a cluster whose own way out is closed.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Stdio};

use e2e_tests::command::{Ran, Sandbox};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

fn sandbox() -> Sandbox {
    Sandbox::new(PathBuf::from(env!("CARGO_BIN_EXE_dryarc-under-test"))).unwrap()
}

fn run(sandbox: &Sandbox, arguments: &[&str]) -> Ran {
    sandbox.run(arguments).unwrap()
}

/// Writes a proxy's file.
fn file(sandbox: &Sandbox, name: &str, text: &str) -> String {
    let path = sandbox.work().join(name);
    std::fs::write(&path, text).unwrap();
    path.display().to_string()
}

fn json(ran: Ran) -> Value {
    serde_json::from_str(&ran.ok().stdout).unwrap()
}

struct Alone(Child, Value);

fn alone(sandbox: &Sandbox, arguments: &[&str]) -> Alone {
    let mut command = sandbox.prepare(["fault-proxy"].iter().chain(arguments));
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    Alone(child, serde_json::from_str(&line).unwrap())
}

#[test]
fn a_proxy_alone_says_where_it_is_behaves_as_its_file_says_and_ends_when_asked() {
    let sandbox = sandbox();
    let yaml = "deny: ['*.example']\nauth: {users: {arc: secret}}\n";
    let config = file(&sandbox, "proxy.yaml", yaml);
    let ca = sandbox.work().join("ca.pem").display().to_string();
    let Alone(mut child, ready) =
        alone(&sandbox, &["--config", &config, "--https-listen", "127.0.0.1:0", "--ca-out", &ca]);
    assert!(ready["https"].as_str().unwrap().starts_with("https://127.0.0.1:"), "{ready}");
    assert!(std::fs::read_to_string(&ca).unwrap().starts_with("-----BEGIN CERTIFICATE-----"));
    let target = TcpListener::bind("127.0.0.1:0").unwrap();
    let place = target.local_addr().unwrap();
    let at = ready["http"].as_str().unwrap().strip_prefix("http://").unwrap().to_owned();
    let ask = |host: &str, more: &str| {
        let mut stream = TcpStream::connect(&at).unwrap();
        write!(stream, "CONNECT {host} HTTP/1.0\r\n{more}\r\n").unwrap();
        let mut status = String::new();
        BufReader::new(&stream).read_line(&mut status).unwrap();
        (status, stream)
    };
    let who = "Proxy-Authorization: Basic YXJjOnNlY3JldA==\r\n";
    assert!(ask(&place.to_string(), "").0.contains(" 407 "));
    assert!(ask("a.example:443", who).0.contains(" 403 "));
    let (status, mut stream) = ask(&place.to_string(), who);
    assert!(status.contains(" 200 "), "{status}");
    let (mut served, _) = target.accept().unwrap();
    stream.write_all(b"hi").unwrap();
    let mut heard = [0u8; 2];
    served.read_exact(&mut heard).unwrap();
    assert_eq!(&heard, b"hi");
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(143));
}

#[test]
fn a_proxys_file_that_is_wrong_is_refused_with_its_place_and_a_taken_port_too() {
    let sandbox = sandbox();
    let wrong = file(&sandbox, "wrong.yaml", "listen: 127.0.0.1:0\nlimits:\n  conections: 7\n");
    for arguments in [
        &["fault-proxy", "--check", "--config", &wrong][..],
        &["up", "--detach", "--cluster-proxy", &wrong],
        &["up", "--detach", "--workstation-proxy", &wrong],
    ] {
        let ran = run(&sandbox, arguments);
        assert_eq!(ran.code, 2, "{}", ran.stderr);
        for word in ["conections", "wrong.yaml", "3", "next: "] {
            assert!(ran.stderr.contains(word), "{word}: {}", ran.stderr);
        }
    }
    let right = file(&sandbox, "right.yaml", "auth: {users: {a: b}}");
    run(&sandbox, &["fault-proxy", "--check", "--config", &right]).ok();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().to_string();
    let ran = run(&sandbox, &["fault-proxy", "--listen", &port]);
    assert!(ran.code == 1 && ran.stderr.contains("next: "), "{}", ran.stderr);
    assert_eq!(run(&sandbox, &["up", "--cluster-egress", "ajar"]).code, 2);
}

/// A world whose namespaces are registered.
fn up(sandbox: &Sandbox, arguments: &[&str]) {
    run(sandbox, &[&["up", "--detach", "--clock", "instant"], arguments].concat()).ok();
    for namespace in ["Microsoft.Kubernetes", "Microsoft.KubernetesConfiguration"] {
        run(sandbox, &["provider", "set", namespace, "--state", "Registered"]).ok();
    }
}

const ONBOARD: [&str; 8] =
    ["onboard", "--name", "c", "--resource-group", "g", "--location", "eastus", "--onboarding-timeout"];

/// Removes what a connect left that went wrong, if it came so far as to leave something.
fn offboard(sandbox: &Sandbox) {
    let ran = run(sandbox, &["offboard", "--name", "c", "--resource-group", "g", "--yes"]);
    assert!([0, 3].contains(&ran.code), "{}", ran.stderr);
}

#[test]
fn agents_whose_own_way_is_closed_connect_by_the_flags_of_the_page_only() {
    let sandbox = sandbox();
    let config = file(&sandbox, "proxy.yaml", "");
    up(&sandbox, &["--cluster-proxy", &config, "--cluster-egress", "refused"]);
    let status = json(run(&sandbox, &["status", "-o", "json"]));
    let proxy = format!("http://{}", status["proxies"][0]["http"].as_str().unwrap());
    let without = run(&sandbox, &[&ONBOARD[..], &["600"]].concat());
    assert_eq!(without.code, 1, "{}", without.stderr);
    assert!(without.stderr.contains("AZK8S0306"), "{}", without.stderr);
    offboard(&sandbox);
    let mut by_proxy = [&ONBOARD[..], &["600", "--proxy-https", &proxy, "--proxy-http", &proxy]].concat();
    // The API server's own address goes by the proxy as well, which cannot reach it.
    let unskipped = run(&sandbox, &by_proxy);
    assert_eq!(unskipped.code, 1, "{}", unskipped.stderr);
    offboard(&sandbox);
    by_proxy.extend(["--proxy-skip-range", "10.96.0.0/16,kubernetes.default.svc,.svc.cluster.local,.svc"]);
    run(&sandbox, &by_proxy).ok();
    run(&sandbox, &["clock", "advance", "6m"]).ok();
    let listed = json(run(&sandbox, &["list", "-o", "json"]));
    assert_eq!(listed[0]["connectivityStatus"], "Connected", "{listed}");
    let journal = run(&sandbox, &["journal", "-o", "json"]).ok().stdout;
    assert!(journal.contains("cluster-proxy") && journal.contains("gbl.his.arc.azure.com"), "{journal}");
    run(&sandbox, &["down"]).ok();
    sandbox.assert_nothing_left();
}

#[test]
fn an_intercepting_proxy_of_agents_needs_its_certificate_and_rules_strike_at_it() {
    let sandbox = sandbox();
    let config = file(&sandbox, "proxy.yaml", "intercept: {}");
    up(&sandbox, &["--cluster-proxy", &config, "--cluster-egress", "dropped"]);
    let facts = json(run(&sandbox, &["status", "-o", "json"]));
    let proxy = format!("http://{}", facts["proxies"][0]["http"].as_str().unwrap());
    let skip = "10.96.0.0/16,kubernetes.default.svc,.svc.cluster.local,.svc";
    let by_proxy =
        [&ONBOARD[..], &["600", "--proxy-https", &proxy, "--proxy-http", &proxy, "--proxy-skip-range", skip]]
            .concat();
    let untrusted = run(&sandbox, &by_proxy);
    assert_eq!(untrusted.code, 1, "{}", untrusted.stderr);
    assert!(untrusted.stderr.contains("AZK8S0306"), "{}", untrusted.stderr);
    offboard(&sandbox);
    let shown = run(&sandbox, &["exec", "--", "sh", "-c", "echo $DRYARC_CLUSTER_PROXY_CA"]).ok().stdout;
    run(&sandbox, &[&by_proxy[..], &["--proxy-cert", shown.trim()]].concat()).ok();
    let rule = "{hook: wire, match: {facts: {hop: cluster-proxy}}, effect: respond, status: 503, \
                code: Busy, message: later}";
    run(&sandbox, &["clock", "advance", "6m"]).ok();
    run(&sandbox, &["fault", "add", "--rule", rule]).ok();
    run(&sandbox, &["clock", "advance", "20m"]).ok();
    let listed = json(run(&sandbox, &["list", "-o", "json"]));
    assert_eq!(listed[0]["connectivityStatus"], "Offline", "{listed}");
    let rules = json(run(&sandbox, &["fault", "list", "-o", "json"]));
    assert!(rules[0]["fired"].as_u64().unwrap() > 0, "{rules}");
    run(&sandbox, &["down"]).ok();
}

#[test]
fn a_workstation_behind_a_proxy_needs_its_password_and_its_certificate() {
    let sandbox = sandbox();
    let config = file(&sandbox, "proxy.yaml", "{auth: {users: {arc: secret}}, intercept: {}}");
    up(&sandbox, &["--workstation-proxy", &config]);
    let program = sandbox.program().display().to_string();
    let list = |before: &str| {
        let script = format!("{before} '{program}' list -o json");
        run(&sandbox, &["exec", "--", "sh", "-c", &script])
    };
    let asked = run(&sandbox, &["list"]);
    assert!(asked.code == 1 && asked.stderr.contains("407"), "{}", asked.stderr);
    let password = "HTTPS_PROXY=http://arc:secret@${HTTPS_PROXY#http://}";
    let untrusted = list(password);
    assert!(untrusted.code == 1 && untrusted.stderr.contains("UnknownIssuer"), "{}", untrusted.stderr);
    let trusted = list(&format!("{password} SSL_CERT_FILE=$DRYARC_WORKSTATION_PROXY_BUNDLE"));
    assert_eq!(json(trusted), serde_json::json!([]));
    run(&sandbox, &["down"]).ok();
}
