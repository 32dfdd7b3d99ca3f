//! `dryarc fault`.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use http::Method;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use sim_core::faults::Rule;

use super::output::{Output, show, table};
use super::{CliError, Context, Exit, output};

const COMPARE: &str = "compare it with the examples of `dryarc fault add --help`";

/// The longest rule file that is read, in bytes.
const LARGEST: u64 = 1 << 20;

const ADD_HELP: &str = "\
Examples:
  dryarc fault add rule.yaml
  the first connection to the sign-in host breaks:
    dryarc fault add --rule '{hook: wire, match: {facts: {host: login.microsoftonline.com},
      nth: [1]}, effect: reset}'
  two attempts to connect a cluster are told to come back later:
    dryarc fault add --rule '{hook: before, match: {facts: {method: PUT,
      path: \"*/connectedClusters/*\"}, nth: [1, 2]}, effect: respond, status: 429,
      code: TooManyRequests, message: slow down, retryAfter: 5}'
  a group is made, but the answer is lost:
    dryarc fault add --rule '{hook: after, match: {facts: {method: PUT,
      path: \"*/resourcegroups/*\", route: Microsoft.Resources/*}, nth: [1]}, effect: reset}'
  a cluster's operation ends as failed:
    dryarc fault add --rule '{hook: settle, match: {facts: {operation:
      Microsoft.Kubernetes/connectedClusters/write}}, effect: fail,
      code: InternalServerError, message: it broke}'
  every second connection through the cluster's proxy breaks in the middle:
    dryarc fault add --rule '{hook: wire, match: {facts: {hop: cluster-proxy}, probability: 0.5},
      effect: resetAt, bytes: 4000}'
  an agent's image cannot be pulled:
    dryarc fault add --rule '{hook: kubelet, match: {facts: {action: start,
      container: config-agent}}, effect: fail, code: ImagePullBackOff, message: no such image}'

Hooks, with the facts that `match` can name there (texts compare without case; * at either end stands for anything):
  wire     outside of TLS, at the gateway and at proxies: host, port, method (CONNECT, …), route (routed, allowed,
           forward, intercepted, …), hop (gateway, workstation-proxy, cluster-proxy)
  before   a request arrived, nothing has happened: host, method, path, route, surface, apiVersion, caller
  after    it is done, the answer is about to leave: the same, and status
  settle   a long-running operation ends: operation, resource, id
  kubelet  a container starts or a node reports: action (start, heartbeat), cluster, node, namespace, pod,
           container, image
`match` may also have nth (which matches count), from, until (world time), probability (0 to 1).

Effects:
  delay (millis)   everywhere: first nothing for this long, in world time
  respond (status, code, message, retryAfter)   wire, before, after: this answer instead
  reset, refuse    wire, before, after: the connection breaks; kubelet: the container crashes
  hang             nothing ever comes
  fail (code, message)   settle: the operation fails; kubelet: ErrImagePull, ImagePullBackOff, CrashLoopBackOff,
                   NotReady, or a reason to wait
  stuck            settle, kubelet: it never gets there
On the wire alone, for connections that are let through (bytes are those of the answer, times are the world's):
  resetAt, truncate, stall, halfOpen (bytes)   after so many bytes a reset, an end, silence, or a target that is gone
  cut (millis)     a reset after this long
  slow (millis, jitter, bytesPerSecond)        everything comes late, and only so much of it
  slowClose (millis)   the end comes late";

/// List, add, explain or clear fault rules
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  dryarc fault add --rule '{hook: wire, match: {facts: {host: management.azure.com}, nth: [1]}, effect: reset}'
  dryarc fault add rule.yaml
  dryarc fault list
  dryarc fault explain fault-1
  dryarc fault clear

`dryarc fault add --help` has an example for each place where something can go wrong.")]
pub(super) struct Fault {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List the rules, with how often each matched and fired
    #[command(after_help = "Example:\n  dryarc fault list --output json")]
    List {
        /// The form of the output
        #[arg(long, short, value_enum, default_value = "table", value_name = "FORM")]
        output: Output,
    },
    /// Add a rule, or replace the one of the same id
    #[command(after_help = ADD_HELP)]
    Add {
        /// A file with the rule (YAML or JSON); `-` reads standard input
        #[arg(value_name = "FILE", required_unless_present = "rule", conflicts_with = "rule")]
        file: Option<PathBuf>,
        /// The rule itself (YAML or JSON)
        #[arg(long, value_name = "RULE")]
        rule: Option<String>,
    },
    /// Say why a rule fired or did not: when it fired, when it nearly did, and what kept it from it
    #[command(
        after_help = "Examples:\n  dryarc fault explain fault-1\n  dryarc fault explain fault-1 --output json"
    )]
    Explain {
        /// The rule's id
        #[arg(value_name = "ID")]
        id: String,
        /// The form of the output
        #[arg(long, short, value_enum, default_value = "table", value_name = "FORM")]
        output: Output,
    },
    /// Remove one rule, or all of them
    #[command(after_help = "Examples:\n  dryarc fault clear\n  dryarc fault clear fault-1")]
    Clear {
        /// The rule's id; every rule when left out
        #[arg(value_name = "ID")]
        id: Option<String>,
    },
}

impl Fault {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, CliError> {
        let control = context.control()?;
        match self.command {
            Command::List { output } => {
                let list: Value = control.get("/v1/faults").await?;
                show(output, &list, || people(list.as_array().map_or(&[], Vec::as_slice)))?;
            }
            Command::Add { file, rule } => {
                let text = match (rule, file) {
                    (Some(rule), _) => rule,
                    (None, Some(file)) => read(&file)?,
                    (None, None) => String::new(),
                };
                let rule = parse(&text)?;
                let added: Value = control.send(Method::POST, "/v1/faults", &rule).await?;
                let id = added["id"].as_str().unwrap_or("the rule");
                output::say(&format!("added {id}"));
                for warning in added["warnings"].as_array().into_iter().flatten().filter_map(Value::as_str) {
                    output::say(&doubted(id, warning));
                }
            }
            Command::Explain { id, output } => {
                let told: Value = control.get(&path_of(&id)).await?;
                show(output, &told, || explanation(&told))?;
            }
            Command::Clear { id } => {
                let path = match &id {
                    Some(id) => path_of(id),
                    None => "/v1/faults".into(),
                };
                let answer: Value = control.send(Method::DELETE, &path, &Value::Null).await?;
                let rules = if answer["removed"] == 1 { "rule" } else { "rules" };
                output::say(&format!("removed {} fault {rules}", answer["removed"]));
            }
        }
        Ok(Exit::Ok)
    }
}

/// A warning about a rule that was added.
fn doubted(id: &str, warning: &str) -> String {
    format!(
        "warning: rule '{id}' will probably never fire: {warning}\n  next: add it again with --rule and id: {id}, which \
         replaces it, or see what comes by with `dryarc journal`"
    )
}

/// The rule as it is sent. It is read strictly here, where line and column are known.
fn parse(text: &str) -> Result<Value, CliError> {
    if text.trim().is_empty() {
        return Err(CliError::usage("the rule is empty").next(COMPARE));
    }
    // `y` and `on` are texts here, as in YAML 1.2.
    let options = || serde_saphyr::options! { strict_booleans: true };
    let checked: Result<Rule, _> = serde_saphyr::from_str_with_options(text, options());
    let wrong = |error: serde_saphyr::Error| {
        let error = error.to_string();
        let reason = error.strip_prefix("error: ").unwrap_or(&error).trim_end();
        CliError::usage(format!("this is no fault rule: {reason}")).next(COMPARE)
    };
    checked.map_err(wrong)?;
    serde_saphyr::from_str_with_options(text, options()).map_err(wrong)
}

fn read(file: &Path) -> Result<String, CliError> {
    let failed = |error: std::io::Error| {
        CliError::usage(format!("cannot read {}: {error}", file.display()))
            .next("name a file with a rule, `-` for standard input, or give --rule")
    };
    let mut text = String::new();
    // One byte more than is taken, to tell a file that is too long.
    let (stdin, open);
    let source: &mut dyn std::io::Read = if file == Path::new("-") {
        stdin = std::io::stdin();
        &mut stdin.lock()
    } else {
        open = std::fs::File::open(file).map_err(failed)?;
        &mut &open
    };
    source.take(LARGEST + 1).read_to_string(&mut text).map_err(failed)?;
    if text.len() as u64 > LARGEST {
        return Err(CliError::usage(format!("{} is longer than 1 MiB", file.display()))
            .next("a rule takes a few lines; is this the right file?"));
    }
    Ok(text)
}

fn path_of(id: &str) -> String {
    format!("/v1/faults/{}", utf8_percent_encode(id, NON_ALPHANUMERIC))
}

/// What a rule saw, in words.
fn explanation(told: &Value) -> String {
    let count = |key: &str| told[key].as_u64().unwrap_or_default();
    let text = |key: &str| told[key].as_str().unwrap_or_default();
    let (fired, matched, seen) = (count("fired"), count("matched"), count("seen"));
    let (id, hook, effect) = (text("id"), text("hook"), text("effect"));
    let mut out = format!(
        "{id} ({hook}: {effect}) fired {fired} times; its facts agreed {matched} times, of {seen} occasions at '{hook}'\n"
    );
    let of = |key: &str| told[key].as_array().cloned().unwrap_or_default();
    for one in of("firings") {
        out.push_str(&format!("  fired   {}\n", occasion(&one)));
    }
    for one in of("nearMisses") {
        out.push_str(&format!("  nearly  {}\n", occasion(&one)));
    }
    if seen == 0 {
        out.push_str(&format!("  nothing has come by '{hook}' since it was added\n"));
    } else if fired == 0 && of("nearMisses").is_empty() && told["closest"].is_object() {
        out.push_str(&format!("  closest {}\n", occasion(&told["closest"])));
    }
    out
}

fn occasion(one: &Value) -> String {
    let facts = one["facts"].as_object().cloned().unwrap_or_default();
    let facts: Vec<String> =
        facts.iter().map(|(name, value)| format!("{name}={}", value.as_str().unwrap_or_default())).collect();
    let missed = one["missed"].as_array().cloned().unwrap_or_default();
    let missed: Vec<&str> = missed.iter().filter_map(Value::as_str).collect();
    let but =
        if missed.is_empty() { String::new() } else { format!("\n          but {}", missed.join("; and ")) };
    format!("{}  {}{but}", one["time"].as_str().unwrap_or_default(), facts.join(" "))
}

fn people(list: &[Value]) -> String {
    let row = |one: &Value| {
        let text = |key: &str| one[key].as_str().unwrap_or_default().to_owned();
        let count = |key: &str| one[key].as_u64().unwrap_or_default().to_string();
        vec![text("id"), text("hook"), text("effect"), count("matched"), count("fired"), text("lastMiss")]
    };
    let rows: Vec<Vec<String>> = list.iter().map(row).collect();
    table(&["ID", "HOOK", "EFFECT", "MATCHED", "FIRED", "LAST MISS"], &rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_that_cannot_be_read_says_where_and_only_once() {
        for (text, place) in [
            ("{", ""),
            ("", "empty"),
            ("hook: wire\neffect: reset\nmacht: {}\n", "macht"),
            ("hook: wire\neffect: reset\nmacht: {}\n", "3"),
            ("hook: nowhere\neffect: reset\n", "nowhere"),
            ("hook: wire\neffect: reset\nstatus: 429\n", "'reset' has no 'status'"),
        ] {
            let error = parse(text).unwrap_err();
            let shown = error.to_string();
            assert_eq!(error.exit, Exit::Usage);
            assert_eq!(shown.matches("error:").count(), 1, "{shown}");
            assert!(shown.contains(place) && shown.contains("next: "), "{shown}");
        }
    }

    #[test]
    fn every_example_of_the_help_is_a_rule_and_every_hook_has_one() {
        let rules: Vec<Rule> = ADD_HELP
            .split("dryarc fault add --rule '")
            .skip(1)
            .map(|rest| serde_json::from_value(parse(rest.split('\'').next().unwrap()).unwrap()).unwrap())
            .collect();
        let hooks: Vec<String> = rules.iter().map(|rule| format!("{:?}", rule.hook)).collect();
        assert_eq!(hooks, ["Wire", "Before", "After", "Settle", "Wire", "Kubelet"]);
    }
}
