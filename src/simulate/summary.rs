//! A run in few numbers: totals, phases, and the stretches in which users suffered. Pure.

use serde::Serialize;

use super::{Interval, Run};

/// Most phases a run is divided into.
const MOST_PHASES: u32 = 13;
/// Lengths that people divide time by.
const PHASE_SECONDS: [u32; 11] = [60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 21_600, 43_200];
/// Worst moments kept.
const MOST_MOMENTS: usize = 5;

/// The whole run.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Totals {
    /// How long it lasted.
    pub seconds: u32,
    /// Most users at a time.
    pub peak_users: u32,
    /// Fewest instances wanted.
    pub fewest_instances: i64,
    /// Most instances wanted.
    pub most_instances: i64,
    /// Changes of the number of instances, up and down.
    pub scale_ups: usize,
    /// Changes of the number of instances downwards.
    pub scale_downs: usize,
    /// Requests answered.
    pub served: f64,
    /// Requests refused.
    pub refused: f64,
    /// Percent of all requests that were refused.
    pub refused_percent: f64,
    /// Longest 95th percentile of the requests let in, in milliseconds.
    pub worst_p95_milliseconds: f64,
    /// Seconds in which requests were refused or p95 was beyond the objective.
    pub seconds_beyond_objective: u32,
    /// Highest utilisation, 0 to 1.
    pub highest_utilization: f64,
    /// Hours of all instances together.
    pub instance_hours: f64,
    /// Their price, when one hour has one.
    pub cost: Option<f64>,
}

/// A stretch of time.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Stretch {
    /// Second of its start.
    pub from: u32,
    /// Second of its end.
    pub to: u32,
    /// Most users at a time.
    pub users: u32,
    /// Most instances wanted.
    pub desired: i64,
    /// Fewest instances ready.
    pub ready: i64,
    /// Highest utilisation, 0 to 1.
    pub utilization: f64,
    /// Longest 95th percentile, in milliseconds; `null` when nobody answered at some time.
    pub p95_milliseconds: Option<f64>,
    /// Requests answered.
    pub served: f64,
    /// Requests refused.
    pub refused: f64,
}

impl Stretch {
    /// Percent of its requests that were refused.
    pub fn refused_percent(&self) -> f64 {
        percent(self.refused, self.served)
    }
}

/// Sums a run up.
pub fn totals(run: &Run, price_per_hour: Option<f64>) -> Totals {
    let all = &run.intervals;
    let (served, refused) = (sum(all, |one| one.served), sum(all, |one| one.refused));
    let changes = || all.iter().zip(all.iter().skip(1)).map(|(before, after)| after.desired - before.desired);
    let instance_hours = sum(all, |one| seconds_of(one.instance_seconds)) / 3600.0;
    Totals {
        seconds: all.iter().map(|one| one.seconds).sum(),
        peak_users: all.iter().map(|one| one.users).max().unwrap_or(0),
        fewest_instances: all.iter().map(|one| one.desired).min().unwrap_or(0),
        most_instances: all.iter().map(|one| one.desired).max().unwrap_or(0),
        scale_ups: changes().filter(|change| *change > 0).count(),
        scale_downs: changes().filter(|change| *change < 0).count(),
        served,
        refused,
        refused_percent: percent(refused, served),
        worst_p95_milliseconds: largest(all, |one| one.p95_milliseconds.unwrap_or(0.0)),
        seconds_beyond_objective: all.iter().map(|one| one.seconds_beyond_objective).sum(),
        highest_utilization: largest(all, |one| one.utilization),
        instance_hours,
        cost: price_per_hour.map(|price| price * instance_hours),
    }
}

/// Stretches of equal length, at most 13.
pub fn phases(run: &Run) -> Vec<Stretch> {
    let seconds: u32 = run.intervals.iter().map(|one| one.seconds).sum();
    let fits = |length: &&u32| seconds.div_ceil(**length) <= MOST_PHASES;
    let length = PHASE_SECONDS.iter().find(fits).copied().unwrap_or_else(|| seconds.div_ceil(MOST_PHASES));
    let groups = run.intervals.chunk_by(|before, after| before.second / length == after.second / length);
    groups.filter_map(stretch).collect()
}

/// The stretches beyond the objective with the most refused requests, then the longest p95; in order
/// of time.
pub fn worst_moments(run: &Run) -> Vec<Stretch> {
    let is_beyond = |one: &Interval| one.seconds_beyond_objective > 0;
    let groups = run.intervals.chunk_by(|before, after| is_beyond(before) == is_beyond(after));
    let mut moments: Vec<Stretch> =
        groups.filter(|group| group.first().is_some_and(is_beyond)).filter_map(stretch).collect();
    let p95 = |one: &Stretch| one.p95_milliseconds.unwrap_or(f64::INFINITY);
    moments.sort_by(|a, b| b.refused.total_cmp(&a.refused).then(p95(b).total_cmp(&p95(a))));
    moments.truncate(MOST_MOMENTS);
    moments.sort_by_key(|moment| moment.from);
    moments
}

fn stretch(group: &[Interval]) -> Option<Stretch> {
    let (first, last) = (group.first()?, group.last()?);
    Some(Stretch {
        from: first.second,
        to: last.second + last.seconds,
        users: group.iter().map(|one| one.users).max()?,
        desired: group.iter().map(|one| one.desired).max()?,
        ready: group.iter().map(|one| one.ready).min()?,
        utilization: largest(group, |one| one.utilization),
        p95_milliseconds: group
            .iter()
            .map(|one| one.p95_milliseconds)
            .try_fold(0.0_f64, |longest, p95| p95.map(|p95| longest.max(p95))),
        served: sum(group, |one| one.served),
        refused: sum(group, |one| one.refused),
    })
}

fn sum(intervals: &[Interval], of: impl Fn(&Interval) -> f64) -> f64 {
    intervals.iter().map(of).sum()
}

fn largest(intervals: &[Interval], of: impl Fn(&Interval) -> f64) -> f64 {
    intervals.iter().map(of).fold(0.0, f64::max)
}

fn percent(refused: f64, served: f64) -> f64 {
    if refused + served > 0.0 { refused / (refused + served) * 100.0 } else { 0.0 }
}

/// Exact: 31 days of 10,000 instances are far below 2^53.
#[allow(clippy::cast_precision_loss, reason = "31 days of 10,000 instances are far below 2^53")]
fn seconds_of(seconds: i64) -> f64 {
    seconds as f64
}
