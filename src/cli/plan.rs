//! `eaiser plan`: what a file would become, offline or held against the live cluster.

mod comparison;
mod live;
mod report;
mod restarts;
mod settings;
pub(super) mod table;
mod what_if;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::kubernetes::{self, Connection};
use super::{input, text};
use crate::desired::{self, Desired};
use crate::manifest;
use crate::plan::Plan;
use crate::settings::Settings;
use crate::snapshot::{Certificates, Children, ServedKinds, Snapshot};

/// Arguments of `eaiser plan`.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    /// With --cluster and without a file: the cluster to look at; default: all of the namespace
    #[arg(requires = "cluster", conflicts_with = "filename")]
    name: Option<String>,
    /// File with one or more EaiserClusters; `-` reads standard input
    #[arg(short, long, required_unless_present_any = ["cluster", "users"])]
    filename: Option<PathBuf>,
    /// What if: these numbers of users instead of the file's, or of a spec of defaults, side by side
    #[arg(short, long, value_delimiter = ',', conflicts_with = "cluster", value_name = "N,…")]
    users: Vec<i64>,
    /// Compare with the live cluster: what would be created, changed, deleted and restarted
    #[arg(short, long)]
    cluster: bool,
    #[command(flatten)]
    connection: Connection,
    /// Form of the output; json and yaml hold everything in full
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
    /// Plan for an API server with prometheus-operator's kinds; with --cluster the server tells
    #[arg(long, conflicts_with = "cluster")]
    prometheus_operator: bool,
    #[command(flatten)]
    settings: Settings,
}

const EXAMPLES: &str = "Examples:
  eaiser plan -f eaiser.yaml                      what the file becomes, offline
  eaiser plan -f eaiser.yaml --cluster            what applying it would change, and restart
  eaiser plan --cluster eaiser -n shop            what the operator would change right now
  eaiser plan --users 20000,50000,100000          instances, cost and response times at each, by default
  eaiser plan --users 50000 -f eaiser.yaml        the same for the spec of a file
  eaiser plan -f eaiser.yaml -o json | jq '.[0].capacity.constraints'

--cluster reads with your own rights, writes nothing and asks no database. Values of Secrets are never
shown. Images that the spec leaves open are those the running operator uses.

Exit codes: 0 the plan stands and, with --cluster, nothing would change; 1 an error, or a file with
problems (all are printed, with their fields); 2 with --cluster: something would change.";

/// Exit code of `--cluster` when something would change.
const CHANGES: u8 = 2;

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum Output {
    #[default]
    Table,
    Json,
    Yaml,
}

#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error("cannot read {path}")]
    Read { path: String, source: std::io::Error },
    #[error("cannot use {path}")]
    File { path: String, source: Box<manifest::Error> },
}

pub(super) use settings::{Given, given};
pub(super) use what_if::{default_document, right_aligned};

/// Plans and prints the result, or every problem.
pub(super) fn run(arguments: &Arguments, given: &Given) -> ExitCode {
    if arguments.cluster {
        return compare(arguments, given);
    }
    if arguments.connection.namespace.is_some() || arguments.connection.context.is_some() {
        eprintln!(
            "error: --namespace and --context need --cluster: a plan of a file alone asks no API server"
        );
        return ExitCode::FAILURE;
    }
    let documents = match arguments.filename.as_deref().map(documents) {
        Some(Ok(documents)) => documents,
        Some(Err(error)) => return super::fail(&error),
        None => vec![what_if::default_document()],
    };
    if !arguments.users.is_empty() {
        return ask_what_if(arguments, &documents);
    }
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

fn ask_what_if(arguments: &Arguments, documents: &[Value]) -> ExitCode {
    let [document] = documents else {
        eprintln!("error: --users takes a file with one EaiserCluster; this one has {}", documents.len());
        return ExitCode::FAILURE;
    };
    let rows = what_if::rows(document, &arguments.users, &arguments.settings);
    let printed = show(match arguments.output {
        Output::Table => Ok(what_if::render(&rows)),
        Output::Json => serde_json::to_string_pretty(&rows).map_err(|error| error.to_string()),
        Output::Yaml => serde_saphyr::to_string(&rows).map_err(|error| error.to_string()),
    });
    if rows.iter().any(what_if::Row::fails) { ExitCode::FAILURE } else { printed }
}

fn compare(arguments: &Arguments, given: &Given) -> ExitCode {
    let question = live::Question {
        filename: arguments.filename.as_deref(),
        name: arguments.name.as_deref(),
        connection: &arguments.connection,
        given,
    };
    let comparisons = match kubernetes::block_on(live::compare(&question)) {
        Ok(Ok(comparisons)) => comparisons,
        Ok(Err(error)) => return super::fail(&error),
        Err(error) => return super::fail(&error),
    };
    let has_changes = comparisons.iter().any(comparison::Comparison::has_changes);
    let width = text::width();
    let printed = match arguments.output {
        Output::Table => {
            let reports = comparisons.iter().map(|comparison| report::render(comparison, width));
            anstream::println!("{}", reports.collect::<Vec<_>>().join("\n").trim_end());
            ExitCode::SUCCESS
        }
        Output::Json => show(serde_json::to_string_pretty(&comparisons).map_err(|error| error.to_string())),
        Output::Yaml => show(serde_saphyr::to_string(&comparisons).map_err(|error| error.to_string())),
    };
    if has_changes && printed == ExitCode::SUCCESS { ExitCode::from(CHANGES) } else { printed }
}

fn show(text: Result<String, String>) -> ExitCode {
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

/// The EaiserClusters of a file, or of standard input.
pub(super) fn documents(path: &Path) -> Result<Vec<Value>, Error> {
    let shown = path.display().to_string();
    let text = input::read(path).map_err(|source| Error::Read { path: shown.clone(), source })?;
    manifest::clusters(&text).map_err(|source| Error::File { path: shown, source: Box::new(source) })
}

fn print(arguments: &Arguments, plans: &[Plan]) -> ExitCode {
    let offered = arguments.prometheus_operator;
    let served = ServedKinds { prometheus_rules: offered, service_monitors: offered };
    let offline = |plan| {
        let certificates = Certificates::placeholder(plan, &Children::default());
        desired::build(plan, &Snapshot { certificates, ..Snapshot::offline(served) })
    };
    let rendered: Vec<(&Plan, Desired)> = plans.iter().map(|plan| (plan, offline(plan))).collect();
    let text = match arguments.output {
        Output::Table => Ok(rendered.iter().map(|(plan, desired)| table::render(plan, desired)).collect()),
        Output::Json => {
            serde_json::to_string_pretty(&documents_of(&rendered)).map_err(|error| error.to_string())
        }
        Output::Yaml => serde_saphyr::to_string(&documents_of(&rendered)).map_err(|error| error.to_string()),
    };
    show(text)
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
