//! How far the rows carry: refusals and warnings, each a sentence with its numbers. Pure.

use serde::Serialize;

use super::results::Measured;
use super::{Calibration, best};

/// Percent of the users that Little's law must find for a row to have measured the server.
const USERS_FOUND: std::ops::RangeInclusive<f64> = 95.0..=105.0;
/// A single row may move the capacity by this share.
const ROW_INFLUENCE: f64 = 0.2;

/// Something to know about a calibration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Warning {
    /// Stable name.
    pub name: &'static str,
    /// With the numbers.
    pub message: String,
}

/// Fills in refusals and warnings.
pub(super) fn judge(calibration: &mut Calibration, rows: &[Measured]) {
    let refusals = [no_fall(rows), beyond_users(calibration, rows), beyond_in_service(calibration, rows)];
    calibration.refusals = refusals.into_iter().flatten().collect();
    let mut warnings: Vec<Warning> = exact_fit(rows).into_iter().chain(wrong_variable(calibration)).collect();
    warnings.extend(one_row(calibration));
    warnings.extend(calibration.rows.iter().filter_map(|row| {
        let found = row.users_found_percent;
        let message = || {
            format!(
                "{} users: throughput and response time account for {found:.1} % of them; the tester or its \
                 network was the limit as much as the server",
                row.measured.users
            )
        };
        (!USERS_FOUND.contains(&found)).then(|| Warning { name: "UsersMissing", message: message() })
    }));
    calibration.warnings = warnings;
}

/// The best row is the last one: nothing shows where throughput peaks.
fn no_fall(rows: &[Measured]) -> Option<Warning> {
    let (best, last) = (best(rows)?, rows.last()?);
    let message = || {
        format!(
            "throughput was still rising at the last row, {} users: where it peaks was not measured. Measure \
             beyond it",
            last.users
        )
    };
    (best.users == last.users).then(|| Warning { name: "PeakNotMeasured", message: message() })
}

fn beyond_users(calibration: &Calibration, rows: &[Measured]) -> Option<Warning> {
    let most = f64::from(rows.last()?.users);
    let knee = calibration.queue.knee_users;
    let message = || {
        format!(
            "the knee is predicted at {knee:.0} users, {:.1} times the {most:.0} of the largest test",
            knee / most
        )
    };
    (knee > most).then(|| Warning { name: "KneeBeyondMeasurement", message: message() })
}

fn beyond_in_service(calibration: &Calibration, rows: &[Measured]) -> Option<Warning> {
    let most = rows.iter().map(Measured::in_service).fold(0.0, f64::max);
    let peak = calibration.in_service.peak_at;
    let place = if peak.is_finite() {
        format!("to peak at {peak:.0} requests in service")
    } else {
        "never to fall".to_owned()
    };
    let message = || format!("throughput is predicted {place}; at most {most:.0} in service were measured");
    (peak > most).then(|| Warning { name: "PeakBeyondMeasurement", message: message() })
}

fn exact_fit(rows: &[Measured]) -> Option<Warning> {
    (rows.len() <= 3).then(|| Warning {
        name: "ExactFit",
        message: "three rows determine three coefficients: R² is 1 whatever was measured and says nothing"
            .to_owned(),
    })
}

/// The trap: over users, light rows fit perfectly and promise several times what the server does.
fn wrong_variable(calibration: &Calibration) -> Option<Warning> {
    let (by_users, capacity) = (calibration.by_users, calibration.queue.capacity);
    let knee = if by_users.peak_at.is_finite() {
        format!("a peak at {:.0} users", by_users.peak_at)
    } else {
        "no peak at all".to_owned()
    };
    let message = || {
        format!(
            "the scalability law over users instead of requests in service fits with R² {:.4} and promises {knee} \
             and {:.0} requests/s, {:.1} times the capacity; it is not used",
            by_users.r_squared,
            by_users.peak,
            by_users.peak / capacity
        )
    };
    (by_users.peak > capacity * 1.5).then(|| Warning { name: "FitByUsersMisleads", message: message() })
}

/// A row without which the capacity would be another.
fn one_row(calibration: &Calibration) -> Option<Warning> {
    let peak = calibration.in_service.peak;
    let off = |seen: f64| (seen / peak - 1.0).abs();
    let most = calibration
        .without
        .iter()
        .max_by(|a, b| off(a.peak_per_second).total_cmp(&off(b.peak_per_second)))?;
    let message = || {
        format!(
            "the capacity rests on the row of {} users: without it the others predict {:.0} requests/s instead of \
             {peak:.0}. Measure again near it",
            most.users, most.peak_per_second
        )
    };
    (off(most.peak_per_second) > ROW_INFLUENCE).then(|| Warning { name: "RestsOnOneRow", message: message() })
}
