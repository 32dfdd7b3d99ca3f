//! Get and list.

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use base64::{DecodeError, Engine as _};
use serde_json::{Value, json};
use sim_core::ledger::Row;

use super::{Api, Listed, Rows, Selection, Sub, convert, scale};
use crate::registry::Kind;
use crate::status::Status;

/// Where a list stopped.
struct Resume {
    revision: u64,
    key: String,
}

impl Resume {
    fn encode(&self) -> String {
        URL_SAFE_NO_PAD
            .encode(json!({"v": "meta.k8s.io/v1", "rv": self.revision, "start": self.key}).to_string())
    }

    fn decode(token: &str) -> Result<Self, Status> {
        let because = |why: String| {
            Status::bad_request(format!("invalid continue token: continue key is not valid: {why}"))
        };
        let refused = || because("it was not made by this server".into());
        let bytes = URL_SAFE_NO_PAD.decode(token).map_err(|error| {
            let at = match error {
                DecodeError::InvalidByte(at, _) => at,
                DecodeError::InvalidLastSymbol(at, _) => at,
                DecodeError::InvalidLength(_) | DecodeError::InvalidPadding => token.len() / 4 * 4,
            };
            because(format!("illegal base64 data at input byte {at}"))
        })?;
        let value: Value = serde_json::from_slice(&bytes).map_err(|_| refused())?;
        let key = value["start"].as_str().ok_or_else(refused)?.to_owned();
        Ok(Self { revision: value["rv"].as_u64().ok_or_else(refused)?, key })
    }
}

/// A page that is being filled.
struct Page {
    rows: Vec<Arc<Value>>,
    last: Option<String>,
    more: usize,
    limit: usize,
    /// Whether it matters how many follow.
    counts: bool,
}

impl Page {
    fn fill<'a>(&mut self, mut found: impl Iterator<Item = (&'a str, &'a Row)>) {
        for (key, row) in found.by_ref().take(self.limit) {
            self.rows.push(row.value.clone());
            self.last = Some(key.to_owned());
        }
        self.more = if self.counts { found.count() } else { 0 };
    }
}

/// 410 for a revision that is not to be had any more.
fn too_old(continued: bool) -> Status {
    Status::expired(if continued {
        "The provided continue parameter is too old to display a consistent list result. You must start a new list without the continue parameter."
    } else {
        "The resourceVersion for the provided list is too old."
    })
}

impl Api {
    /// The object.
    ///
    /// # Errors
    /// 404 when there is none.
    pub fn get(&self, kind: &Kind, namespace: Option<&str>, name: &str) -> Result<Value, Status> {
        let key = kind.key(namespace, name);
        let value = self.ledger().read(|view| view.get(kind.table(), &key).map(|row| row.value.clone()));
        let value = value.ok_or_else(|| Status::not_found(kind, name))?;
        Ok(convert::from_storage(kind, Value::clone(&value)))
    }

    /// Objects of a kind, in one namespace or in all; with [`Selection::at`], or when a page continues another, as they were
    /// at that revision.
    ///
    /// # Errors
    /// 400 for a `continue` that this server did not make, 410 when the feed does not go back to the revision.
    pub fn list(
        &self,
        kind: &Kind,
        namespace: Option<&str>,
        selection: &Selection,
    ) -> Result<Listed, Status> {
        let Rows { items, revision, resume, remaining } = self.rows(kind, namespace, selection)?;
        let items = items.iter().map(|row| convert::from_storage(kind, Value::clone(row))).collect();
        Ok(Listed { items, revision, resume, remaining })
    }

    /// As [`Api::list`], as it is stored.
    pub(crate) fn rows(
        &self,
        kind: &Kind,
        namespace: Option<&str>,
        selection: &Selection,
    ) -> Result<Rows, Status> {
        let resume = selection.resume.as_deref().map(Resume::decode).transpose()?;
        let prefix = prefix(kind, namespace);
        let wanted = |row: &Row| selection.labels.matches(&row.value) && selection.fields.matches(&row.value);
        let limit = if selection.limit == 0 { usize::MAX } else { selection.limit };
        let after = resume.as_ref().map_or("", |resume| resume.key.as_str());
        let mut page = Page { rows: Vec::new(), last: None, more: 0, limit, counts: selection.limit > 0 };
        let at = resume.as_ref().map(|resume| resume.revision).or(selection.at);
        let revision = match at {
            Some(revision) if revision != self.ledger().revision() => {
                let past = self.past(kind, &prefix, revision).ok_or_else(|| too_old(resume.is_some()))?;
                let rows = past.iter().filter(|(key, row)| key.as_str() > after && wanted(row));
                page.fill(rows.map(|(key, row)| (key.as_str(), row)));
                revision
            }
            _ => self.ledger().read(|view| {
                page.fill(view.scan_after(kind.table(), &prefix, after).filter(|(_, row)| wanted(row)));
                view.revision()
            }),
        };
        let more = page.more;
        let next = page.last.filter(|_| more > 0).map(|key| Resume { revision, key }.encode());
        let exact = selection.labels.is_empty() && selection.fields == super::FieldSelector::default();
        Ok(Rows {
            items: page.rows,
            revision,
            remaining: next.as_ref().filter(|_| exact).map(|_| more as u64),
            resume: next,
        })
    }

    /// What was stored at a revision: what is there now, with every later change undone. None when the feed does not go back
    /// so far.
    fn past(&self, kind: &Kind, prefix: &str, revision: u64) -> Option<BTreeMap<String, Row>> {
        let mut rows: BTreeMap<String, Row> = self.ledger().read(|view| {
            view.scan(kind.table(), prefix).map(|(key, row)| (key.to_owned(), row.clone())).collect()
        });
        let changes = self.ledger().watch(kind.table(), prefix, revision).ok()?.take().ok()?;
        for change in changes.into_iter().rev() {
            match change.before {
                Some(row) => drop(rows.insert(change.key.to_string(), row)),
                None => drop(rows.remove(&*change.key)),
            }
        }
        Some(rows)
    }

    /// Calls `show` with a stored object in the form that `kind` shows, which is mostly the stored one.
    pub(crate) fn with_shown<T>(kind: &Kind, stored: &Value, show: impl FnOnce(&Value) -> T) -> T {
        if convert::is_shown_as_stored(kind, stored) {
            show(stored)
        } else {
            show(&convert::from_storage(kind, stored.clone()))
        }
    }

    /// A stored object in the form that `kind` shows.
    pub(crate) fn shown(kind: &Kind, stored: &Value) -> Value {
        convert::from_storage(kind, stored.clone())
    }
}

/// The common start of the keys in a namespace; empty for all.
#[must_use]
pub(crate) fn prefix(kind: &Kind, namespace: Option<&str>) -> String {
    match namespace {
        Some(namespace) if kind.namespaced => format!("{namespace}/"),
        _ => String::new(),
    }
}

impl Api {
    /// What `sub` shows of an object.
    ///
    /// # Errors
    /// 404 when there is no such object.
    pub fn get_sub(
        &self,
        kind: &Kind,
        sub: Sub,
        namespace: Option<&str>,
        name: &str,
    ) -> Result<Value, Status> {
        let object = self.get(kind, namespace, name)?;
        if sub == Sub::Scale { scale::of(kind, &object) } else { Ok(object) }
    }
}
