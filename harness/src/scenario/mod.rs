//! The failure laboratory: failures of the field as scenarios, each with its remedy.
//!
//! A scenario is a YAML file ([`Scenario`]): a world, what goes wrong in it, what the user does, what the user then sees, and
//! a second act that must succeed. [`run_all`] performs scenarios, each in a world of its own in this process; reports are
//! for people ([`terminal`]), programs ([`report`]) and pipelines ([`junit`]).

pub mod bisect;
pub mod canonical;
mod driver;
mod expect;
pub mod html;
pub mod junit;
mod library;
mod model;
mod read;
pub mod recall;
pub mod report;
mod run;
pub mod schema;
mod step;
pub mod terminal;

pub use driver::{AzExpect, Driver};
pub use expect::{ArmCheck, ClientExpect, ClusterCheck, Expect, JournalCheck, TimeCheck};
pub use library::{built_in, text_of};
pub use model::{Fields, NetworkSpec, Remedy, Scenario, Span, Texts, WorldSpec};
pub use read::ScenarioError;
pub use report::{Report, Verdict};
pub use run::{Outcome, RunOptions, STALLED, STALLED_WITH_PROGRAMS, run, run_all};
pub use step::{
    ArmCall, CLUSTER, Environment, GROUP, Group, Kubeconfig, LOCATION, Offboard, Onboard, PLACES, Patch,
    Provider, Register, Step, Wait, Who,
};
