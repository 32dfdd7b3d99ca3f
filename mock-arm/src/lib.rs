//! A fake Azure cloud: Resource Manager, Entra ID and the Arc data plane on one listener.

pub mod admin;
pub mod lro;
pub mod profile;
pub mod providers;
pub mod store;
pub mod surfaces;
pub mod world;
