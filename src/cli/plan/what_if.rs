//! `eaiser plan --users`: the same spec at several numbers of users, side by side.

use std::fmt::Write;

use comfy_table::CellAlignment;
use serde::Serialize;
use serde_json::{Value, json};

use super::table;
use crate::crd::{EaiserCluster, InstanceProfile};
use crate::manifest;
use crate::plan::Problems;
use crate::plan::capacity::as_float;
use crate::plan::what_if::{Load, Peak, peak};
use crate::settings::Settings;

/// Users of the last test in which the report's single instance answered well.
const LAST_GOOD_USERS: i64 = 2000;

/// One number of users: what the plan means at its peak, or why there is none.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Row {
    Stands(Box<Peak>),
    #[serde(rename_all = "camelCase")]
    Fails {
        users: i64,
        problems: Vec<String>,
    },
}

impl Row {
    fn users(&self) -> i64 {
        match self {
            Self::Stands(peak) => peak.users,
            Self::Fails { users, .. } => *users,
        }
    }

    /// Whether the spec cannot be planned for these users.
    pub(super) fn fails(&self) -> bool {
        matches!(self, Self::Fails { .. })
    }
}

/// The spec that `--users` means without a file: everything but the image at its default.
pub(in crate::cli) fn default_document() -> Value {
    json!({
        "apiVersion": "eaiser.io/v1alpha1",
        "kind": "EaiserCluster",
        "metadata": {"name": "eaiser"},
        "spec": {"capacity": {"users": 1}, "api": {"image": "backend"}},
    })
}

/// Plans `document` for each number of users.
pub(super) fn rows(document: &Value, users: &[i64], settings: &Settings) -> Vec<Row> {
    users.iter().map(|users| row(document, *users, settings)).collect()
}

fn row(document: &Value, users: i64, settings: &Settings) -> Row {
    let mut document = document.clone();
    document["spec"]["capacity"]["users"] = json!(users);
    let planned = manifest::plan(&document, settings).and_then(|plan| {
        let cluster: Result<EaiserCluster, _> = serde_json::from_value(document);
        // The plan stands, so the document parses.
        cluster.map(|cluster| peak(&plan, &cluster.spec.capacity)).map_err(|_| Problems(Vec::new()))
    });
    match planned {
        Ok(peak) => Row::Stands(Box::new(peak)),
        Err(problems) => Row::Fails { users, problems: problems.0.iter().map(ToString::to_string).collect() },
    }
}

/// Tables of the rows, every problem, and where the report contradicts itself.
pub(super) fn render(rows: &[Row]) -> String {
    let peaks: Vec<&Peak> = rows
        .iter()
        .filter_map(|row| match row {
            Row::Stands(peak) => Some(peak.as_ref()),
            Row::Fails { .. } => None,
        })
        .collect();
    let mut text = String::new();
    // Writing to a String cannot fail.
    if !peaks.is_empty() {
        let _ = writeln!(text, "API instances at peak\n{}\n", table::indent(&instances(&peaks)));
        let _ = writeln!(
            text,
            "Each instance, as a closed queue predicts it\n{}\n",
            table::indent(&loads(&peaks))
        );
        let _ = writeln!(text, "All tiers\n{}\n", table::indent(&sums(&peaks)));
    }
    for row in rows {
        if let Row::Fails { users, problems } = row {
            let _ = writeln!(text, "{users} users cannot be planned for with this spec:");
            for problem in problems {
                let _ = writeln!(text, "  {problem}");
            }
            text.push('\n');
        }
    }
    text.push_str(&contradictions(rows));
    text
}

fn instances(peaks: &[&Peak]) -> comfy_table::Table {
    let names: Vec<&str> = peaks[0].constraints.iter().map(|asked| asked.name).collect();
    let header = ["users", "instances"].into_iter().chain(names.iter().copied()).chain(["binds"]);
    let mut table = right_aligned(&header.collect::<Vec<_>>());
    for peak in peaks {
        let constraints = peak.constraints.iter().map(|asked| asked.replicas.to_string());
        let cells = [peak.users.to_string(), peak.instances.to_string()].into_iter().chain(constraints);
        table.add_row(cells.chain([peak.binding.to_owned()]));
    }
    table
}

fn loads(peaks: &[&Peak]) -> comfy_table::Table {
    let mut table =
        right_aligned(&["users", "situation", "instances", "users each", "utilization", "mean", "p95"]);
    for peak in peaks {
        let lost = format!("one {} lost", peak.lost);
        for (situation, load) in [("all there", &peak.whole), (lost.as_str(), &peak.reduced)] {
            table.add_row(load_cells(peak.users, situation, load));
        }
    }
    table
}

fn load_cells(users: i64, situation: &str, load: &Load) -> [String; 7] {
    let measured = if load.instances == 0 {
        ["-".to_owned(), "-".to_owned(), "nobody answers".to_owned()]
    } else {
        [
            format!("{:.0} %", load.utilization * 100.0),
            milliseconds(load.mean_milliseconds),
            milliseconds(load.p95_milliseconds),
        ]
    };
    let [utilization, mean, p95] = measured;
    let (instances, each) = (load.instances.to_string(), load.users_per_instance.to_string());
    [users.to_string(), situation.to_owned(), instances, each, utilization, mean, p95]
}

fn milliseconds(value: f64) -> String {
    if value < 100.0 { format!("{value:.1} ms") } else { format!("{value:.0} ms") }
}

fn sums(peaks: &[&Peak]) -> comfy_table::Table {
    let stores = peaks[0].connections.iter().map(|store| format!("{} connections", store.store));
    let header: Vec<String> =
        ["users", "CPU", "memory"].map(str::to_owned).into_iter().chain(stores).collect();
    let mut table = right_aligned(&header.iter().map(String::as_str).collect::<Vec<_>>());
    for peak in peaks {
        let cores = format!("{:.1} cores", as_float(peak.cpu_millicores) / 1000.0);
        let memory = format!("{:.1} GiB", as_float(peak.memory_mebibytes) / 1024.0);
        let stores = peak.connections.iter().map(|store| format!("{} of {}", store.used, store.budget));
        table.add_row([peak.users.to_string(), cores, memory].into_iter().chain(stores));
    }
    table
}

/// A table of numbers.
pub(in crate::cli) fn right_aligned(header: &[&str]) -> comfy_table::Table {
    let mut table = table::plain_of(header);
    for index in 0..header.len() {
        if let Some(column) = table.column_mut(index) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

/// The report asks for three different numbers of instances for the same users.
fn contradictions(rows: &[Row]) -> String {
    let profile = InstanceProfile::default();
    let mut text = String::from(
        "The performance report contradicts itself; its figures alone would ask for, in instances:\n",
    );
    for row in rows {
        let users = row.users();
        let throughput = as_float(users) * profile.requests_per_user
            / (as_float(profile.requests_per_second) * profile.max_utilization);
        let _ = writeln!(
            text,
            "  {users} users: {} by 1,000 connections each, {} by its \"50 containers\" for 100,000 users, {:.0} by its requests at 70 %",
            (users + profile.connections - 1) / profile.connections,
            (users + LAST_GOOD_USERS - 1) / LAST_GOOD_USERS,
            (throughput - 1e-9).ceil(),
        );
    }
    text
}
