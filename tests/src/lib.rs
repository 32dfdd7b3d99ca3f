//! What the test tiers share: running the command under test, finding real clients, comparing transcripts.
//!
//! Nothing here talks to anything but loopback, and every world lives in a state directory of its own.

pub mod cache;
pub mod charts;
pub mod clients;
pub mod command;
pub mod conformance;
pub mod docker;
pub mod exchanges;
pub mod kubeconfig;
pub mod normalize;
pub mod pipelines;
pub mod polls;
pub mod programs;
pub mod readme;
pub mod repository;
pub mod sbom;
pub mod sdks;
pub mod seen;
pub mod seen_options;
pub mod transcript;
pub mod waiting;
