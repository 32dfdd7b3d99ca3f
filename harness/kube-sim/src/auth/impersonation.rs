//! Acting as somebody else (`kubectl --as`), for those who may.

use std::collections::BTreeMap;

use http::HeaderMap;
use percent_encoding::percent_decode_str;

use super::rbac::{Attributes, allows, denial};
use crate::api::{Api, Caller};
use crate::status::Status;

/// Group of the permissions to take on a uid or further values.
const GROUP: &str = "authentication.k8s.io";

/// The start of the headers of further values; the rest is their key.
const EXTRA: &str = "impersonate-extra-";

/// The caller that the `Impersonate-*` headers ask for; `caller` itself when there are none.
///
/// # Errors
/// 403 when `caller` may not impersonate this user, one of these groups, this uid or one of these further values; 400 for any
/// of them without a user.
pub fn impersonated(api: &Api, caller: Caller, headers: &HeaderMap) -> Result<Caller, Status> {
    let texts = |name: &str| {
        let values = headers.get_all(name).iter();
        values.filter_map(|value| value.to_str().ok()).map(ToOwned::to_owned).collect::<Vec<_>>()
    };
    let mut groups = texts("impersonate-group");
    let uid = texts("impersonate-uid").into_iter().next().unwrap_or_default();
    let extra = extra(headers);
    let Some(user) = texts("impersonate-user").into_iter().next() else {
        if groups.is_empty() && uid.is_empty() && extra.is_empty() {
            return Ok(caller);
        }
        return Err(without_a_user(&groups, &uid, &extra));
    };
    let mut wanted = Caller { user, uid, extra, manager: caller.manager.clone(), ..Caller::default() };
    let account = wanted.service_account().map(|(namespace, name)| (namespace.to_owned(), name.to_owned()));
    match &account {
        Some((namespace, name)) => {
            let of = Attributes { resource: "serviceaccounts", name, namespace, ..Attributes::default() };
            may(api, &caller, of)?;
        }
        None => {
            may(api, &caller, Attributes { resource: "users", name: &wanted.user, ..Attributes::default() })?
        }
    }
    for group in &groups {
        may(api, &caller, Attributes { resource: "groups", name: group, ..Attributes::default() })?;
    }
    for (key, values) in &wanted.extra {
        for name in values {
            let of = Attributes {
                group: GROUP,
                resource: "userextras",
                subresource: key,
                name,
                ..Attributes::default()
            };
            may(api, &caller, of)?;
        }
    }
    if !wanted.uid.is_empty() {
        let of = Attributes { group: GROUP, resource: "uids", name: &wanted.uid, ..Attributes::default() };
        may(api, &caller, of)?;
    }
    if let Some((namespace, _)) = account.filter(|_| groups.is_empty()) {
        groups = vec!["system:serviceaccounts".into(), format!("system:serviceaccounts:{namespace}")];
    }
    let implied = if wanted.is_anonymous() { "system:unauthenticated" } else { "system:authenticated" };
    if !groups.iter().any(|group| group == implied) {
        groups.push(implied.into());
    }
    wanted.groups = groups;
    Ok(wanted)
}

/// Further values by key, which stands percent-encoded in the name of the header.
fn extra(headers: &HeaderMap) -> BTreeMap<String, Vec<String>> {
    let mut all: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, value) in headers {
        if let (Some(key), Ok(value)) = (name.as_str().strip_prefix(EXTRA), value.to_str()) {
            let key = percent_decode_str(key).decode_utf8_lossy().into_owned();
            all.entry(key).or_default().push(value.to_owned());
        }
    }
    all
}

/// The real server says this in plain text and calls it an internal error.
fn without_a_user(groups: &[String], uid: &str, extra: &BTreeMap<String, Vec<String>>) -> Status {
    let mut wanted: Vec<String> = groups.iter().map(|group| format!("{{Group  {group}    }}")).collect();
    for (key, values) in extra {
        wanted.extend(values.iter().map(|value| format!("{{UserExtra  {value}  {GROUP}/v1  {key}}}")));
    }
    if !uid.is_empty() {
        wanted.push(format!("{{UID  {uid}  {GROUP}  }}"));
    }
    Status::bad_request(format!("requested [{}] without impersonating a user", wanted.join(" ")))
}

fn may(api: &Api, caller: &Caller, wanted: Attributes<'_>) -> Result<(), Status> {
    let wanted = Attributes { verb: "impersonate", ..wanted };
    if allows(api, caller, &wanted) { Ok(()) } else { Err(Status::forbidden(denial(caller, &wanted))) }
}
