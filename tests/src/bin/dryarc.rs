//! The `dryarc` command as the tests run it.

fn main() -> std::process::ExitCode {
    harness::cli::main()
}
