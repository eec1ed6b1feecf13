//! The instance profile of a calibration, and the queue it comes from. Pure.

use serde::Serialize;

use super::Calibration;
use super::results::Measured;
use crate::crd::InstanceProfile;
use crate::plan::capacity::queueing::Station;

/// The closed queue that answers as slowly as the best row did.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Queue {
    /// Seconds a user thinks: the mean of the rows up to the best.
    pub think_seconds: f64,
    /// Seconds of service per request.
    pub service_seconds: f64,
    /// Requests per second at full utilisation.
    pub capacity: f64,
    /// Users that just fill it.
    pub knee_users: f64,
    /// Requests per second of one user without queueing.
    pub requests_per_user: f64,
}

/// Finds the service time by halving: the response time grows with it.
pub(super) fn queue(best: &Measured, think_seconds: f64) -> Result<Queue, String> {
    if think_seconds <= 0.0 {
        return Err("the users did not think: throughput times response time exceeds their number".to_owned());
    }
    let answers = |service: f64| {
        Station::closed(think_seconds, service).without_fall().predict(best.users).mean_seconds
    };
    let (mut low, mut high) = (1e-7, best.mean_seconds);
    if answers(low) > best.mean_seconds {
        return Err(format!(
            "{} users were answered within {} s, faster than the network alone",
            best.users, best.mean_seconds
        ));
    }
    for _ in 0..40 {
        let middle = f64::midpoint(low, high);
        if answers(middle) < best.mean_seconds { low = middle } else { high = middle }
    }
    let service_seconds = f64::midpoint(low, high);
    let station = Station::closed(think_seconds, service_seconds);
    Ok(Queue {
        think_seconds,
        service_seconds,
        capacity: station.capacity(),
        knee_users: station.cycle_seconds() / service_seconds,
        requests_per_user: 1.0 / station.cycle_seconds(),
    })
}

impl Calibration {
    /// The profile, with what cannot be measured at its default.
    pub fn profile(&self) -> InstanceProfile {
        let usual = InstanceProfile::default();
        let best = self.rows.iter().max_by(|a, b| a.goodput.total_cmp(&b.goodput));
        let measured = best.map_or(self.queue.capacity, |row| row.goodput);
        let knee_in_flight = whole(best.map_or(1.0, |row| row.in_service)).max(1);
        InstanceProfile {
            // A policy, not a measurement: no more than the plan's utilisation of the knee allows.
            connections: usual.connections.min(whole(self.queue.knee_users * usual.max_utilization)).max(1),
            requests_per_second: whole(measured.min(self.queue.capacity)).max(1),
            knee_users: whole(self.queue.knee_users).max(1),
            knee_in_flight,
            max_in_flight: whole(self.in_service.peak_at.min(1e6)).max(knee_in_flight),
            requests_per_user: (self.queue.requests_per_user * 1000.0).round() / 1000.0,
            max_utilization: usual.max_utilization,
        }
    }
}

/// Rounded down: a profile promises nothing that was not seen.
#[allow(clippy::cast_possible_truncation, reason = "clamped to what a profile may hold first")]
fn whole(value: f64) -> i64 {
    value.clamp(0.0, 1e7) as i64
}
