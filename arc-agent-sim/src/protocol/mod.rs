//! The agents' side of their protocol with Azure: identity service, token endpoint, data plane.

pub(crate) mod data_plane;
pub(crate) mod entra;
pub(crate) mod his;
pub(crate) mod jwk;
pub(crate) mod key;
