//! `eaiser plan -f FILE`: derived numbers with their arithmetic, and every object.

mod table;

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use crate::desired::{self, Desired};
use crate::manifest;
use crate::plan::Plan;
use crate::settings::Settings;
use crate::snapshot::{ServedKinds, Snapshot};

/// Arguments of `eaiser plan`.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    /// File with one or more EaiserClusters; `-` reads standard input
    #[arg(short, long)]
    filename: PathBuf,
    /// Form of the output; json and yaml hold the objects in full
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
    /// Plan for an API server with prometheus-operator's kinds
    #[arg(long)]
    prometheus_operator: bool,
    #[command(flatten)]
    settings: Settings,
}

const EXAMPLES: &str = "Examples:
  eaiser plan -f eaiser.yaml
  kubectl get eac eaiser -o yaml | eaiser plan -f -
  eaiser plan -f eaiser.yaml -o json | jq '.[0].capacity.constraints'

Exit codes: 0 the plan stands, 1 the file has problems (all are printed, with their fields).";

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum Output {
    #[default]
    Table,
    Json,
    Yaml,
}

#[derive(Debug, thiserror::Error)]
enum Error {
    #[error("cannot read {path}")]
    Read { path: String, source: std::io::Error },
    #[error("cannot use {path}")]
    File { path: String, source: Box<manifest::Error> },
}

/// Plans the file and prints the result, or every problem.
pub(super) fn run(arguments: &Arguments) -> ExitCode {
    let documents = match documents(&arguments.filename) {
        Ok(documents) => documents,
        Err(error) => return super::fail(&error),
    };
    let mut plans = Vec::new();
    let mut failed = false;
    for document in &documents {
        match manifest::plan(document, &arguments.settings) {
            Ok(plan) => plans.push(plan),
            Err(problems) => {
                failed = true;
                let name =
                    document.pointer("/metadata/name").and_then(Value::as_str).unwrap_or("without a name");
                eprintln!("error: EaiserCluster {name} has {} problem(s):", problems.0.len());
                for problem in &problems.0 {
                    eprintln!("  {problem}");
                }
            }
        }
    }
    if failed {
        return ExitCode::FAILURE;
    }
    print(arguments, &plans)
}

fn documents(path: &Path) -> Result<Vec<Value>, Error> {
    let shown = path.display().to_string();
    let mut text = String::new();
    let read = if path == Path::new("-") {
        std::io::stdin().read_to_string(&mut text).map(drop)
    } else {
        std::fs::read_to_string(path).map(|content| text = content)
    };
    read.map_err(|source| Error::Read { path: shown.clone(), source })?;
    manifest::clusters(&text).map_err(|source| Error::File { path: shown, source: Box::new(source) })
}

fn print(arguments: &Arguments, plans: &[Plan]) -> ExitCode {
    let offered = arguments.prometheus_operator;
    let served = ServedKinds { prometheus_rules: offered, service_monitors: offered };
    let rendered: Vec<(&Plan, Desired)> =
        plans.iter().map(|plan| (plan, desired::build(plan, &Snapshot::offline(served)))).collect();
    let text = match arguments.output {
        Output::Table => Ok(rendered.iter().map(|(plan, desired)| table::render(plan, desired)).collect()),
        Output::Json => {
            serde_json::to_string_pretty(&documents_of(&rendered)).map_err(|error| error.to_string())
        }
        Output::Yaml => serde_saphyr::to_string(&documents_of(&rendered)).map_err(|error| error.to_string()),
    };
    match text {
        Ok(text) => {
            println!("{}", text.trim_end());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: cannot print the plan: {error}");
            ExitCode::FAILURE
        }
    }
}

fn documents_of(rendered: &[(&Plan, Desired)]) -> Vec<Value> {
    rendered.iter().map(|(plan, desired)| document(plan, desired)).collect()
}

/// The machine-readable form: numbers under stable names, then the objects.
fn document(plan: &Plan, desired: &Desired) -> Value {
    let constraints: Vec<Value> = plan
        .capacity
        .constraints
        .iter()
        .map(|constraint| {
            json!({"name": constraint.name, "replicas": constraint.replicas, "arithmetic": constraint.arithmetic})
        })
        .collect();
    json!({
        "namespace": plan.identity.namespace,
        "name": plan.identity.name,
        "capacity": {
            "minReplicas": plan.capacity.min_replicas,
            "maxReplicas": plan.capacity.max_replicas,
            "binding": plan.capacity.binding,
            "headroomPercent": plan.capacity.headroom_percent,
            "constraints": constraints,
        },
        "derived": table::facts(plan).into_iter().map(|fact| (fact.name.to_owned(), json!(fact.value))).collect::<serde_json::Map<_, _>>(),
        "objects": desired.objects(),
    })
}
