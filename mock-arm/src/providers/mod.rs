//! Resource providers.

pub mod kubernetes;
