//! One conformance suite for two servers: the same requests, sent to the embedded cluster and to a real API server.
//!
//! Cases are data (`fixtures/conformance/cases/*.yaml`). What a real Kubernetes answered stands under
//! `fixtures/conformance/recorded`, together with a hash of the cases that it was recorded for. What differs between runs
//! (ids, times, revisions, drawn names and addresses) is taken out on both sides before they are compared; everything
//! else counts: status codes, warnings, and every field of every body. Known differences stand, with their reasons, in
//! `fixtures/conformance/differences.yaml`.

mod case;
mod normal;
mod report;
mod run;
mod server;
mod store;

pub use case::{Case, CaseFile, Step};
pub use report::{Difference, Verdict, judge, table};
pub use run::{Outcome, run_case};
pub use server::{REAL_KUBECONFIG, Target};
pub use store::{Differences, Recording, folder, read_cases, read_recording, write_recording};
