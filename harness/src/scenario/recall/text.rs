//! The text of a scenario file.

use serde_json::{Map, Value, json};

use super::Source;
use super::done::{Action, Body, Done};
use super::end::End;
use super::flow::{flow, text};
use super::rules::named;

const NEEDED: [&str; 2] = ["Microsoft.Kubernetes", "Microsoft.KubernetesConfiguration"];
/// How long a registration is waited for by who waits.
const REGISTERING: &str = "10m";

/// The whole text. `failed` is the last step that failed.
pub(super) fn of(source: &Source, done: &[Done], failed: usize) -> String {
    let (Some(last), begun) = (done.get(failed), super::begun(&source.events)) else { return String::new() };
    let mut out = head(source, last);
    let mut world = Map::new();
    world.insert("seed".into(), source.seed.into());
    if let Some(begun) = begun {
        world.insert("start".into(), begun.to_string().into());
    }
    world.insert("registered".into(), registered(source, done).into());
    out.push_str(&format!("world: {}\n", flow(&Value::Object(world))));
    if source.proxies {
        out.push_str("# A customer's proxy was in that world: write it under 'network' (workstationProxy, clusterProxy).\n");
    }
    let first = done.iter().position(|one| one.action.is_of_client()).unwrap_or_default();
    let (from_start, first_act) = done[..=failed].split_at(first);
    let (rules, before): (Vec<&Done>, Vec<&Done>) =
        from_start.iter().partition(|one| matches!(one.action, Action::Fault { .. }));
    out.push_str(&faults(source, &rules));
    out.push_str("steps:\n");
    let acts = Acts { source, done };
    for one in before.into_iter().chain(first_act) {
        out.push_str(&acts.step(one, "  "));
    }
    out.push_str(&acts.remedy(failed));
    out
}

/// Whether the providers that onboarding needs were registered from the start: by the first that changed it, or else by how they
/// are now.
fn registered(source: &Source, done: &[Done]) -> bool {
    let needed = |namespace: &str| NEEDED.iter().any(|needed| needed.eq_ignore_ascii_case(namespace));
    let first = done.iter().find_map(|one| match &one.action {
        Action::Register { namespace, .. } => needed(namespace).then_some(false),
        Action::Provider(facts) => {
            let state =
                facts["state"].as_str().filter(|_| facts["namespace"].as_str().is_some_and(needed))?;
            Some(state != "Registered")
        }
        _ => None,
    });
    first.unwrap_or(source.registered)
}

fn head(source: &Source, failed: &Done) -> String {
    let (first, last) = (source.events.first(), source.events.last());
    let moment = |event: Option<&sim_core::journal::Event>| {
        event.map_or_else(String::new, |event| event.time.strftime("%FT%TZ").to_string())
    };
    let (from, to) = (moment(first), moment(last));
    let mut out = format!(
        "# What happened in world '{}' from {from} to {to} of its time, as {} events of its journal tell it.\n\
         # A comment says where something had to be assumed. What kubectl did in the cluster is not in it, nor what commands\n\
         # printed. Read it, put it right, and run it: dryarc scenario run FILE\n",
        source.world,
        source.events.len()
    );
    if first.is_some_and(|event| event.seq > 1) {
        out.push_str(
            "# The journal does not go back to the begin of that world: steps before are missing.\n",
        );
    }
    let what = what(failed);
    let why = why(&failed.end);
    let struck = struck(source);
    let cause = match struck.as_slice() {
        [] => "Not known yet; the journal shows no fault rule that struck.".to_owned(),
        ids => format!("The fault rules that struck: {}.", ids.join(", ")),
    };
    for (name, value, hint) in [
        ("title", format!("{what} fails{why}"), ""),
        ("symptom", format!("{what} fails{why}"), "   # say it as users do"),
        ("cause", cause, "   # say why"),
    ] {
        out.push_str(&format!("{name}: {}{hint}\n", text(&value)));
    }
    let origin = format!("the journal of world '{}', seed {}", source.world, source.seed);
    out.push_str(&format!("sources: [{}]   # name the report or document that it models\n", text(&origin)));
    out.push_str("tags: [from-journal]\n");
    out
}

/// Ids of the rules that struck.
fn struck(source: &Source) -> Vec<String> {
    let mut ids: Vec<String> = Vec::new();
    for event in source.events.iter().filter(|event| event.actor == "faults" && event.kind == "fault") {
        let id = super::fact(event, "rule");
        if !ids.iter().any(|known| known == id) {
            ids.push(id.to_owned());
        }
    }
    ids
}

fn what(done: &Done) -> String {
    match &done.action {
        Action::Register { namespace, .. } => format!("Registering {namespace}"),
        Action::Group { name, delete: true, .. } => format!("Deleting group {name}"),
        Action::Group { name, .. } => format!("Creating group {name}"),
        Action::Connect { .. } => "Connecting the cluster".into(),
        Action::Disconnect { .. } => "Disconnecting the cluster".into(),
        Action::Call { method, path, .. } => {
            let last: Vec<&str> = path.rsplit('/').take(2).collect();
            format!("{method} …/{}", last.into_iter().rev().collect::<Vec<_>>().join("/"))
        }
        _ => "A step".into(),
    }
}

fn why(end: &End) -> String {
    match end {
        End::Failed { code: Some(code), .. } => format!(" with {code}"),
        End::Failed { status: Some(status), .. } => format!(" with HTTP status {status}"),
        End::Unclear(why) => format!(" ({why})"),
        End::Failed { .. } | End::Done => String::new(),
    }
}

/// The rules from the start: those that were added before anybody did anything, and those that the world began with.
fn faults(source: &Source, added: &[&Done]) -> String {
    let mut out = String::new();
    let known = |id: &str| {
        source.events.iter().any(|event| event.kind == "fault-added" && super::fact(event, "rule") == id)
    };
    for one in added {
        if let Action::Fault { rule, fired, .. } = &one.action
            && *fired > 0
            && !rule.is_null()
        {
            out.push_str(&format!("  - {}   # fired {fired} times\n", flow(rule)));
        }
    }
    for status in source.rules.iter().filter(|status| status.fired > 0 && !known(&status.rule.id)) {
        let rule = serde_json::to_value(&status.rule).ok();
        let fired = status.fired;
        out.push_str(&format!(
            "  - {}   # fired {fired} times\n",
            flow(&named(rule.as_ref(), &status.rule.id))
        ));
    }
    if out.is_empty() { out } else { format!("faults:\n{out}") }
}

struct Acts<'a> {
    source: &'a Source,
    done: &'a [Done],
}

impl Acts<'_> {
    /// A step, with its expectation when it failed.
    fn step(&self, done: &Done, indent: &str) -> String {
        let Some((action, value, note)) = self.action(&done.action) else {
            return match &done.action {
                Action::Fault { id, .. } => {
                    format!("{indent}# Rule '{id}' was added here, and never fired.\n")
                }
                Action::Call { method, path, version, .. } => format!(
                    "{indent}# - arm: {{method: {method}, path: {}, version: {}, body: {{}}}}   # the journal holds no bodies: \
                     write it, and take the first # away\n",
                    text(&self.filled(path)),
                    text(version)
                ),
                _ => String::new(),
            };
        };
        let by = match done.command.as_str() {
            "" => String::new(),
            command => format!("   # {command}, at {}", done.at.strftime("%FT%TZ")),
        };
        let mut out = format!("{indent}- {action}: {}{by}\n", flow(&value));
        for line in note.into_iter().chain(unclear(&done.end)) {
            out.push_str(&format!("{indent}  # {line}\n"));
        }
        if let Some(expect) = expected(done) {
            out.push_str(&format!("{indent}  expect: {}\n", flow(&expect)));
        }
        out
    }

    /// Name and members of a step's action, and what had to be assumed.
    fn action(&self, action: &Action) -> Option<(&'static str, Value, Option<&'static str>)> {
        const ASSUMED: &str = "the journal does not tell the region: this one is assumed";
        Some(match action {
            Action::Register { namespace, waits } => {
                let within = if *waits { json!(REGISTERING) } else { Value::Null };
                ("register", json!({ "namespaces": [namespace], "within": within }), None)
            }
            Action::Group { name, delete: true, .. } => {
                ("group", json!({ "name": name, "delete": true }), None)
            }
            Action::Group { name, location, .. } => {
                let note = location.is_none().then_some(ASSUMED);
                let location = location.as_deref().unwrap_or(super::super::step::LOCATION);
                ("group", json!({ "name": name, "location": location }), note)
            }
            Action::Connect { cluster: Some([name, group]), location } => {
                let note = location.is_none().then_some(ASSUMED);
                let location = location.as_deref().unwrap_or(super::super::step::LOCATION);
                ("onboard", json!({ "name": name, "group": group, "location": location }), note)
            }
            Action::Connect { cluster: None, .. } => (
                "onboard",
                json!({}),
                Some("it ended before it named a cluster: name, group and region are assumed"),
            ),
            Action::Disconnect { cluster: Some([name, group]) } => {
                ("offboard", json!({ "name": name, "group": group }), None)
            }
            Action::Disconnect { cluster: None } => (
                "offboard",
                json!({}),
                Some("it ended before it named a cluster: name and group are assumed"),
            ),
            Action::Call { body: Body::Unknown, .. } => return None,
            Action::Call { method, path, version, waits, body } => {
                let mut call = json!({ "method": method, "path": self.filled(path), "version": version });
                if *body == Body::Unread {
                    call["body"] = json!({});
                }
                if *waits {
                    call["wait"] = true.into();
                }
                let note = "nobody read its body; write it for the remedy";
                ("arm", call, (*body == Body::Unread).then_some(note))
            }
            Action::Fault { rule, fired, .. } if *fired > 0 && !rule.is_null() => {
                ("fault", rule.clone(), None)
            }
            Action::Fault { .. } => return None,
            Action::Clear { id } => ("clear", json!(id), None),
            Action::Provider(facts) => {
                let mut set = json!({ "namespace": facts["namespace"] });
                if let Some(seconds) = facts["delaySeconds"].as_u64() {
                    set["delay"] = format!("{seconds}s").into();
                }
                if facts["state"].is_string() {
                    set["state"] = facts["state"].clone();
                }
                ("provider", set, Some("how registering ends ('outcome') is not in the journal"))
            }
            Action::Advance { seconds } => ("advance", json!(format!("{seconds}s")), None),
        })
    }

    /// The second act: what came after the failure, or else the same again.
    fn remedy(&self, failed: usize) -> String {
        let after = &self.done[failed + 1..];
        let mut out = String::from("remedy:\n");
        if after.iter().any(|one| one.action.is_of_client()) {
            out.push_str("  what: As was done then.   # say what makes it work\n  steps:\n");
            for one in after {
                out.push_str(&self.step(one, "    "));
            }
            return out;
        }
        out.push_str("  what: Not known yet.   # say what makes it work\n  steps:\n");
        out.push_str("    # The journal ends with the failure. Assumed: nothing goes wrong any more, and the same is done again.\n");
        for id in self.active(failed) {
            out.push_str(&format!("    - clear: {}\n", text(&id)));
        }
        let again = Done { end: End::Done, command: String::new(), ..self.done[failed].clone() };
        out.push_str(&self.step(&again, "    "));
        out
    }

    /// Rules that fired and are still there after a step.
    fn active(&self, failed: usize) -> Vec<String> {
        let mut ids: Vec<String> = Vec::new();
        let given = self.source.rules.iter().filter(|status| status.fired > 0).map(|status| &status.rule.id);
        let known = |id: &String| {
            self.done.iter().any(|one| matches!(&one.action, Action::Fault { id: own, .. } if own == id))
        };
        ids.extend(given.filter(|id| !known(id)).cloned());
        for one in &self.done[..=failed] {
            match &one.action {
                Action::Fault { id, fired, rule } if *fired > 0 && !rule.is_null() => ids.push(id.clone()),
                Action::Clear { id } => ids.retain(|known| known != id),
                _ => {}
            }
        }
        ids
    }

    /// Ids of the world as the names that stand for them.
    fn filled(&self, path: &str) -> String {
        path.replace(&self.source.subscription, "{subscription}").replace(&self.source.tenant, "{tenant}")
    }
}

fn unclear(end: &End) -> Option<&'static str> {
    match end {
        End::Unclear(_) => Some("the journal does not tell how it ended; a failure is assumed"),
        _ => None,
    }
}

/// What is expected of a step that failed.
fn expected(done: &Done) -> Option<Value> {
    let (status, code) = match &done.end {
        End::Done => return None,
        End::Unclear(_) => return done.action.is_of_client().then(|| json!({ "exit": 1 })),
        End::Failed { status, code } => (status, code),
    };
    let mut expect = Map::new();
    if let Some(status) = status
        && matches!(done.action, Action::Call { .. })
    {
        expect.insert("status".into(), (*status).into());
    }
    if let Some(code) = code {
        expect.insert("armCode".into(), code.as_str().into());
    }
    if expect.is_empty() {
        expect.insert("exit".into(), 1.into());
    }
    Some(Value::Object(expect))
}
