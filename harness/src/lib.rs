//! dryarc: Azure Arc onboarding, dry-run.
//!
//! - [`state`]: where worlds keep their files, who owns them.
//! - [`client_env`]: what client programs need in order to live in a world.
pub mod client_env;
pub mod state;
