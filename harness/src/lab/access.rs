//! The ways into a world for clients in the same process.

use mock_arm::profile::{Principal, Profile, Registration};
use sim_core::clock::Clock;
use sim_core::net::{Net, NetError, roots_from_pem};
use sim_core::seed::Seed;

use crate::driver::{Azure, AzureConfig, Credentials, Endpoints};
use crate::world::{World, reached};

/// Providers that onboarding needs.
const NEEDED: [&str; 2] = ["Microsoft.Kubernetes", "Microsoft.KubernetesConfiguration"];

/// Has the providers that onboarding needs registered from the start, except where `cloud` says something of them.
pub(super) fn registered(cloud: &mut Profile) {
    for namespace in NEEDED {
        let named = cloud.registration.keys().any(|known| known.eq_ignore_ascii_case(namespace));
        if !named {
            let registration = Registration { registered: true, ..Registration::default() };
            cloud.registration.insert(namespace.into(), registration);
        }
    }
}

/// The network of a client that trusts `world` and reaches its hosts by its gateway.
///
/// # Errors
/// [`NetError`] when the world's certificates cannot be trusted.
pub fn network(world: &World) -> Result<Net, NetError> {
    let roots = roots_from_pem(world.authority().pem())?;
    Net::builder().roots(roots).egress(Some(reached(world.gateway().addr()))).build()
}

/// How `principal` signs in, in the first subscription.
#[must_use]
pub fn credentials(profile: &Profile, principal: Option<&Principal>) -> Credentials {
    let principal = principal.cloned().unwrap_or_default();
    Credentials {
        tenant: profile.tenant.id.to_string(),
        client_id: principal.client_id.to_string(),
        client_secret: principal.secret,
        subscription: profile.subscriptions.first().map_or_else(String::new, |one| one.id.to_string()),
    }
}

/// Azure, as who has `credentials` sees it through `net`.
#[must_use]
pub fn azure(net: &Net, clock: &Clock, seed: Seed, credentials: Credentials) -> Azure {
    Azure::new(AzureConfig {
        credentials,
        endpoints: Endpoints::default(),
        net: net.clone(),
        clock: clock.clone(),
        correlation: seed.uuid("scenario/correlation").to_string(),
        command: String::new(),
    })
}
