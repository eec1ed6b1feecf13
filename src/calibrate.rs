//! Turns the results of load tests of one instance into its profile, and says how far they carry. Pure.
//!
//! Two models, each where it holds. Up to the best measured point: the closed queue of one
//! processor-sharing server that [`crate::plan::capacity::queueing`] uses, whose service time follows from
//! the response time there. Beyond: the Universal Scalability Law over the requests *in service*
//! (throughput times response time), whose peak is what an instance may hold at a time. Over *users* the
//! same law mistakes the tester's think time for the server and is fitted only to show that.

mod audit;
mod little;
pub mod profile;
pub mod results;
pub mod usl;

use serde::Serialize;

pub use audit::Warning;
pub use little::Audited;
use profile::Queue;
use results::Measured;
use usl::Fit;

/// Everything that follows from the rows.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Calibration {
    /// The rows, each held against Little's law.
    pub rows: Vec<Audited>,
    /// The queue up to the best row.
    pub queue: Queue,
    /// The scalability law over requests in service.
    pub in_service: Fit,
    /// What it says of the highest throughput without one of the rows: the row's users, and requests/s.
    pub without: Vec<Without>,
    /// The same law over users, for comparison.
    pub by_users: Fit,
    /// What keeps the rows from carrying a profile without being told to extrapolate.
    pub refusals: Vec<Warning>,
    /// What a reader must know.
    pub warnings: Vec<Warning>,
}

/// A fit that left one row out.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Without {
    /// Users of the row.
    pub users: u32,
    /// Highest throughput that the other rows predict.
    pub peak_per_second: f64,
}

/// Calibrates from at least three rows in order of users.
pub fn calibrate(rows: &[Measured]) -> Result<Calibration, String> {
    let best = best(rows).ok_or("no row has a throughput")?;
    let known = rows.iter().take_while(|row| row.users <= best.users);
    let thinking: Vec<f64> = known.map(little::think_seconds).collect();
    let think_seconds = thinking.iter().sum::<f64>() / float(thinking.len());
    let queue = profile::queue(best, think_seconds)?;
    let in_service = |rows: &[Measured]| usl::fit(&points(rows, Measured::in_service));
    let fit = in_service(rows).ok_or("no scalability law fits the rows")?;
    let by_users =
        usl::fit(&points(rows, |row| f64::from(row.users))).ok_or("no scalability law fits the rows")?;
    let without = rows.iter().filter_map(|left_out| {
        let others: Vec<Measured> = rows.iter().filter(|row| *row != left_out).copied().collect();
        in_service(&others).map(|fit| Without { users: left_out.users, peak_per_second: fit.peak })
    });
    let mut calibration = Calibration {
        rows: rows.iter().map(|row| little::audit(row, think_seconds)).collect(),
        queue,
        in_service: fit,
        // Three rows and three unknowns leave nothing to leave out.
        without: if rows.len() > 3 { without.collect() } else { Vec::new() },
        by_users,
        refusals: Vec::new(),
        warnings: Vec::new(),
    };
    audit::judge(&mut calibration, rows);
    Ok(calibration)
}

/// The row with the highest throughput of good answers.
fn best(rows: &[Measured]) -> Option<&Measured> {
    rows.iter().max_by(|a, b| a.goodput().total_cmp(&b.goodput()))
}

fn points(rows: &[Measured], load: impl Fn(&Measured) -> f64) -> Vec<(f64, f64)> {
    rows.iter().map(|row| (load(row), row.goodput())).collect()
}

/// Exact for every number of rows.
#[allow(clippy::cast_precision_loss, reason = "rows are far fewer than 2^53")]
fn float(value: usize) -> f64 {
    value as f64
}

#[cfg(test)]
mod tests;
