//! `eaiser simulate` and `eaiser calibrate` as a script sees them.

use std::process::{Command, Output, Stdio};

fn eaiser(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_eaiser")).args(arguments).stdin(Stdio::null()).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn json(output: &Output) -> serde_json::Value {
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// A file that is gone afterwards.
struct File(std::path::PathBuf);

impl File {
    fn new(name: &str, content: &str) -> Self {
        let path = std::env::temp_dir().join(format!("eaiser-{}-{name}", std::process::id()));
        std::fs::write(&path, content).unwrap();
        Self(path)
    }

    fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[test]
fn the_report_is_calibrated_to_its_profile() {
    let found = json(&eaiser(&["calibrate", "examples/report-profile.json", "-o", "json"]));
    assert_eq!(found["instance"]["requestsPerSecond"], 1750);
    assert_eq!(found["instance"]["kneeInFlight"], 94);
    assert_eq!(found["calibration"]["rows"].as_array().unwrap().len(), 5);
    let table = text(&eaiser(&["calibrate", "examples/report-profile.json"]).stdout);
    assert!(table.contains("RestsOnOneRow") && table.contains("1115 without 2000"), "{table}");
}

#[test]
fn the_yaml_of_a_calibration_can_be_planned() {
    let profile = eaiser(&["calibrate", "examples/report-profile.json", "-o", "yaml"]);
    let profile: serde_json::Value = serde_saphyr::from_str(&text(&profile.stdout)).unwrap();
    let mut spec = serde_json::json!({
        "apiVersion": "eaiser.io/v1alpha1", "kind": "EaiserCluster", "metadata": {"name": "a"},
        "spec": {"capacity": {"users": 100_000}, "api": {"image": "backend"}},
    });
    spec["spec"]["capacity"]["instance"] = profile["instance"].clone();
    let file = File::new("calibrated.yaml", &spec.to_string());
    assert_eq!(json(&eaiser(&["plan", "-f", file.path(), "-o", "json"]))[0]["capacity"]["maxReplicas"], 100);
}

#[test]
fn three_rows_of_the_report_carry_no_profile_unless_told_to_extrapolate() {
    let report = std::fs::read_to_string("examples/report-profile.json").unwrap();
    let mut rows: serde_json::Value = serde_json::from_str(&report).unwrap();
    rows["tests"].as_array_mut().unwrap().truncate(3);
    let file = File::new("three.json", &rows.to_string());
    let refused = eaiser(&["calibrate", file.path(), "-o", "yaml"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(refused.stdout.is_empty(), "nothing to paste");
    assert!(text(&refused.stderr).contains("PeakNotMeasured"), "{}", text(&refused.stderr));
    let told = eaiser(&["calibrate", file.path(), "--extrapolate"]);
    assert_eq!(told.status.code(), Some(0));
    assert!(text(&told.stdout).contains("FitByUsersMisleads"), "{}", text(&told.stdout));
}

#[test]
fn a_step_is_simulated_as_table_json_and_chart() {
    let chart = File::new("step.svg", "");
    let arguments = ["simulate", "--shape", "step", "--duration", "30m", "--price-per-hour", "0.5"];
    let table = eaiser(&[&arguments[..], &["--svg", chart.path()]].concat());
    let printed = text(&table.stdout);
    assert!(printed.contains("Phases") && printed.contains("instance-hours, cost"), "{printed}");
    let drawn = std::fs::read_to_string(chart.path()).unwrap();
    assert!(drawn.starts_with("<svg") && drawn.contains("prefers-color-scheme"), "{drawn}");
    assert!(!drawn.contains("NaN") && !drawn.contains("inf"), "every coordinate is a number");
    let found = json(&eaiser(&[&arguments[..], &["-o", "json"]].concat()));
    assert_eq!(found["intervals"].as_array().unwrap().len(), 120, "one for each sync");
    assert_eq!(found["totals"]["mostInstances"], 100);
}

#[test]
fn a_trace_is_replayed_through_the_spec_of_a_file() {
    let trace = File::new("trace.csv", "seconds,users\n0,1000\n60,5000\n600,0\n");
    let found = json(&eaiser(&["simulate", trace.path(), "-f", "examples/production.yaml", "-o", "json"]));
    assert_eq!(found["totals"]["seconds"], 600);
    assert_eq!(found["totals"]["peakUsers"], 5000);
}

#[test]
fn bad_lines_of_a_trace_are_named_and_nothing_is_printed() {
    let trace = File::new("bad.csv", "0,10\n5,many\n4,10\n");
    let output = eaiser(&["simulate", trace.path()]);
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout.is_empty());
    let said = text(&output.stderr);
    assert!(said.contains("line 2, users: `many`") && said.contains(trace.path()), "{said}");
}

#[test]
fn wrong_usage_says_what_is_wrong() {
    let wrong: [(&[&str], &str); 7] = [
        (&["simulate"], "<TRACE>"),
        (&["simulate", "a.csv", "--shape", "day"], "cannot be used with"),
        (&["simulate", "--shape", "day", "--duration", "1y"], "duration"),
        (&["simulate", "--shape", "day", "--users", "0"], "--users"),
        (&["simulate", "--shape", "day", "--price-per-hour=-1"], "--price-per-hour"),
        (&["simulate", "no/such.csv"], "cannot read no/such.csv"),
        (&["calibrate", "no/such.json"], "cannot read no/such.json"),
    ];
    for (arguments, expected) in wrong {
        let output = eaiser(arguments);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        assert!(text(&output.stderr).contains(expected), "{arguments:?}: {}", text(&output.stderr));
    }
}

#[test]
fn help_shows_examples_and_exit_codes() {
    for command in ["simulate", "calibrate"] {
        let help = text(&eaiser(&[command, "--help"]).stdout);
        assert!(help.contains("Examples:") && help.contains("Exit codes:"), "{help}");
    }
}
