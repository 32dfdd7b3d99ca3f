//! Wire types of Azure Resource Manager and of the Arc agents' protocol.
//!
//! Tolerant by intent: what a reader does not know survives a round trip. No HTTP, no clock, no runtime.

pub mod agent;
pub mod connected_cluster;
pub mod envelope;
pub mod error;
pub mod group;
pub mod ids;
pub mod provider;
