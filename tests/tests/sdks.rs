//! Programs of several languages' SDKs, written as their users write them, against a world of each.

use std::path::PathBuf;
use std::process::ExitCode;

use libtest_mimic::Arguments;

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    // Each test has a world with a dozen processes of its own.
    arguments.test_threads = arguments.test_threads.or(Some(2));
    let program = PathBuf::from(env!("CARGO_BIN_EXE_dryarc-under-test"));
    libtest_mimic::run(&arguments, e2e_tests::sdks::trials(program)).exit_code()
}
