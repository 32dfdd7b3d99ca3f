//! Which providers there are, and what Resource Manager checks before it hands a call to one.

use std::sync::Arc;

use jiff::Timestamp;
use sim_core::faults::{Effect, Hook};
use sim_core::journal::Entry;
use sim_core::ledger::Txn;

use super::refusal::{Kind, Refusal};
use super::seam::{Call, Conditions, Manner, Provider, Reply, TypeSpec, Verb};
use super::target::{Target, Typed};
use super::{authorization, catalog, registering, tracked};
use crate::lro::{self, Operation, State};
use crate::profile::Profile;
use crate::store::{groups, resources};
use crate::world::World;

/// The providers of one cloud. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Registry(Arc<[Box<dyn Provider>]>);

impl Default for Registry {
    fn default() -> Self {
        Self(Arc::from([
            Box::new(super::resources::Resources) as Box<dyn Provider>,
            Box::new(super::authorization::Authorization),
            Box::new(super::features::Features),
            Box::new(super::kubernetes::Kubernetes),
            Box::new(super::configuration::Configuration),
            Box::new(super::extended_location::ExtendedLocation),
            Box::new(super::hybrid_compute::HybridCompute),
        ]))
    }
}

/// A call that may go on, and who is to answer it.
#[derive(Debug, Clone, Copy)]
pub struct Route<'a> {
    provider: &'a dyn Provider,
    spec: &'static TypeSpec,
    /// The version in whose form to answer.
    pub version: &'a str,
    /// Whether that is not the version that was asked for.
    pub nearest: bool,
}

impl Route<'_> {
    /// How the provider's replies look.
    #[must_use]
    pub fn manner(&self) -> Manner {
        self.spec.manner
    }
}

impl Registry {
    fn find(&self, namespace: &str) -> Option<&dyn Provider> {
        self.0.iter().map(AsRef::as_ref).find(|one| one.namespace().eq_ignore_ascii_case(namespace))
    }

    /// Every type that is modelled, with its namespace.
    pub fn specs(&self) -> impl Iterator<Item = (&'static str, &'static TypeSpec)> {
        self.0.iter().flat_map(|one| one.types().iter().map(|spec| (one.namespace(), spec)))
    }

    /// Finds who answers, checking subscription, namespace, type, verb and version in the order in which Resource
    /// Manager does.
    ///
    /// # Errors
    /// A [`Refusal`] for what does not exist, is not modelled, or is not allowed.
    pub fn route<'a>(
        &'a self,
        profile: &Profile,
        target: &Target<'_>,
        verb: Verb,
        version: &'a str,
    ) -> Result<Route<'a>, Refusal> {
        if let Some(subscription) = target.subscription() {
            if uuid::Uuid::try_parse(subscription).is_err() {
                let text =
                    format!("The provided subscription identifier '{subscription}' is malformed or invalid.");
                return Err(Refusal::gateway(Kind::Invalid, "InvalidSubscriptionId", text));
            }
            if profile.subscription(subscription).is_none() {
                return Err(Refusal::subscription_not_found(subscription));
            }
        }
        if let Target::Other { subscription } = target {
            return Err(match subscription {
                Some(_) => Refusal::not_modelled("this path"),
                None => Refusal::gateway(
                    Kind::NotFound,
                    "InvalidRequestUri",
                    "The path is not one of Azure Resource Manager. Paths begin with /subscriptions, /providers or \
                     /tenants.",
                ),
            });
        }
        self.by_type(profile, target, verb, version)
    }

    fn by_type<'a>(
        &'a self,
        profile: &Profile,
        target: &Target<'_>,
        verb: Verb,
        version: &'a str,
    ) -> Result<Route<'a>, Refusal> {
        let (namespace, kind) = (target.namespace(), target.type_name());
        let Some(known) = catalog::find(namespace) else {
            return Err(
                if namespace.get(..10).is_some_and(|start| start.eq_ignore_ascii_case("microsoft.")) {
                    Refusal::not_modelled(&format!("the namespace '{namespace}'"))
                } else {
                    Refusal::unknown_namespace(namespace)
                },
            );
        };
        let action = match target {
            Target::Action(Typed { path, .. }) => path.last(),
            _ => None,
        };
        let kind = match action {
            Some(action) => kind.strip_suffix(action.as_ref()).unwrap_or(&kind).trim_end_matches('/'),
            None => &kind,
        };
        let Some(entry) = known.find(kind) else { return Err(Refusal::unknown_type(known.name, version)) };
        let (version, nearest) = nearest_version(profile, known.name, entry, version)?;
        let what = format!("'{}/{}'", known.name, entry.name);
        let modelled = self.find(known.name).and_then(|provider| {
            let spec = provider.types().iter().find(|spec| spec.name == entry.name)?;
            Some((provider, spec))
        });
        let Some((provider, spec)) = modelled else { return Err(Refusal::not_modelled(&what)) };
        if let Some(action) = action {
            if !spec.actions.iter().any(|known| known.eq_ignore_ascii_case(action)) {
                return Err(Refusal::not_modelled(&format!("the action '{action}' of {what}")));
            }
            return Ok(Route { provider, spec, version, nearest });
        }
        if !allowed(spec, target, verb) {
            return Err(Refusal::method_not_allowed(method(verb), &format!("{}/{}", known.name, entry.name)));
        }
        Ok(Route { provider, spec, version, nearest })
    }

    /// What a caller reads behind a followed `Location`: once a write has succeeded, the resource that it wrote (resource provider
    /// contract, "asynchronous operations").
    ///
    /// # Errors
    /// When the resource is gone by now.
    pub fn followed(
        &self,
        call: &Call<'_>,
        asked: &str,
        reply: Reply,
        txn: &mut Txn<'_>,
    ) -> Result<Reply, Refusal> {
        let Reply::Outcome(operation) = &reply else { return Ok(reply) };
        if operation.state != State::Succeeded || !operation.name.ends_with("/write") {
            return Ok(reply);
        }
        let target = Target::parse(&operation.subject, false);
        let Ok(route) = self.route(call.profile, &target, Verb::Get, asked) else { return Ok(reply) };
        let read = Call {
            verb: Verb::Get,
            target: &target,
            version: route.version,
            body: None,
            conditions: Conditions::default(),
            ..*call
        };
        route.handle(&read, txn)
    }

    /// Ends every operation that is due by `now`, each in its own transaction, and says how many there were. The
    /// `settle` hook can make an operation stuck, slow or failed.
    pub fn settle_due(&self, world: &World, now: Timestamp) -> usize {
        let due = world.ledger.read(|view| lro::due(view, now));
        for id in &due {
            self.settle(world, id, now);
        }
        due.len()
    }

    fn settle(&self, world: &World, id: &str, now: Timestamp) {
        let Some(operation) = world.ledger.read(|view| lro::get(view, id)) else { return };
        let facts = [
            ("operation", operation.name.as_str()),
            ("resource", operation.subject.as_str()),
            ("id", operation.id.as_str()),
        ];
        let effect = match operation.verdict {
            Some(_) => None,
            None => world.faults.strike(Hook::Settle, &facts),
        };
        let ended = world.ledger.write(|txn| {
            let Some(operation) = lro::get(txn, id).filter(Operation::is_running) else { return Err(()) };
            Ok(self.end(operation, effect, now, txn))
        });
        if let Ok(operation) = ended {
            world.journal.record(entry(&operation));
        }
    }

    fn end(
        &self,
        mut operation: Operation,
        effect: Option<Effect>,
        now: Timestamp,
        txn: &mut Txn<'_>,
    ) -> Operation {
        let outcome = match (operation.verdict.take(), effect) {
            (Some(verdict), _) => verdict,
            (None, Some(Effect::Stuck | Effect::Hang)) => {
                lro::park(txn, &mut operation);
                return operation;
            }
            (None, Some(Effect::Delay { millis })) => {
                let at = sim_core::clock::later(now, std::time::Duration::from_millis(millis));
                lro::schedule(txn, &mut operation, at);
                return operation;
            }
            (None, Some(Effect::Fail { code, message } | Effect::Respond { code, message, .. })) => {
                State::Failed { error: arm_wire::error::ArmError::new(code, message) }
            }
            (None, Some(Effect::Reset | Effect::Refuse | Effect::Line(_)) | None) => State::Succeeded,
        };
        let state = match self.find(&operation.namespace) {
            Some(provider) => provider.settle(&operation, outcome, now, txn),
            None => outcome,
        };
        if state == State::Running {
            // The provider waits for something else: it is asked again.
            let at = sim_core::clock::later(now, operation.retry_span());
            lro::schedule(txn, &mut operation, at);
        } else {
            lro::finish(txn, &mut operation, state, now);
        }
        operation
    }
}

fn entry(operation: &Operation) -> Entry {
    let state = match &operation.state {
        State::Running => "Running",
        State::Succeeded => "Succeeded",
        State::Failed { .. } => "Failed",
        State::Canceled => "Canceled",
    };
    let mut entry = Entry::new("arm", "operation")
        .fact("operation", operation.name.as_str())
        .fact("resource", operation.subject.as_str())
        .fact("id", operation.id.as_str())
        .fact("state", state)
        .committed(true);
    if let State::Failed { error } = &operation.state {
        entry = entry.fact("code", error.code.as_ref());
    }
    entry
}

/// Lists are only read, whatever can be done to what they list; what is done to a namespace is an action.
fn allowed(spec: &TypeSpec, target: &Target<'_>, verb: Verb) -> bool {
    match target {
        Target::Collection(_) => spec.list && verb == Verb::Get,
        Target::Group { .. } => verb != Verb::Post && spec.verbs.contains(&verb),
        Target::Groups { .. } | Target::Namespaces { .. } | Target::Namespace { .. } => verb == Verb::Get,
        Target::NamespaceAction { .. } | Target::GroupAction { .. } => verb == Verb::Post,
        Target::Features { action, .. } => verb == if action.is_some() { Verb::Post } else { Verb::Get },
        _ => spec.verbs.contains(&verb),
    }
}

fn method(verb: Verb) -> &'static str {
    match verb {
        Verb::Get => "GET",
        Verb::Head => "HEAD",
        Verb::Put => "PUT",
        Verb::Patch => "PATCH",
        Verb::Delete => "DELETE",
        Verb::Post => "POST",
    }
}

/// The listed version, or for one that is newer than all of them the newest, unless the profile is strict. Versions
/// start with a date, so they compare as texts.
fn nearest_version<'a>(
    profile: &Profile,
    namespace: &str,
    entry: &'static catalog::TypeEntry,
    version: &'a str,
) -> Result<(&'a str, bool), Refusal> {
    if let Some(known) = entry.versions.iter().find(|known| known.eq_ignore_ascii_case(version)) {
        return Ok((known, false));
    }
    // Resource Manager's own types accept any version between the ones that tools are known to send.
    let lenient = !profile.strict && namespace == super::resources::NAMESPACE;
    match entry.versions.iter().find(|known| **known <= version) {
        Some(nearest) if lenient || (!profile.strict && entry.versions.first() == Some(nearest)) => {
            Ok((nearest, true))
        }
        _ => Err(Refusal::unsupported_version("", version, entry.name, entry.versions, &entry.regions())),
    }
}

fn check_group(call: &Call<'_>, txn: &Txn<'_>) -> Result<(), Refusal> {
    let (Target::Collection(typed) | Target::Resource(typed) | Target::Action(typed)) = call.target else {
        return Ok(());
    };
    let (Some(subscription), Some(name)) = (typed.subscription, &typed.group) else { return Ok(()) };
    let group = groups::get(txn, subscription, name).ok_or_else(|| Refusal::group_not_found(name))?;
    if call.verb.is_write() && groups::is_deleting(group) {
        return Err(Refusal::group_being_deleted(name));
    }
    Ok(())
}

/// What a resource extends, and what it is a child of, has to be there.
fn check_above(call: &Call<'_>, txn: &Txn<'_>) -> Result<(), Refusal> {
    let (Target::Collection(typed) | Target::Resource(typed) | Target::Action(typed)) = call.target else {
        return Ok(());
    };
    if let Some(host) = &typed.host {
        let full = format!("{}/{}", host.namespace, host.type_name());
        if !tracked::is_stored(host.namespace, &host.type_name()) {
            return Err(Refusal::not_modelled(&format!("extensions of '{full}'")));
        }
        if resources::get(txn, &host.key()).is_none() {
            let group = host.group.as_deref().unwrap_or_default();
            return Err(Refusal::resource_not_found(&host.full_name(), group));
        }
    }
    // Resource Manager's own things look after themselves.
    if typed.namespace.eq_ignore_ascii_case(super::resources::NAMESPACE) {
        return Ok(());
    }
    // A child's path has its parent before its own type and name.
    let own = if matches!(call.target, Target::Resource(_)) { 2 } else { 1 };
    let parent = typed.path.len().saturating_sub(own);
    if parent >= 2 && !matches!(call.target, Target::Action(_)) {
        let above = Typed { path: typed.path.iter().take(parent).cloned().collect(), ..(*typed).clone() };
        if resources::get(txn, &above.key()).is_none() {
            let verb = if call.verb.is_write() { "write" } else { "read" };
            return Err(Refusal::parent_not_found(verb, &typed.type_name(), &above.id()));
        }
    }
    Ok(())
}

/// Whether a resource with this entity tag is one of those that `wanted` names.
fn is_one_of(wanted: &str, etag: &str) -> bool {
    wanted.split(',').map(str::trim).any(|one| one == "*" || one.trim_start_matches("W/") == etag)
}

/// The table of the resource provider contract: what a condition means for a resource that is there, and for one that is
/// not. `Some` is an answer that needs no provider.
fn check_conditions(call: &Call<'_>, txn: &Txn<'_>) -> Result<Option<Reply>, Refusal> {
    let Target::Resource(typed) = call.target else { return Ok(None) };
    if !tracked::is_stored(typed.namespace, &typed.type_name()) {
        return Ok(None);
    }
    let (wanted, unwanted) = (call.conditions.if_match, call.conditions.if_none_match);
    let etag = resources::get(txn, &typed.key()).map(resources::etag);
    match (call.verb, wanted, unwanted, &etag) {
        (Verb::Put | Verb::Patch | Verb::Delete, Some(wanted), _, Some(etag)) if !is_one_of(wanted, etag) => {
            Err(Refusal::precondition_failed(typed.name()))
        }
        (Verb::Put, Some(_), _, None) => Err(Refusal::precondition_failed(typed.name())),
        (Verb::Put, _, Some(unwanted), Some(etag)) if is_one_of(unwanted, etag) => {
            Err(Refusal::precondition_failed(typed.name()))
        }
        (Verb::Delete, Some(_), _, None) => Ok(Some(Reply::Nothing)),
        _ => Ok(None),
    }
}

impl Route<'_> {
    /// Checks roles, registration, group, parents and locks, then lets the provider answer.
    ///
    /// # Errors
    /// A [`Refusal`].
    pub fn handle(&self, call: &Call<'_>, txn: &mut Txn<'_>) -> Result<Reply, Refusal> {
        authorization::check_roles(call, txn)?;
        if self.spec.gated && matches!(call.verb, Verb::Put | Verb::Patch | Verb::Post) {
            registering::check(call, txn)?;
        }
        check_group(call, txn)?;
        check_above(call, txn)?;
        authorization::check_locks(call, txn)?;
        if let Some(reply) = check_conditions(call, txn)? {
            return Ok(reply);
        }
        self.provider.handle(call, txn)
    }
}
