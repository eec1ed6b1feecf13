//! `eaiser crd`: the CustomResourceDefinition.

use std::io::Write;
use std::process::ExitCode;

use crate::crd;

/// Prints the definition.
pub(super) fn run() -> ExitCode {
    match crd::definition_yaml() {
        Ok(text) => match std::io::stdout().write_all(text.as_bytes()) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => super::fail(&error),
        },
        Err(error) => super::fail(&error),
    }
}
