//! `eaiser simulate`: a load played through the plan, before users play it.

mod chart;
mod table;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::input;
use super::plan::{default_document, documents};
use crate::crd::EaiserCluster;
use crate::manifest;
use crate::plan::{Plan, Problems};
use crate::settings::Settings;
use crate::simulate::shape::{Played, Shape};
use crate::simulate::summary::{self, Stretch, Totals};
use crate::simulate::trace::{Fault, Trace};
use crate::simulate::{self, Run, Surroundings};

/// Arguments of `eaiser simulate`.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    /// CSV file of a load, as below; `-` reads standard input
    #[arg(required_unless_present = "shape", conflicts_with = "shape")]
    trace: Option<PathBuf>,
    /// A built-in load instead of a file
    #[arg(short, long, value_enum)]
    shape: Option<Load>,
    /// Users at the peak of the shape; default: those of the spec, or 100000
    #[arg(short, long, requires = "shape", value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    users: Option<u32>,
    /// How long the shape lasts: 90s, 30m, 24h; default: a day for day, an hour for the others
    #[arg(short, long, requires = "shape", value_parser = duration)]
    duration: Option<u32>,
    /// Percent by which each second of the shape may differ, either way
    #[arg(long, requires = "shape", default_value_t = 0.0, value_parser = percent)]
    noise: f64,
    /// Which noise: the same seed gives the same noise
    #[arg(long, requires = "noise", default_value_t = 0)]
    seed: u64,
    /// File with the EaiserCluster to simulate; default: a spec of defaults for the peak
    #[arg(short, long)]
    filename: Option<PathBuf>,
    /// Instances at the start; default: what the first load needs
    #[arg(long, value_parser = clap::value_parser!(i64).range(0..=10_000))]
    replicas: Option<i64>,
    /// Seconds from a wish for a pod until it gets requests
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(0..=3600))]
    startup_seconds: u32,
    /// Age of the metrics that the autoscaler reads, in seconds
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(0..=600))]
    metric_delay_seconds: u32,
    /// Price of one instance for one hour, in any currency
    #[arg(long, value_parser = price)]
    price_per_hour: Option<f64>,
    /// Form of the output; json holds every sync of the autoscaler
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
    /// Write a chart to this file
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
}

const EXAMPLES: &str = "Examples:
  eaiser simulate --shape flash-crowd                         a spec of defaults for 100,000 users
  eaiser simulate --shape step --users 50000 -f eaiser.yaml   a spec of yours
  eaiser simulate --shape day --price-per-hour 0.12 --svg day.svg
  eaiser simulate monday.csv -f eaiser.yaml -o json | jq '.intervals[] | select(.refused > 0)'

The CSV file has lines of seconds,users[,requests_per_second]. A line holds until the next one; the last line is the end.

Simulated: the plan of the spec, the HorizontalPodAutoscaler controller (syncs each 15 s, tolerance 0.1,
stabilization, policies) over two metrics, connections at the gateway and requests in flight, pods that
need time to start, and a closed queue per instance behind the gateway's limit. Not simulated: container
CPU as a third metric, failures, slow databases, the wait for nodes.

Exit codes: 0 simulated, whatever came out; 1 an error, or a file with problems (all are printed).";

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Load {
    Constant,
    Step,
    Ramp,
    Day,
    FlashCrowd,
}

impl Load {
    fn shape(self) -> Shape {
        match self {
            Self::Constant => Shape::Constant,
            Self::Step => Shape::Step,
            Self::Ramp => Shape::Ramp,
            Self::Day => Shape::Day,
            Self::FlashCrowd => Shape::FlashCrowd,
        }
    }

    fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }

    fn usual_seconds(self) -> u32 {
        if matches!(self, Self::Day) { 86_400 } else { 3600 }
    }
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum Output {
    #[default]
    Table,
    Json,
}

/// Users of a shape when nothing says how many.
const USUAL_USERS: u32 = 100_000;

#[derive(Debug, thiserror::Error)]
enum Error {
    #[error("cannot use {path}")]
    Spec { path: String, source: Box<dyn std::error::Error> },
    #[error("{path} has {count} EaiserClusters; simulate takes a file with one")]
    Count { path: String, count: usize },
    #[error("cannot read {path}")]
    Read { path: String, source: std::io::Error },
    #[error("{path} is no trace:\n  {}", lines(faults))]
    Trace { path: String, faults: Vec<Fault> },
    #[error("the EaiserCluster has {} problem(s):\n  {}", .0.0.len(), lines(&.0.0))]
    Problems(Problems),
    #[error("cannot write {path}")]
    Write { path: String, source: std::io::Error },
    #[error("cannot print the result")]
    Print(#[from] serde_json::Error),
}

fn lines<T: ToString>(items: &[T]) -> String {
    items.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n  ")
}

/// Simulates and prints.
pub(super) fn run(arguments: &Arguments) -> ExitCode {
    match simulated(arguments) {
        Ok(text) => {
            println!("{}", text.trim_end());
            ExitCode::SUCCESS
        }
        Err(error) => super::fail(&error),
    }
}

/// Everything that table, JSON and chart tell of.
struct Report {
    title: String,
    run: Run,
    totals: Totals,
    phases: Vec<Stretch>,
    worst: Vec<Stretch>,
    max_in_flight: i64,
}

fn simulated(arguments: &Arguments) -> Result<String, Error> {
    let document = arguments.filename.as_deref().map(one_document).transpose()?;
    let (title, trace) = load(arguments, document.as_ref())?;
    let document = document.unwrap_or_else(|| spec_for(trace.most_users()));
    let (plan, cluster) = planned(document)?;
    let surroundings = Surroundings {
        startup_seconds: arguments.startup_seconds,
        metric_delay_seconds: arguments.metric_delay_seconds,
        replicas: arguments.replicas,
    };
    let run = simulate::run(&plan, &cluster.spec.capacity.instance, surroundings, &trace);
    let report = Report {
        title,
        totals: summary::totals(&run, arguments.price_per_hour),
        phases: summary::phases(&run),
        worst: summary::worst_moments(&run),
        max_in_flight: plan.api.max_in_flight,
        run,
    };
    if let Some(path) = &arguments.svg {
        std::fs::write(path, chart::draw(&report))
            .map_err(|source| Error::Write { path: path.display().to_string(), source })?;
    }
    match arguments.output {
        Output::Table => Ok(table::render(&report)),
        Output::Json => Ok(serde_json::to_string_pretty(&json!({
            "load": report.title,
            "minReplicas": report.run.bounds.0,
            "maxReplicas": report.run.bounds.1,
            "objectiveMilliseconds": report.run.objective_milliseconds,
            "totals": report.totals,
            "phases": report.phases,
            "worstMoments": report.worst,
            "intervals": report.run.intervals,
        }))?),
    }
}

/// The load with what to call it.
fn load(arguments: &Arguments, document: Option<&Value>) -> Result<(String, Trace), Error> {
    let Some(load) = arguments.shape else {
        let path = arguments.trace.as_deref().unwrap_or_else(|| Path::new("-"));
        return Ok((path.display().to_string(), read(path)?));
    };
    let of_spec = document.and_then(|document| document.pointer("/spec/capacity/users")?.as_u64());
    let of_spec = of_spec.and_then(|users| u32::try_from(users).ok());
    let users = arguments.users.or(of_spec).unwrap_or(USUAL_USERS);
    let played = Played {
        shape: load.shape(),
        users,
        seconds: arguments.duration.unwrap_or_else(|| load.usual_seconds()),
        noise_percent: arguments.noise,
        seed: arguments.seed,
    };
    Ok((format!("{} to {} users", load.name(), table::thousands(f64::from(users))), played.trace()))
}

fn read(path: &Path) -> Result<Trace, Error> {
    let shown = path.display().to_string();
    let text = input::read(path).map_err(|source| Error::Read { path: shown.clone(), source })?;
    Trace::parse(&text).map_err(|faults| Error::Trace { path: shown, faults })
}

fn one_document(path: &Path) -> Result<Value, Error> {
    let shown = path.display().to_string();
    let mut all =
        documents(path).map_err(|error| Error::Spec { path: shown.clone(), source: Box::new(error) })?;
    match all.pop() {
        Some(document) if all.is_empty() => Ok(document),
        last => Err(Error::Count { path: shown, count: all.len() + usize::from(last.is_some()) }),
    }
}

fn spec_for(users: u32) -> Value {
    let mut document = default_document();
    document["spec"]["capacity"]["users"] = json!(users.max(1));
    document
}

fn planned(document: Value) -> Result<(Plan, EaiserCluster), Error> {
    let plan = manifest::plan(&document, &Settings::default()).map_err(Error::Problems)?;
    // The plan stands, so the document parses.
    Ok((plan, serde_json::from_value(document)?))
}

/// 90s, 30m, 24h, 7d.
fn duration(text: &str) -> Result<u32, String> {
    const MOST: u32 = 31 * 86_400;
    let wrong = || format!("`{text}` is not a duration from 15s to 31d; write for example 90s, 30m or 24h");
    let unit = text.chars().last().ok_or_else(wrong)?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => 86_400,
        _ => return Err(wrong()),
    };
    let number: u32 = text.trim_end_matches(unit).parse().map_err(|_| wrong())?;
    number.checked_mul(seconds).filter(|seconds| (15..=MOST).contains(seconds)).ok_or_else(wrong)
}

fn percent(text: &str) -> Result<f64, String> {
    bounded(text, 100.0)
}

fn price(text: &str) -> Result<f64, String> {
    bounded(text, 1e9)
}

fn bounded(text: &str, most: f64) -> Result<f64, String> {
    let parsed = text.parse().ok().filter(|number: &f64| (0.0..=most).contains(number));
    parsed.ok_or_else(|| format!("`{text}` is not a number from 0 to {most}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_numbers_with_a_unit() {
        let good = [("90s", 90), ("30m", 1800), ("24h", 86_400), ("31d", 2_678_400)];
        assert!(good.iter().all(|(text, seconds)| duration(text) == Ok(*seconds)));
        for text in ["", "s", "90", "14s", "32d", "-1h", "1.5h", "1e3s", "99999999d", "10µ", "1h30m"] {
            assert!(duration(text).unwrap_err().contains("30m"), "{text}");
        }
    }

    #[test]
    fn a_price_is_a_number_and_not_a_negative_one() {
        assert_eq!(price("0.12"), Ok(0.12));
        for text in ["-1", "NaN", "inf", "", "1 €"] {
            assert!(price(text).is_err(), "{text}");
        }
    }
}
