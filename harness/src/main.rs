//! The `dryarc` command.
fn main() {}
