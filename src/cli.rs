//! The command line: arguments, and one file per command.

mod calibrate;
mod crd;
mod fields;
mod input;
mod kubernetes;
mod monitoring;
mod operator;
mod plan;
mod simulate;
mod status;
mod svg;
mod text;

use std::path::Path;
use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

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
  eaiser plan -f eaiser.yaml --cluster             see what applying a file would change
  eaiser simulate --shape flash-crowd              see a load played through a plan
  eaiser calibrate results.json                    make a profile of your own load tests
  eaiser status eaiser -n shop                     see a live cluster on one screen
  eaiser operator --log-format text                run the operator against $KUBECONFIG";

#[derive(Subcommand, Debug)]
enum Command {
    /// Run the operator
    Operator(operator::Arguments),
    /// Print the CustomResourceDefinition as YAML
    Crd,
    /// Print docs/fields.md
    #[command(hide = true)]
    Fields,
    /// Show what a file would become, or what it would change about the live cluster
    Plan(plan::Arguments),
    /// Play a load through the plan: instances, response times, refused requests, cost, over time
    Simulate(simulate::Arguments),
    /// Turn load tests of one instance into the profile that plans rest on
    Calibrate(calibrate::Arguments),
    /// Show a live cluster on one screen: capacity, pods and their roles, conditions, events
    Status(status::Arguments),
    /// Print what monitors the whole installation: the dashboard, or the operator's own alerts
    Monitoring(monitoring::Arguments),
}

/// Parses the process' arguments and runs the command.
pub fn main() -> ExitCode {
    let parsed = command(std::env::args_os().next().as_deref().map(Path::new)).try_get_matches();
    let parsed = parsed.and_then(|matches| {
        let given = matches.subcommand_matches("plan").map(plan::given).unwrap_or_default();
        Ok((Arguments::from_arg_matches(&matches)?, given))
    });
    let (arguments, given) = match parsed {
        Ok(parsed) => parsed,
        Err(error) => {
            // Nowhere is left to say that even this cannot be printed.
            let _ = error.print();
            // 2 means "something would change", so wrong usage is an error like any other.
            return if error.use_stderr() { ExitCode::FAILURE } else { ExitCode::SUCCESS };
        }
    };
    match arguments.command {
        Command::Operator(arguments) => operator::run(arguments),
        Command::Crd => crd::run(),
        Command::Fields => fields::run(),
        Command::Plan(arguments) => plan::run(&arguments, &given),
        Command::Simulate(arguments) => simulate::run(&arguments),
        Command::Calibrate(arguments) => calibrate::run(&arguments),
        Command::Status(arguments) => status::run(&arguments),
        Command::Monitoring(arguments) => monitoring::run(&arguments),
    }
}

/// The command as it was called: kubectl starts a plugin under its file's name.
fn command(program: Option<&Path>) -> clap::Command {
    let is_plugin = program.and_then(Path::file_name).is_some_and(|name| name == "kubectl-eaiser");
    let command = Arguments::command();
    if is_plugin { command.bin_name("kubectl eaiser") } else { command }
}

/// Prints an error with its causes and returns exit code 1.
fn fail(error: &dyn std::error::Error) -> ExitCode {
    let mut said = error.to_string();
    eprintln!("error: {said}");
    let mut cause = error.source();
    while let Some(error) = cause {
        // Many errors repeat their cause in their own text.
        let text = error.to_string();
        if !said.contains(&text) {
            eprintln!("  caused by: {text}");
            said = text;
        }
        cause = error.source();
    }
    ExitCode::FAILURE
}
