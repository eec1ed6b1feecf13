//! Memory, CPU and size of the operator, from `/proc` and the file system.

use std::time::{Duration, Instant};

use serde_json::json;

use super::fleet::Fleet;
use super::numbers::rounded;
use super::report::{Figure, Measured};
use crate::support::audit::{Audit, Call};
use crate::support::{Operator, operator};

/// How long CPU and requests are watched.
const WATCHED: Duration = Duration::from_secs(60);
/// Clock ticks of `/proc/PID/stat` a second, on every Linux this runs on.
const TICKS: f64 = 100.0;
/// Bytes of a mebibyte.
const MIB: f64 = 1024.0 * 1024.0;

/// Size of the binary as the image holds it.
pub fn binary() -> Measured {
    let path = operator::binary();
    let bytes = path.metadata().unwrap().len();
    let figure = Figure::with_goal("stripped", format!("{:.1} MiB", bytes as f64 / MIB), "≤ 15 MiB");
    (
        vec![figure],
        json!({"unit": "bytes", "size": bytes, "file": path.file_name().unwrap().to_string_lossy()}),
    )
}

/// What the resting operator takes.
pub async fn of(fleet: &Fleet<'_>, clusters: usize) -> Measured {
    fleet.calm().await;
    let (audit, begin, before) = (Audit::begin(), Instant::now(), cpu(&fleet.operator));
    tokio::time::sleep(WATCHED).await;
    let share = (cpu(&fleet.operator) - before) / begin.elapsed().as_secs_f64();
    let calls = audit.calls(&fleet.user).into_iter().filter(|call| !call.watches()).count();
    let (resident, peak) = (status(&fleet.operator, "VmRSS:"), status(&fleet.operator, "VmHWM:"));
    let figures = vec![
        Figure::with_goal("resident", format!("{resident:.1} MiB"), goal(clusters)),
        Figure::plain("peak so far", format!("{peak:.1} MiB")),
        Figure::plain("CPU at rest", format!("{:.1} mCPU", share * 1000.0)),
        Figure::with_goal("requests but watches in 60 s at rest", calls, "0"),
    ];
    let raw = json!({"clusters": clusters, "residentMiB": rounded(resident), "peakMiB": rounded(peak), "cpuShare": rounded(share), "requests": calls});
    (figures, raw)
}

fn goal(clusters: usize) -> &'static str {
    match clusters {
        0 => "≤ 15 MiB",
        500 => "≤ 50 MiB",
        _ => "",
    }
}

/// What a new process writes although nothing changed.
pub async fn restart(fleet: &Fleet<'_>) -> Measured {
    let audit = Audit::begin();
    tokio::time::sleep(WATCHED / 2).await;
    let calls = audit.calls(&fleet.user);
    let writes = calls.iter().filter(|call| Call::writes(call)).count();
    let figures = vec![Figure::with_goal(
        "writes in 30 s after a restart",
        writes,
        "0 (Go operators: 606 and 760 at 100)",
    )];
    (figures, json!({"writes": writes}))
}

/// Seconds of CPU the process has used.
fn cpu(operator: &Operator) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", operator.id())).unwrap();
    let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    // utime and stime, fields 14 and 15 of the whole line.
    [fields[11], fields[12]].iter().map(|ticks| ticks.parse::<f64>().unwrap()).sum::<f64>() / TICKS
}

/// A line of `/proc/PID/status`, in MiB.
fn status(operator: &Operator, key: &str) -> f64 {
    let text = std::fs::read_to_string(format!("/proc/{}/status", operator.id())).unwrap();
    let line = text.lines().find(|line| line.starts_with(key)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() / 1024.0
}
