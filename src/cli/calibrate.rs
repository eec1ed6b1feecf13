//! `eaiser calibrate`: load-test results become an instance profile to paste into a spec.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use serde_json::json;

use super::input;
use super::plan::right_aligned;
use super::plan::table::indent;
use super::text::wrap;
use crate::calibrate::{Calibration, Warning, calibrate, results};
use crate::crd::InstanceProfile;

/// Arguments of `eaiser calibrate`.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    /// JSON file of load tests of one instance; `-` reads standard input
    results: PathBuf,
    /// Make a profile also where the tests do not reach: see what they would promise
    #[arg(long)]
    extrapolate: bool,
    /// Form of the output; yaml is the profile alone, json holds everything
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
}

const EXAMPLES: &str = "Examples:
  eaiser calibrate examples/report-profile.json          the performance report's five tests
  eaiser calibrate results.json -o yaml                  the profile, for spec.capacity.instance
  eaiser calibrate results.json -o json | jq .warnings

RESULTS is an array of tests, or an object with one under `tests`; each has concurrent_users,
requests_per_second, avg_response_time (seconds, or \"0.0075s\") and success_rate (percent, or \"100%\"), as
in the performance report. Three tests at least; one beyond the best, so that it shows where throughput
falls.

Exit codes: 0 the tests carry a profile; 1 an error, or tests that do not reach where the profile would
(all reasons are printed).";

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
    #[error("{path} holds no usable results:\n  {}", problems.join("\n  "))]
    Results { path: String, problems: Vec<String> },
    #[error("{path} cannot be calibrated: {problem}")]
    Model { path: String, problem: String },
    #[error("cannot print the result: {0}")]
    Print(String),
}

/// Calibrates and prints.
pub(super) fn run(arguments: &Arguments) -> ExitCode {
    let printed = calibrated(&arguments.results).and_then(|calibration| {
        let carries = calibration.refusals.is_empty() || arguments.extrapolate;
        Ok((rendered(&calibration, carries, arguments.output)?, calibration, carries))
    });
    match printed {
        Ok((text, calibration, carries)) => {
            if carries || !matches!(arguments.output, Output::Yaml) {
                println!("{}", text.trim_end());
            }
            if carries {
                return ExitCode::SUCCESS;
            }
            eprintln!("error: these tests carry no profile; --extrapolate makes one all the same:");
            for refusal in &calibration.refusals {
                eprintln!("  {}: {}", refusal.name, refusal.message);
            }
            ExitCode::FAILURE
        }
        Err(error) => super::fail(&error),
    }
}

fn calibrated(path: &Path) -> Result<Calibration, Error> {
    let shown = || path.display().to_string();
    let text = input::read(path).map_err(|source| Error::Read { path: shown(), source })?;
    let rows = results::parse(&text).map_err(|problems| Error::Results { path: shown(), problems })?;
    calibrate(&rows).map_err(|problem| Error::Model { path: shown(), problem })
}

fn rendered(calibration: &Calibration, carries: bool, output: Output) -> Result<String, Error> {
    let profile = carries.then(|| calibration.profile());
    let wrong = |error: &dyn std::fmt::Display| Error::Print(error.to_string());
    match output {
        Output::Table => {
            let mut text = table(calibration);
            if let Some(profile) = &profile {
                let yaml = yaml(profile).map_err(|error| wrong(&error))?;
                let inner: Vec<String> = yaml.lines().map(|line| format!("    {line}")).collect();
                // Writing to a String cannot fail.
                let _ = writeln!(text, "Profile for spec:\n  capacity:\n{}", inner.join("\n"));
            }
            Ok(text)
        }
        Output::Yaml => {
            profile.map_or_else(|| Ok(String::new()), |profile| yaml(&profile).map_err(|error| wrong(&error)))
        }
        Output::Json => {
            serde_json::to_string_pretty(&json!({"calibration": calibration, "instance": profile}))
                .map_err(|error| wrong(&error))
        }
    }
}

fn yaml(profile: &InstanceProfile) -> Result<String, serde_saphyr::SerializeError> {
    serde_saphyr::to_string(&json!({"instance": profile}))
}

fn table(calibration: &Calibration) -> String {
    let mut rows =
        right_aligned(&["users", "requests/s", "good/s", "mean", "in service", "think time", "users found"]);
    for row in &calibration.rows {
        rows.add_row([
            row.measured.users.to_string(),
            format!("{:.1}", row.measured.requests_per_second),
            format!("{:.1}", row.goodput),
            format!("{:.1} ms", row.measured.mean_seconds * 1000.0),
            format!("{:.1}", row.in_service),
            format!("{:.3} s", row.think_seconds),
            format!("{:.1} %", row.users_found_percent),
        ]);
    }
    let mut text = format!("Load tests of one instance, and Little's law\n{}\n\n", indent(&rows));
    // Writing to a String cannot fail.
    let _ = writeln!(text, "Models\n{}\n", indent(&models(calibration)));
    if !calibration.without.is_empty() {
        let left_out: Vec<String> = calibration
            .without
            .iter()
            .map(|one| format!("{:.0} without {}", one.peak_per_second, one.users))
            .collect();
        let _ = writeln!(text, "Peak with one row left out, requests/s\n  {}\n", left_out.join(", "));
    }
    for (heading, list) in [("Refused", &calibration.refusals), ("Warnings", &calibration.warnings)] {
        warn(&mut text, heading, list);
    }
    text
}

fn models(calibration: &Calibration) -> comfy_table::Table {
    let (queue, fit) = (calibration.queue, calibration.in_service);
    let mut models = right_aligned(&["model", "", "holds"]);
    for column in 0..3 {
        if let Some(column) = models.column_mut(column) {
            column.set_cell_alignment(comfy_table::CellAlignment::Left);
        }
    }
    models.add_row([
        "closed queue".to_owned(),
        format!(
            "think {:.3} s, service {:.3} ms: {:.0} requests/s, knee at {:.0} users",
            queue.think_seconds,
            queue.service_seconds * 1000.0,
            queue.capacity,
            queue.knee_users
        ),
        "up to the knee".to_owned(),
    ]);
    models.add_row([
        "scalability law".to_owned(),
        format!(
            "λ {:.1}, α {:.4}, β {:.2e}: {}, R² {:.4}",
            fit.lambda,
            fit.alpha,
            fit.beta,
            if fit.peak_at.is_finite() {
                format!("peak {:.0} requests/s at {:.0} in service", fit.peak, fit.peak_at)
            } else {
                format!("{:.0} requests/s, never reached", fit.peak)
            },
            fit.r_squared
        ),
        "beyond the knee".to_owned(),
    ]);
    models
}

fn warn(text: &mut String, heading: &str, warnings: &[Warning]) {
    if warnings.is_empty() {
        return;
    }
    let _ = writeln!(text, "{heading}");
    for warning in warnings {
        let _ = writeln!(text, "  {}", wrap(&format!("{}: {}", warning.name, warning.message), 96, 4));
    }
    text.push('\n');
}
