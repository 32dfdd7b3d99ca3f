//! Acting as somebody else (`kubectl --as`), for those who may.

use http::HeaderMap;

use super::rbac::{Attributes, allows, denial};
use crate::api::{Api, Caller};
use crate::status::Status;

/// The caller that the `Impersonate-*` headers ask for; `caller` itself when there are none. Extra values are ignored,
/// because nothing here looks at them.
///
/// # Errors
/// 403 when `caller` may not impersonate this user or one of these groups, 400 for groups without a user.
pub fn impersonated(api: &Api, caller: Caller, headers: &HeaderMap) -> Result<Caller, Status> {
    let texts = |name: &str| {
        let values = headers.get_all(name).iter();
        values.filter_map(|value| value.to_str().ok()).map(ToOwned::to_owned).collect::<Vec<_>>()
    };
    let mut groups = texts("impersonate-group");
    let Some(user) = texts("impersonate-user").into_iter().next() else {
        if groups.is_empty() {
            return Ok(caller);
        }
        return Err(Status::bad_request("requested group impersonation without impersonating a user"));
    };
    let mut wanted = Caller { user, groups: Vec::new(), manager: caller.manager.clone() };
    let account = wanted.service_account().map(|(namespace, name)| (namespace.to_owned(), name.to_owned()));
    match &account {
        Some((namespace, name)) => may(api, &caller, "serviceaccounts", name, namespace)?,
        None => may(api, &caller, "users", &wanted.user, "")?,
    }
    for group in &groups {
        may(api, &caller, "groups", group, "")?;
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

fn may(api: &Api, caller: &Caller, resource: &str, name: &str, namespace: &str) -> Result<(), Status> {
    let wanted = Attributes { verb: "impersonate", resource, name, namespace, ..Attributes::default() };
    if allows(api, caller, &wanted) { Ok(()) } else { Err(Status::forbidden(denial(caller, &wanted))) }
}
