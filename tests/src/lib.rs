//! Behaviours across crates, real-client suites and the rules of the repository.
