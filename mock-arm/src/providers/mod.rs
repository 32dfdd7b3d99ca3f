//! Resource providers: values behind one seam, so that the next one is one folder.
//!
//! - [`target`]: what a path addresses; [`seam`]: the trait, the call and the reply; [`refusal`]: typed errors.
//! - [`catalog`]: which namespaces, types, versions and regions there are; [`registry`]: who answers what.
//! - [`resources`]: Resource Manager itself; [`deployments`]: templates; [`authorization`]: locks and roles; [`features`]: feature registration.
//! - [`kubernetes`]: connected clusters; [`configuration`]: their extensions; [`extended_location`]: custom locations;
//!   [`hybrid_compute`]: private link scopes and gateways. [`tracked`] is what resources of all of them have in common.

pub mod authorization;
pub mod catalog;
pub mod configuration;
pub mod deployments;
pub mod extended_location;
pub mod features;
pub mod hybrid_compute;
pub mod kubernetes;
mod page;
pub mod refusal;
mod registering;
pub mod registry;
pub mod resources;
pub mod seam;
pub mod tags;
pub mod target;
#[cfg(test)]
mod tests;
mod tracked;

pub use refusal::Refusal;
pub use registry::Registry;
