//! The seam between Resource Manager and a resource provider.
//!
//! A provider is a set of types (a table) and two synchronous functions over one transaction. It sees no header, no
//! URL and no status code; the time is in the call; it neither waits nor spawns.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;
use serde_json::Value;
use sim_core::ledger::Txn;
use sim_core::seed::Seed;
use uuid::Uuid;

use super::refusal::Refusal;
use super::target::Target;
use crate::lro::{self, Document, Draft, Operation, State};
use crate::profile::{Profile, Style};
use crate::relay::RelayKey;
use crate::store::rendered::Rendered;

/// What a caller wants with a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verb {
    /// Read one or list.
    Get,
    /// Ask whether it exists.
    Head,
    /// Create or replace.
    Put,
    /// Change.
    Patch,
    /// Remove.
    Delete,
    /// Act.
    Post,
}

impl Verb {
    /// Whether it changes something.
    #[must_use]
    pub fn is_write(self) -> bool {
        !matches!(self, Self::Get | Self::Head)
    }
}

/// Built-in style and timing of an operation; a profile can override each.
#[derive(Debug, Clone, Copy)]
pub struct Timing {
    /// How the client is told of it.
    pub style: Style,
    /// World time it takes.
    pub span: Duration,
    /// World seconds after which the client should ask again.
    pub retry_after: u64,
}

/// How the replies of a provider look beside their content (recordings).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// Resource Manager answers itself.
    Own,
    /// The provider sits behind the provider hub: a header says so, resources have entity tags, and the body of "accepted"
    /// is `null`.
    Hub,
    /// The provider only has the identifier of the operation added.
    Proxied,
    /// The same, and the provider names the API versions that it supports.
    Versioned,
    /// The provider names no character set.
    Plain,
}

/// The conditions of a request, as they stand in `If-Match` and `If-None-Match`.
#[derive(Debug, Clone, Copy, Default)]
pub struct Conditions<'a> {
    /// Go on only if there is such a resource: `*` or entity tags.
    pub if_match: Option<&'a str>,
    /// Go on only if there is none: `*`.
    pub if_none_match: Option<&'a str>,
}

/// A type that a provider models.
#[derive(Debug, Clone, Copy)]
pub struct TypeSpec {
    /// The type within the namespace.
    pub name: &'static str,
    /// Verbs on one resource (or on the type's only form).
    pub verbs: &'static [Verb],
    /// Actions on one resource (POST).
    pub actions: &'static [&'static str],
    /// Whether it can be listed.
    pub list: bool,
    /// Whether a write needs the namespace to be registered.
    pub gated: bool,
    /// How its replies look.
    pub manner: Manner,
}

/// Who makes the call, as far as providers care.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Actor {
    /// The application or the user.
    pub id: Uuid,
    /// `Application`, `ManagedIdentity` or `User`.
    pub kind: &'static str,
}

/// One request, as a provider sees it.
#[derive(Debug)]
pub struct Call<'a> {
    /// What is wanted.
    pub verb: Verb,
    /// With what.
    pub target: &'a Target<'a>,
    /// In which version's form.
    pub version: &'a str,
    /// Query parameter by name; names compare without case.
    pub query: &'a Query<'a>,
    /// The body, if there is one.
    pub body: Option<&'a Value>,
    /// On which conditions.
    pub conditions: Conditions<'a>,
    /// By whom.
    pub actor: Actor,
    /// When, in world time.
    pub now: Timestamp,
    /// When, in wall time: what is checked outside of the world lives by it.
    pub wall: Timestamp,
    /// Who signs what relays check.
    pub relay: &'a RelayKey,
    /// What was shown of resources before.
    pub rendered: &'a Rendered,
    /// What the cloud consists of.
    pub profile: &'a Profile,
    /// The root of simulated randomness.
    pub seed: Seed,
}

/// Decoded query parameters.
#[derive(Debug, Default)]
pub struct Query<'a>(Vec<(std::borrow::Cow<'a, str>, std::borrow::Cow<'a, str>)>);

impl<'a> Query<'a> {
    /// Reads a query string.
    #[must_use]
    pub fn parse(query: &'a str) -> Self {
        Self(form_urlencoded::parse(query.as_bytes()).collect())
    }

    /// The parameter of this name, if it is there and not empty.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_ref()).filter(|value| !value.is_empty())
    }
}

/// What a provider answers.
#[derive(Debug)]
pub enum Reply {
    /// The resource, or a document.
    Ok(Arc<Value>),
    /// The resource, new.
    Created(Arc<Value>),
    /// The resource with its entity tag, and the operation that goes on working on it.
    Resource {
        /// The resource, as it goes over the wire.
        body: Bytes,
        /// Whether to say "created".
        created: bool,
        /// Its entity tag, quoted.
        etag: String,
        /// What goes on.
        operation: Option<Box<Operation>>,
    },
    /// One page of a list.
    Page(Page),
    /// Begun; there is nothing to show yet.
    Accepted(Box<Operation>),
    /// It is not there, or there is nothing to show of it.
    Nothing,
    /// Done at once; there is nothing to show.
    Done,
    /// The status document of an operation.
    Status(Box<Operation>),
    /// What the `Location` of an operation answers.
    Outcome(Box<Operation>),
}

impl Reply {
    /// The same list, saying explicitly that there is no next page, as some providers do.
    #[must_use]
    pub fn with_null_link(mut self) -> Self {
        if let Self::Page(page) = &mut self {
            page.null_link = true;
        }
        self
    }
}

/// One page of a list.
#[derive(Debug, Default)]
pub struct Page {
    /// The items, as they go over the wire.
    pub items: Vec<Bytes>,
    /// Where the next page starts.
    pub next: Option<String>,
    /// Whether the last page says explicitly that there is no next one.
    pub null_link: bool,
}

/// A resource provider.
pub trait Provider: fmt::Debug + Send + Sync {
    /// Its namespace.
    fn namespace(&self) -> &'static str;

    /// The types it models.
    fn types(&self) -> &'static [TypeSpec];

    /// Answers a call within a transaction, which is undone when it is refused.
    ///
    /// # Errors
    /// A [`Refusal`].
    fn handle(&self, call: &Call<'_>, txn: &mut Txn<'_>) -> Result<Reply, Refusal>;

    /// An operation ends as `outcome`: brings what it worked on into the state that belongs to that, and may decide
    /// that the end is another one.
    fn settle(&self, operation: &Operation, outcome: State, now: Timestamp, txn: &mut Txn<'_>) -> State;
}

impl<'a> Call<'a> {
    /// Drafts an operation such as `Microsoft.Kubernetes/connectedClusters/write`, timed as the profile says.
    #[must_use]
    pub fn draft(&self, name: String, timing: Timing, subject: Subject<'_>) -> Draft {
        let profile = self.profile.operation(&name);
        Draft {
            id: subject.operation,
            namespace: self.target.namespace().into(),
            name,
            subscription: self.target.subscription().unwrap_or_default().into(),
            subject: subject.id.into(),
            key: subject.key.into(),
            location: subject.location.into(),
            style: profile.style.unwrap_or(timing.style),
            retry_after: profile.retry_after.unwrap_or(timing.retry_after),
            span: profile.millis.map_or(timing.span, Duration::from_millis),
            document: subject.document,
            fate: profile.fate,
            hidden: Duration::from_millis(profile.not_found_millis),
        }
    }

    /// The body, which has to be a JSON object.
    ///
    /// # Errors
    /// A [`Refusal`] when it is something else, or missing.
    pub fn object(&self) -> Result<&'a serde_json::Map<String, Value>, Refusal> {
        self.body
            .and_then(Value::as_object)
            .ok_or_else(|| Refusal::invalid_content("the body must be a JSON object"))
    }

    /// The operation of this id, if its namespace is this call's and its status can be read now.
    ///
    /// # Errors
    /// A [`Refusal`] when there is none, or its result is gone.
    pub fn operation(&self, id: &str, txn: &Txn<'_>) -> Result<Box<Operation>, Refusal> {
        let retention = self.profile.operation_retention();
        lro::get(txn, id)
            .filter(|found| found.namespace.eq_ignore_ascii_case(self.target.namespace()))
            .filter(|found| found.is_readable(self.now, retention))
            .map(Box::new)
            .ok_or_else(|| Refusal::operation_not_found(id))
    }
}

/// What an operation works on.
#[derive(Debug)]
pub struct Subject<'a> {
    /// The operation's own id.
    pub operation: String,
    /// The subject's id, as shown.
    pub id: &'a str,
    /// The subject's key.
    pub key: &'a str,
    /// The region.
    pub location: &'a str,
    /// Where its status is read.
    pub document: Document,
}
