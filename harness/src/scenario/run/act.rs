//! Performing one step, as its user would.

use std::time::Duration;

use http::Method;
use serde_json::{Value, json};
use sim_core::clock::later;
use sim_core::net::Net;

use super::super::driver::Driver;
use super::super::model::Span;
use super::super::step::{ArmCall, Group, Offboard, Onboard, Provider, Register, Step, Wait};
use super::kubeconfig::kubeconfig;
use super::outcome::Outcome;
use super::reference::Reference;
use super::registration;
use super::theatre::Theatre;
use crate::driver::{Azure, AzureError, OffboardOptions, OnboardOptions};

/// How often something is looked at that is waited for.
const LOOK: Duration = Duration::from_secs(10);
const PODS: &str = "/api/v1/namespaces/azure-arc/pods";

/// Performs a step, for as long as its user waits.
pub(super) async fn perform(theatre: &Theatre, step: &Step) -> Outcome {
    let work = Box::pin(action(theatre, step));
    let mut outcome = match step.limit {
        None => work.await,
        Some(Span(limit)) => {
            tokio::select! {
                biased;
                outcome = work => outcome,
                _ = theatre.clock.sleep(limit) => {
                    let text = format!("given up after {}: it had not ended", crate::span::format(limit));
                    Outcome::failed(124, text)
                }
            }
        }
    };
    outcome.said.extend(theatre.take_said());
    outcome
}

async fn action(theatre: &Theatre, step: &Step) -> Outcome {
    if let Some(clients) = &theatre.clients {
        if let Some(outcome) = Box::pin(super::shell::perform(theatre, clients, step)).await {
            return outcome;
        }
        if theatre.driver == Driver::Az
            && let Some(outcome) = Box::pin(super::az::perform(theatre, clients, step)).await
        {
            return outcome;
        }
    }
    let net = match theatre.net(step.environment.as_ref()) {
        Ok(net) => net,
        Err(reason) => return Outcome::failed(2, reason),
    };
    let azure = match theatre.azure(&net, step.who.as_ref()) {
        Ok(azure) => azure,
        Err(reason) => return Outcome::failed(2, reason),
    };
    let done = match step {
        Step { register: Some(register), .. } => return registering(theatre, &azure, register).await,
        Step { onboard: Some(onboard), .. } => return connect(theatre, &net, azure, onboard).await,
        Step { offboard: Some(offboard), .. } => return disconnect(theatre, &net, azure, offboard).await,
        Step { arm: Some(call), .. } => return rest(theatre, &azure, call).await,
        Step { group: Some(one), .. } => {
            return group(&azure, one)
                .await
                .map_or_else(|error| Outcome::azure(&error), |()| Outcome::done());
        }
        Step { provider: Some(provider), .. } => set_provider(theatre, provider).await,
        Step { apply: Some(objects), .. } => apply(theatre, objects).await,
        Step { remove: Some(objects), .. } => remove(theatre, objects).await,
        Step { patch: Some(patch), .. } => match Reference::parse(&patch.object) {
            Ok(reference) => {
                let patched = theatre.cluster.merge_object(&reference.object(), &patch.merge).await;
                patched.map_err(|error| format!("{} cannot be patched: {error}", patch.object))
            }
            Err(reason) => Err(reason),
        },
        Step { restart: Some(names), .. } => restart(theatre, names).await,
        Step { advance: Some(Span(span)), .. } => {
            theatre.clock.foreground_sleep(*span).await;
            Ok(())
        }
        Step { wait: Some(wait), .. } => until(theatre, wait).await,
        Step { fault: Some(rule), .. } => {
            theatre.world.faults().add(rule.clone());
            Ok(())
        }
        Step { clear: Some(id), .. } => match theatre.world.faults().clear((id != "all").then_some(id)) {
            0 => Err(format!("there is no rule '{id}' to clear")),
            _ => Ok(()),
        },
        _ => Err("the step does nothing".into()),
    };
    done.map_or_else(|reason| Outcome::failed(1, reason), |()| Outcome::done())
}

/// `az provider register --wait` for all of them together.
async fn registering(theatre: &Theatre, azure: &Azure, register: &Register) -> Outcome {
    if register.call {
        for namespace in &register.namespaces {
            if let Err(error) = azure.register(namespace).await {
                return Outcome::azure(&error);
            }
        }
    }
    let look = async |namespace: &str| {
        let provider = azure.provider(namespace).await.map_err(|error| Outcome::azure(&error))?;
        Ok(provider["registrationState"].as_str().unwrap_or("unknown").to_owned())
    };
    registration::watch(&theatre.clock, register, look, async |_| azure.registration_pause().await).await
}

async fn connect(theatre: &Theatre, net: &Net, azure: Azure, onboard: &Onboard) -> Outcome {
    let kubeconfig = match kubeconfig(theatre, onboard.kubeconfig.as_ref()).await {
        Ok(text) => text,
        Err(reason) => return Outcome::failed(2, reason),
    };
    let driver = match theatre.driver(net, azure, &kubeconfig) {
        Ok(driver) => driver,
        Err(reason) => return Outcome::failed(2, reason),
    };
    let mut options = OnboardOptions::new(&onboard.name, &onboard.group);
    options.location.clone_from(&onboard.location);
    options.no_wait = onboard.no_wait;
    options.checks = onboard.checks;
    if let Some(Span(timeout)) = onboard.timeout {
        options.onboarding_timeout = timeout;
    }
    let placed = |text: &Option<String>| text.as_deref().map(|text| theatre.placed(text));
    options.proxy.https = placed(&onboard.proxy_https);
    options.proxy.http = placed(&onboard.proxy_http);
    options.proxy.skip_range = placed(&onboard.proxy_skip_range);
    options.proxy.certificate = placed(&onboard.proxy_cert).map(Into::into);
    match Box::pin(driver.onboard(&options)).await {
        Ok(_) => Outcome::done(),
        Err(error) => Outcome::driver(&error),
    }
}

async fn disconnect(theatre: &Theatre, net: &Net, azure: Azure, offboard: &Offboard) -> Outcome {
    let driver = match theatre.driver(net, azure, &theatre.world.cluster().kubeconfig()) {
        Ok(driver) => driver,
        Err(reason) => return Outcome::failed(2, reason),
    };
    let options = OffboardOptions {
        name: offboard.name.clone(),
        group: offboard.group.clone(),
        force: offboard.force,
        no_wait: false,
    };
    match Box::pin(driver.offboard(&options)).await {
        Ok(_) => Outcome::done(),
        Err(error) => Outcome::driver(&error),
    }
}

async fn rest(theatre: &Theatre, azure: &Azure, call: &ArmCall) -> Outcome {
    let Ok(method) = Method::try_from(call.method.as_str()) else {
        return Outcome::failed(2, format!("'{}' is no method", call.method));
    };
    let (path, body) = (theatre.filled(&call.path), theatre.filled_value(&call.body));
    let body = (!body.is_null()).then_some(&body);
    match azure.rest(method, &path, &call.version, body, call.wait).await {
        Ok((status, body)) => Outcome { status: Some(status), body, ..Outcome::done() },
        Err(error) => Outcome::azure(&error),
    }
}

async fn group(azure: &Azure, group: &Group) -> Result<(), AzureError> {
    if group.delete {
        return azure.delete_group(&group.name, &|_| {}).await;
    }
    azure.create_group(&group.name, &group.location).await.map(drop)
}

/// As `dryarc provider set` does, by the control interface.
async fn set_provider(theatre: &Theatre, provider: &Provider) -> Result<(), String> {
    let mut change = serde_json::Map::new();
    if let Some(Span(delay)) = provider.delay {
        change.insert("delaySeconds".into(), delay.as_secs().into());
    }
    for (key, value) in [("outcome", &provider.outcome), ("state", &provider.state)] {
        if let Some(value) = value {
            change.insert(key.into(), value.as_str().into());
        }
    }
    let path = format!("/v1/providers/{}", provider.namespace);
    super::control::put(theatre, &path, &Value::Object(change)).await
}

async fn apply(theatre: &Theatre, objects: &[Value]) -> Result<(), String> {
    for object in objects {
        let applied = theatre.cluster.put_object(&theatre.filled_value(object)).await;
        applied.map_err(|error| {
            format!("{} {} cannot be applied: {error}", object["kind"], object["metadata"]["name"])
        })?;
    }
    Ok(())
}

async fn remove(theatre: &Theatre, objects: &[String]) -> Result<(), String> {
    for text in objects {
        let object = Reference::parse(text)?.object();
        match theatre.cluster.delete_object(&object).await {
            Ok(true) => {}
            Ok(false) => return Err(format!("{text} does not exist")),
            Err(error) => return Err(format!("{text} cannot be deleted: {error}")),
        }
    }
    Ok(())
}

async fn restart(theatre: &Theatre, names: &[String]) -> Result<(), String> {
    let failed = |error: kube::Error| format!("the agents' pods cannot be restarted: {error}");
    let list = theatre.cluster.get(PODS).await.map_err(failed)?;
    let pods = list["items"].as_array().cloned().unwrap_or_default();
    for wanted in names {
        let of = |pod: &&Value| {
            let name = pod["metadata"]["name"].as_str().unwrap_or_default();
            name.strip_prefix(wanted.as_str()).is_some_and(|rest| rest.starts_with('-'))
        };
        let found: Vec<&Value> = pods.iter().filter(of).collect();
        if found.is_empty() {
            return Err(format!("there is no pod of {wanted}"));
        }
        for pod in found {
            let object = json!({ "apiVersion": "v1", "kind": "Pod", "metadata": pod["metadata"] });
            theatre.cluster.delete_object(&object).await.map_err(failed)?;
        }
    }
    Ok(())
}

async fn until(theatre: &Theatre, wait: &Wait) -> Result<(), String> {
    let deadline = later(theatre.clock.now(), wait.within.0);
    loop {
        theatre.clock.quiet().await;
        let mut unmet = super::check_arm::unmet(theatre, &wait.arm).await;
        unmet.extend(super::check_cluster::unmet(theatre, &wait.cluster).await);
        if unmet.is_empty() {
            return Ok(());
        }
        if theatre.clock.now() >= deadline {
            let span = crate::span::format(wait.within.0);
            return Err(format!("after {span} of waiting: {}", unmet.join("; ")));
        }
        theatre.pace.world(LOOK).await;
    }
}
