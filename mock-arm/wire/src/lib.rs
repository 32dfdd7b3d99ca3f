//! Wire types of Azure Resource Manager and of the Arc agents' protocol.
//!
//! Tolerant by intent: what a reader does not know survives a round trip.

pub mod agent;
