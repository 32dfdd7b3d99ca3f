//! Who calls a surface, by its bearer token.

use std::sync::Arc;

use super::SurfaceRequest;
use crate::profile::Authentication;
use crate::surfaces::identity::tokens::Caller;
use crate::world::World;

/// Who calls.
#[derive(Debug)]
pub(crate) enum Bearer {
    /// This world looks at no tokens.
    Anyone,
    /// The bearer of a good token.
    Known(Arc<Caller>),
}

/// Checks the token of a request against the audiences of the surface.
///
/// # Errors
/// What is wrong with it, for people.
pub(crate) fn check(
    world: &World,
    request: SurfaceRequest<'_>,
    audiences: &[String],
) -> Result<Bearer, String> {
    if world.profile.authentication == Authentication::None {
        return Ok(Bearer::Anyone);
    }
    let token = request.bearer().ok_or("The header 'Authorization: Bearer …' is missing.")?;
    let audiences: Vec<&str> = audiences.iter().map(String::as_str).collect();
    let verified = world.tokens.verify(token, &audiences, world.clock.wall());
    verified.map(Bearer::Known).map_err(|error| format!("Authentication failed: {error}."))
}
