//! `eaiser monitoring`: what belongs to the whole installation rather than to one cluster.

use std::io::Write;
use std::process::ExitCode;

use clap::{Args, ValueEnum};

use crate::desired::monitoring::{dashboard, operator, rules};

/// Arguments of `eaiser monitoring`.
#[derive(Args, Debug)]
pub(super) struct Arguments {
    /// What to print
    #[arg(value_enum)]
    part: Part,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Part {
    /// Grafana's dashboard of every cluster, as JSON
    Dashboard,
    /// Alerts about the operator itself, as a rule file of Prometheus
    OperatorRules,
}

/// Prints the part.
pub(super) fn run(arguments: &Arguments) -> ExitCode {
    let text = match arguments.part {
        Part::Dashboard => dashboard::json(),
        Part::OperatorRules => rules::file(&operator::rules()),
    };
    match std::io::stdout().write_all(text.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => super::fail(&error),
    }
}
