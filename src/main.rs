//! The `eaiser` command; everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    eaiser_operator::cli::main()
}
