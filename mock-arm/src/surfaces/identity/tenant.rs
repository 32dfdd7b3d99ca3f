//! The first segment of an Entra ID path: a tenant, or one of the names that stand for any.

use uuid::Uuid;

use crate::profile::Profile;

/// Whom a path addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Tenant {
    /// The world's tenant, in the caller's words (id or domain).
    Own { id: Uuid, words: String },
    /// `common` or `organizations`: whichever tenant the caller turns out to belong to.
    Any(&'static str),
}

impl Tenant {
    /// The tenant that a segment names; `None` when there is no such tenant. `consumers` is none: personal accounts are
    /// not modelled.
    pub(crate) fn of(segment: &str, profile: &Profile) -> Option<Self> {
        if let Some(name) =
            ["common", "organizations"].into_iter().find(|name| name.eq_ignore_ascii_case(segment))
        {
            return Some(Self::Any(name));
        }
        let own = &profile.tenant;
        let named = Uuid::try_parse(segment).is_ok_and(|id| id == own.id)
            || segment.eq_ignore_ascii_case(&own.default_domain);
        named.then(|| Self::Own { id: own.id, words: segment.into() })
    }

    /// The segment under which documents point back to this tenant.
    pub(crate) fn segment(&self) -> String {
        match self {
            Self::Own { id, .. } => id.to_string(),
            Self::Any(name) => (*name).into(),
        }
    }

    /// The segment in issuers: a placeholder where the tenant is open.
    pub(crate) fn issuer_segment(&self) -> String {
        match self {
            Self::Own { id, .. } => id.to_string(),
            Self::Any(_) => "{tenantid}".into(),
        }
    }
}
