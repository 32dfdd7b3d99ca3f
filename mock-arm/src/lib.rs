//! A fake Azure cloud: Resource Manager, Entra ID and the Arc data plane on one listener.
//!
//! Floors, from the top; each knows only lower ones: [`server`] (bind, drive, stop) and [`admin`]; [`front`] (HTTP);
//! [`providers`] and [`surfaces`] (what Azure does); [`lro`] (operations as rows); [`store`] (rows). [`world`] and
//! [`profile`] are what they share.

pub mod admin;
pub mod front;
pub mod lro;
pub mod profile;
pub mod providers;
pub mod relay;
pub mod server;
pub mod store;
pub mod surfaces;
pub mod world;

pub use profile::Profile;
pub use server::{Cloud, CloudConfig, StartError};
pub use world::World;
