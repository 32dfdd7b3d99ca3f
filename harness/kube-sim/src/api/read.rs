//! Get and list.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use sim_core::ledger::{Change, Row};

use super::{Api, Listed, Selection, Sub, convert, scale};
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
        let refused = || Status::bad_request("continue key is not valid");
        let bytes = URL_SAFE_NO_PAD.decode(token).map_err(|_| refused())?;
        let value: Value = serde_json::from_slice(&bytes).map_err(|_| refused())?;
        let key = value["start"].as_str().ok_or_else(refused)?.to_owned();
        Ok(Self { revision: value["rv"].as_u64().ok_or_else(refused)?, key })
    }
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

    /// Objects of a kind, in one namespace or in all.
    ///
    /// A page that continues another shows the present state behind the place where the first stopped, not the state
    /// of the first page's revision; clients cannot tell unless objects change in between.
    ///
    /// # Errors
    /// 400 for a `continue` that this server did not make.
    pub fn list(
        &self,
        kind: &Kind,
        namespace: Option<&str>,
        selection: &Selection,
    ) -> Result<Listed, Status> {
        let resume = selection.resume.as_deref().map(Resume::decode).transpose()?;
        let prefix = prefix(kind, namespace);
        let wanted = |row: &Row| selection.labels.matches(&row.value) && selection.fields.matches(&row.value);
        let limit = if selection.limit == 0 { usize::MAX } else { selection.limit };
        let (rows, last, more, revision) = self.ledger().read(|view| {
            let after = resume.as_ref().map_or("", |resume| resume.key.as_str());
            let mut found = view.scan_after(kind.table(), &prefix, after).filter(|(_, row)| wanted(row));
            let (mut rows, mut last) = (Vec::new(), None);
            for (key, row) in found.by_ref().take(limit) {
                rows.push(row.value.clone());
                last = Some(key.to_owned());
            }
            let more = if selection.limit == 0 { 0 } else { found.count() };
            (rows, last, more, view.revision())
        });
        let revision = resume.as_ref().map_or(revision, |resume| resume.revision);
        let next = last.filter(|_| more > 0).map(|key| Resume { revision, key }.encode());
        let exact = selection.labels.is_empty() && selection.fields == super::FieldSelector::default();
        Ok(Listed {
            items: rows.iter().map(|row| convert::from_storage(kind, Value::clone(row))).collect(),
            revision,
            remaining: next.as_ref().filter(|_| exact).map(|_| more as u64),
            resume: next,
        })
    }

    /// The object of a change in the form that `kind` shows: the new one, and the old one.
    #[must_use]
    pub fn shown(&self, kind: &Kind, change: &Change) -> (Option<Value>, Option<Value>) {
        let show =
            |row: &Option<Row>| row.as_ref().map(|row| convert::from_storage(kind, Value::clone(&row.value)));
        (show(&change.after), show(&change.before))
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
