//! Little's law for each row: users = throughput · (response time + think time). Pure.

use serde::Serialize;

use super::results::Measured;

/// A row with what follows from it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Audited {
    /// The row.
    #[serde(flatten)]
    pub measured: Measured,
    /// Good answers per second.
    pub goodput: f64,
    /// Requests in service: throughput times response time.
    pub in_service: f64,
    /// Time a user spends outside of the server, if all were there.
    pub think_seconds: f64,
    /// Percent of the users that Little's law finds at the think time of the rows up to the best.
    pub users_found_percent: f64,
}

/// Seconds of a user's cycle that are not response time.
pub(super) fn think_seconds(row: &Measured) -> f64 {
    f64::from(row.users) / row.requests_per_second - row.mean_seconds
}

pub(super) fn audit(row: &Measured, think: f64) -> Audited {
    Audited {
        measured: *row,
        goodput: row.goodput(),
        in_service: row.in_service(),
        think_seconds: think_seconds(row),
        users_found_percent: row.requests_per_second * (row.mean_seconds + think) / f64::from(row.users)
            * 100.0,
    }
}
