//! Resource providers: values behind one seam, so that the next one is one folder.
//!
//! - [`target`]: what a path addresses; [`seam`]: the trait, the call and the reply; [`refusal`]: typed errors.
//! - [`catalog`]: which namespaces, types, versions and regions there are; [`registry`]: who answers what.
//! - [`resources`]: Resource Manager itself; [`kubernetes`]: connected clusters.

pub mod catalog;
pub mod kubernetes;
mod page;
pub mod refusal;
pub mod registry;
pub mod resources;
pub mod seam;
pub mod tags;
pub mod target;
#[cfg(test)]
mod tests;

pub use refusal::Refusal;
pub use registry::Registry;
