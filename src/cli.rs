//! The command line: arguments, and one file per command.

mod crd;
mod operator;
mod plan;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Looks after EaiserClusters: FastAPI behind Nginx, a MongoDB replica set, a Redis Cluster,
/// monitoring and autoscaling out of one resource.
#[derive(Parser, Debug)]
#[command(name = "eaiser", version, arg_required_else_help = true, after_help = EXAMPLES)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "Examples:
  eaiser crd | kubectl apply --server-side -f -    install the custom resource
  eaiser plan -f examples/eaiser.yaml              see the derived numbers and every object
  eaiser plan -f eaiser.yaml -o json | jq .capacity
  eaiser operator --log-format text                run the operator against $KUBECONFIG";

#[derive(Subcommand, Debug)]
enum Command {
    /// Run the operator
    Operator(operator::Arguments),
    /// Print the CustomResourceDefinition as YAML
    Crd,
    /// Show what a file would become: derived numbers with their arithmetic, and every object
    Plan(plan::Arguments),
}

/// Parses the process' arguments and runs the command.
pub fn main() -> ExitCode {
    match Arguments::parse().command {
        Command::Operator(arguments) => operator::run(arguments),
        Command::Crd => crd::run(),
        Command::Plan(arguments) => plan::run(&arguments),
    }
}

/// Prints an error with its causes and returns exit code 1.
fn fail(error: &dyn std::error::Error) -> ExitCode {
    eprintln!("error: {error}");
    let mut cause = error.source();
    while let Some(error) = cause {
        eprintln!("  caused by: {error}");
        cause = error.source();
    }
    ExitCode::FAILURE
}
