//! `eaiser status`: a whole cluster on one screen.

mod gather;
mod overview;
mod pods;
mod screen;

use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, ValueEnum};
use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt;

use super::kubernetes::{self, Connection, Error, Kubernetes};
use super::text;
use overview::Overview;

/// Arguments of `eaiser status`.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    /// The cluster; default: the only one of the namespace, or a table of all
    name: Option<String>,
    #[command(flatten)]
    connection: Connection,
    /// Every cluster of every namespace, as a table
    #[arg(short = 'A', long, conflicts_with_all = ["name", "namespace"])]
    all_namespaces: bool,
    /// Draw again every two seconds until interrupted
    #[arg(short, long)]
    watch: bool,
    /// Form of the output
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
}

const EXAMPLES: &str = "Examples:
  eaiser status                        the only cluster of the context's namespace
  eaiser status eaiser -n shop         one cluster
  eaiser status -n shop --watch        stay and draw it again every two seconds
  eaiser status -A                     a table of all clusters
  eaiser status eaiser -o json | jq '.[0].conditions'
  kubectl eaiser status eaiser         the same, with this program on the PATH as kubectl-eaiser

It shows what the operator last reported and what the API server says about the pods; it asks no
database. Only conditions that are not as they should be are listed.

Exit codes: 0 every cluster shown is Ready, 3 one is not, 1 an error.";

/// Exit code when a cluster is not Ready.
const NOT_READY: u8 = 3;
/// Between two frames of `--watch`.
const PAUSE: Duration = Duration::from_secs(2);

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Output {
    #[default]
    Text,
    Json,
}

/// Shows the cluster, or the table of clusters.
pub(super) fn run(arguments: &Arguments) -> ExitCode {
    let shown = kubernetes::block_on(async {
        let kubernetes = arguments.connection.open().await?;
        if arguments.watch { watch(arguments, &kubernetes).await } else { once(arguments, &kubernetes).await }
    });
    match shown {
        Ok(Ok(true)) => ExitCode::SUCCESS,
        Ok(Ok(false)) => ExitCode::from(NOT_READY),
        Ok(Err(error)) => super::fail(&error),
        Err(error) => super::fail(&error),
    }
}

/// Whether every cluster shown is Ready.
async fn once(arguments: &Arguments, kubernetes: &Kubernetes) -> Result<bool, Error> {
    let overviews = look(arguments, kubernetes).await?;
    let text = match arguments.output {
        Output::Text => draw(arguments, &overviews),
        // Types with string keys only, so serialization cannot fail.
        Output::Json => serde_json::to_string_pretty(&overviews).unwrap_or_default(),
    };
    anstream::println!("{text}");
    Ok(are_ready(&overviews))
}

/// Draws until Ctrl-C. Where nobody looks at a terminal, one line per change is printed instead.
async fn watch(arguments: &Arguments, kubernetes: &Kubernetes) -> Result<bool, Error> {
    let mut last = look(arguments, kubernetes).await?;
    let mut told = String::new();
    let mut problem = None;
    let mut interval = tokio::time::interval(PAUSE);
    let on_a_terminal = arguments.output == Output::Text && std::io::stdout().is_terminal();
    if on_a_terminal {
        anstream::print!("\u{1b}[2J");
    }
    loop {
        if on_a_terminal {
            let mut frame = draw(arguments, &last);
            if let Some(problem) = &problem {
                frame.push_str(&text::paint(text::BAD, &format!("\nnot current: {problem}")));
            }
            // Overwriting from the top flickers less than clearing first.
            anstream::print!("\u{1b}[H{}\u{1b}[K\n\u{1b}[J", frame.replace('\n', "\u{1b}[K\n"));
            let _ = std::io::stdout().flush();
        } else {
            let lines = changes(arguments.output, &last);
            if lines != told {
                println!("{lines}");
                told = lines;
            }
        }
        tokio::select! {
            _ = tokio::signal::ctrl_c() => return Ok(are_ready(&last)),
            _ = interval.tick() => {}
        }
        match look(arguments, kubernetes).await {
            Ok(overviews) => (last, problem) = (overviews, None),
            Err(error) => problem = Some(error.to_string()),
        }
    }
}

fn changes(output: Output, overviews: &[Overview]) -> String {
    let line = |overview: &Overview| match output {
        Output::Json => serde_json::to_string(overview).unwrap_or_default(),
        Output::Text => {
            format!("{}/{} {}: {}", overview.namespace, overview.name, overview.phase, overview.message)
        }
    };
    overviews.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn are_ready(overviews: &[Overview]) -> bool {
    overviews.iter().all(|overview| overview.ready)
}

fn draw(arguments: &Arguments, overviews: &[Overview]) -> String {
    let width = text::width();
    match overviews {
        [one] if !arguments.all_namespaces => screen::draw(one, width),
        all => screen::table(all, width),
    }
}

/// The clusters asked for; only one that is shown alone is looked at in depth.
async fn look(arguments: &Arguments, kubernetes: &Kubernetes) -> Result<Vec<Overview>, Error> {
    let clusters = match &arguments.name {
        Some(name) => vec![kubernetes.existing_cluster(name).await?],
        None if arguments.all_namespaces => kubernetes.clusters(None).await?,
        None => kubernetes.clusters(Some(&kubernetes.namespace)).await?,
    };
    let everywhere = || "any".to_owned();
    if clusters.is_empty() {
        let namespace = if arguments.all_namespaces { everywhere() } else { kubernetes.namespace.clone() };
        return Err(Error::NoCluster { namespace });
    }
    let in_depth = clusters.len() == 1 && !arguments.all_namespaces;
    let mut overviews = Vec::new();
    for cluster in clusters {
        let namespace = cluster.namespace().unwrap_or_default();
        let found = if in_depth {
            gather::gather(kubernetes, &namespace, cluster).await?
        } else {
            gather::Found::only(cluster)
        };
        overviews.push(Overview::new(&found, now()));
    }
    Ok(overviews)
}

#[allow(clippy::disallowed_methods, reason = "ages are shown relative to the moment of drawing")]
fn now() -> Timestamp {
    Timestamp::now()
}
