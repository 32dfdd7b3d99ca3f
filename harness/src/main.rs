//! The `dryarc` command.

fn main() -> std::process::ExitCode {
    harness::cli::main()
}
