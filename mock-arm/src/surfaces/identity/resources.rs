//! Which resources tokens can be asked for, and under which audiences their owners accept them.

use super::super::SurfaceRequest;

/// Audiences under which Resource Manager and the Arc data plane accept tokens.
pub const ARM_AUDIENCES: [&str; 4] = [
    "https://management.core.windows.net/",
    "https://management.core.windows.net",
    "https://management.azure.com/",
    "https://management.azure.com",
];

/// Microsoft Graph, for which a person's token is when no resource is named.
pub(crate) const GRAPH: &str = "https://graph.microsoft.com";

/// Audiences of Microsoft Graph.
const GRAPH_AUDIENCES: [&str; 3] =
    [GRAPH, "https://graph.microsoft.com/", "00000003-0000-0000-c000-000000000000"];

/// Other resources that onboarding asks tokens for: the application behind cluster connect, and the notification
/// service of the agents.
const OTHERS: [&str; 4] = [
    "6256c85f-0aad-4d50-b960-e6e9b21efe35",
    "api://6256c85f-0aad-4d50-b960-e6e9b21efe35",
    "https://guestnotificationservice.azure.com",
    "https://guestnotificationservice.azure.com/",
];

/// The audiences that a custom cloud at `base_url` adds to each of its resources.
fn own(base_url: &str) -> [String; 2] {
    let base = base_url.trim_end_matches('/');
    [base.to_owned(), format!("{base}/")]
}

/// Whether a token can be asked for under this resource name by a caller who addressed us at `base_url`.
pub(crate) fn is_known(resource: &str, request: SurfaceRequest<'_>) -> bool {
    let fixed = ARM_AUDIENCES.iter().chain(&GRAPH_AUDIENCES).chain(&OTHERS);
    fixed.into_iter().any(|known| known.eq_ignore_ascii_case(resource))
        || (request.is_custom_cloud() && own(request.base_url).iter().any(|known| known == resource))
}

/// Audiences that Resource Manager accepts from a caller who addressed it at `base_url` (`https://host[:port]`): the
/// public ones, and the address itself.
#[must_use]
pub fn arm_audiences(base_url: &str) -> Vec<String> {
    ARM_AUDIENCES.iter().map(ToString::to_string).chain(own(base_url)).collect()
}

/// Audiences that Graph accepts.
pub(crate) fn graph_audiences(request: SurfaceRequest<'_>) -> Vec<String> {
    let own = request.is_custom_cloud().then(|| own(request.base_url)).into_iter().flatten();
    GRAPH_AUDIENCES.iter().map(ToString::to_string).chain(own).collect()
}
