//! Why a request is refused: a kind that knows no status code, and ARM's error.
//!
//! Codes and texts follow public recordings and reports of the real service where there are any.

use arm_wire::error::ArmError;

/// What kind of refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The request makes no sense.
    Invalid,
    /// Nobody knows who calls.
    Unauthenticated,
    /// The caller may not.
    Forbidden,
    /// It is not there.
    NotFound,
    /// It does not go with what is there.
    Conflict,
    /// A condition of the request does not hold.
    Precondition,
    /// The thing is there but cannot be done that way.
    MethodNotAllowed,
    /// The body is too big.
    TooLarge,
    /// The body is of a kind that is not taken.
    MediaType,
    /// The caller asks too often.
    Throttled {
        /// World seconds after which it may ask again; `None` to leave that unsaid.
        after: Option<u64>,
    },
    /// The real service does this; the simulation does not.
    NotModelled,
    /// The simulation failed.
    Internal,
}

/// Who refuses: Resource Manager itself, or the resource provider behind it. Becomes `x-ms-failure-cause`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// Resource Manager.
    Gateway,
    /// The resource provider.
    Service,
    /// The resource provider, which does not say so.
    Unsaid {
        /// Whether its errors have a list of extras even when there are none.
        extras: bool,
    },
}

/// A refused request.
#[derive(Debug, Clone, PartialEq)]
pub struct Refusal {
    /// What kind.
    pub kind: Kind,
    /// Who.
    pub cause: Cause,
    /// What clients read. Boxed, because refusals are rare and results are moved around a lot.
    pub error: Box<ArmError>,
}

impl Refusal {
    /// A refusal by Resource Manager.
    #[must_use]
    pub fn gateway(kind: Kind, code: &'static str, message: impl Into<String>) -> Self {
        Self { kind, cause: Cause::Gateway, error: Box::new(ArmError::new(code, message)) }
    }

    /// A refusal by a resource provider.
    #[must_use]
    pub fn service(kind: Kind, code: &'static str, message: impl Into<String>) -> Self {
        Self { kind, cause: Cause::Service, error: Box::new(ArmError::new(code, message)) }
    }

    /// A refusal by a resource provider that answers for itself: no cause is named, as in recordings.
    #[must_use]
    pub fn of_service(kind: Kind, code: &'static str, message: impl Into<String>) -> Self {
        Self { cause: Cause::Unsaid { extras: true }, ..Self::service(kind, code, message) }
    }

    /// Says what the refusal is about.
    #[must_use]
    pub fn target(mut self, target: impl Into<String>) -> Self {
        self.error.target = Some(target.into());
        self
    }

    /// The real service does this, the simulation does not.
    #[must_use]
    pub fn not_modelled(what: &str) -> Self {
        Self::gateway(
            Kind::NotModelled,
            "NotModelled",
            format!(
                "The simulated Azure of dryarc does not model {what}. Nothing was changed. FIDELITY.md lists what is \
                 modelled."
            ),
        )
    }

    /// The subscription is not one of the tenant.
    #[must_use]
    pub fn subscription_not_found(subscription: &str) -> Self {
        Self::gateway(
            Kind::NotFound,
            "SubscriptionNotFound",
            format!("The subscription '{subscription}' could not be found."),
        )
    }

    /// The group does not exist.
    #[must_use]
    pub fn group_not_found(group: &str) -> Self {
        Self::gateway(
            Kind::NotFound,
            "ResourceGroupNotFound",
            format!("Resource group '{group}' could not be found."),
        )
    }

    /// The group is on its way out.
    #[must_use]
    pub fn group_being_deleted(group: &str) -> Self {
        Self::gateway(
            Kind::Conflict,
            "ResourceGroupBeingDeleted",
            format!(
                "The resource group '{group}' is in deprovisioning state and cannot perform this operation."
            ),
        )
    }

    /// The resource does not exist.
    #[must_use]
    pub fn resource_not_found(full_type_and_name: &str, group: &str) -> Self {
        Self::gateway(
            Kind::NotFound,
            "ResourceNotFound",
            format!(
                "The Resource '{full_type_and_name}' under resource group '{group}' was not found. For more details \
                 please go to https://aka.ms/ARMResourceNotFoundFix"
            ),
        )
    }

    /// What the resource is a child of does not exist; `verb` is `read` or `write`.
    #[must_use]
    pub fn parent_not_found(verb: &str, kind: &str, parent: &str) -> Self {
        Self::gateway(
            Kind::NotFound,
            "ParentResourceNotFound",
            format!(
                "Failed to perform '{verb}' on resource(s) of type '{kind}', because the parent resource '{parent}' could \
                 not be found."
            ),
        )
    }

    /// The caller may not.
    #[must_use]
    pub fn forbidden(client: &str, object: &str, action: &str, scope: &str) -> Self {
        Self::gateway(
            Kind::Forbidden,
            "AuthorizationFailed",
            format!(
                "The client '{client}' with object id '{object}' does not have authorization to perform action \
                 '{action}' over scope '{scope}' or the scope is invalid. If access was recently granted, please refresh \
                 your credentials."
            ),
        )
    }

    /// A lock stands in the way; `verb` is `delete` or `write`.
    #[must_use]
    pub fn locked(scope: &str, verb: &str, locks: &[String]) -> Self {
        Self::gateway(
            Kind::Conflict,
            "ScopeLocked",
            format!(
                "The scope '{scope}' cannot perform {verb} operation because following scope(s) are locked: '{}'. Please \
                 remove the lock and try again.",
                locks.join(",")
            ),
        )
    }

    /// A condition of the request does not hold. The text of the real service is not known.
    #[must_use]
    pub fn precondition_failed(name: &str) -> Self {
        let text = format!("The condition that the request puts on the resource '{name}' does not hold.");
        Self::service(Kind::Precondition, "PreconditionFailed", text)
    }

    /// There is no such operation.
    #[must_use]
    pub fn operation_not_found(id: &str) -> Self {
        Self::gateway(
            Kind::NotFound,
            "OperationNotFound",
            format!("The operation '{id}' could not be found."),
        )
    }

    /// The namespace does not exist.
    #[must_use]
    pub fn unknown_namespace(namespace: &str) -> Self {
        Self::gateway(
            Kind::NotFound,
            "InvalidResourceNamespace",
            format!("The resource namespace '{namespace}' is invalid."),
        )
    }

    /// The namespace does not have the type.
    #[must_use]
    pub fn unknown_type(namespace: &str, version: &str) -> Self {
        Self::gateway(
            Kind::NotFound,
            "InvalidResourceType",
            format!(
                "The resource type could not be found in the namespace '{namespace}' for api version '{version}'."
            ),
        )
    }

    /// The subscription did not register the namespace.
    #[must_use]
    pub fn not_registered(namespace: &str) -> Self {
        let message = format!(
            "The subscription is not registered to use namespace '{namespace}'. See https://aka.ms/rps-not-found for \
             how to register subscriptions."
        );
        let code = "MissingSubscriptionRegistration";
        let mut refusal = Self::gateway(Kind::Conflict, code, message.clone());
        refusal.error.details.push(ArmError::new(code, message).target(namespace));
        refusal
    }

    /// The version is not one of the type's.
    #[must_use]
    pub fn unsupported_version(
        location: &str,
        version: &str,
        kind: &str,
        versions: &[&str],
        regions: &[&str],
    ) -> Self {
        let regions: Vec<String> =
            regions.iter().map(|region| super::catalog::regions::normalize(region)).collect();
        Self::gateway(
            Kind::Invalid,
            "NoRegisteredProviderFound",
            format!(
                "No registered resource provider found for location '{location}' and API version '{version}' for type \
                 '{kind}'. The supported api-versions are '{}'. The supported locations are '{}'.",
                versions.join(", "),
                regions.join(", ")
            ),
        )
    }

    /// The path is known and the method is not.
    #[must_use]
    pub fn method_not_allowed(method: &str, what: &str) -> Self {
        Self::gateway(
            Kind::MethodNotAllowed,
            "MethodNotAllowed",
            format!("The HTTP method '{method}' is not allowed on '{what}'."),
        )
    }

    /// The body cannot be read, or a member of it is wrong.
    #[must_use]
    pub fn invalid_content(why: &str) -> Self {
        Self::gateway(
            Kind::Invalid,
            "InvalidRequestContent",
            format!("The request content was invalid and could not be deserialized: '{why}'."),
        )
    }

    /// A location is missing.
    #[must_use]
    pub fn location_required() -> Self {
        Self::gateway(
            Kind::Invalid,
            "LocationRequired",
            "The location property is required for this definition.",
        )
    }
}
