//! What one instance does under a given number of users: a closed queueing network. Pure.
//!
//! N users think, send a request, wait for the answer, and think again. The instance is one
//! processor-sharing station whose speed depends on how many requests are in it, the thinking a delay:
//! the machine-repairman model, whose stationary distribution is a product and is summed exactly
//! (Lazowska et al., *Quantitative System Performance*, chapters 7 and 20). Up to
//! [`InstanceProfile::max_in_flight`] requests the speed is constant, which makes it exact mean value
//! analysis; beyond it the speed falls along the Universal Scalability Law (Gunther), fitted to the
//! report's five measured points by requests in service.
//!
//! It holds for one worker process, and for means; the report's tail is heavier (p99 of 1.44 s at
//! 2,000 users, where this station gives about 0.1 s).

mod admission;

pub use admission::Admitted;

use crate::crd::InstanceProfile;

/// Seconds a request takes besides its service, whatever the load: the network and the stack. The
/// report's median of 1.7 ms at 100 users, less the service time.
const FIXED_SECONDS: f64 = 0.0015;
/// Contention of the Universal Scalability Law, from the five measured points (R² 0.976). Its other
/// coefficient follows from where throughput peaks.
const CONTENTION: f64 = 0.067;

/// One instance.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Station {
    /// Seconds a user thinks between an answer and the next request.
    think_seconds: f64,
    /// Seconds of service per request, alone.
    service_seconds: f64,
    /// Requests in service at which throughput peaks; `None` for a station that never slows down.
    peak_in_flight: Option<f64>,
}

/// What a number of users meets.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Prediction {
    /// Requests answered per second.
    pub requests_per_second: f64,
    /// Share of the time in which the instance is busy, 0 to 1.
    pub utilization: f64,
    /// Mean number of requests in the instance.
    pub in_flight: f64,
    /// Mean response time in seconds.
    pub mean_seconds: f64,
    /// Response time in seconds behind the 95th percentile of the queue that a request finds.
    pub p95_seconds: f64,
}

impl Station {
    /// The instance of a profile: its cycle without load is 1 / `requestsPerUser`, and the knee is where
    /// `kneeUsers` cycles just fill it.
    pub fn new(profile: &InstanceProfile) -> Self {
        let cycle = 1.0 / profile.requests_per_user;
        let service_seconds = cycle / super::as_float(profile.knee_users);
        Self {
            think_seconds: (cycle - FIXED_SECONDS - service_seconds).max(0.0),
            service_seconds,
            peak_in_flight: Some(super::as_float(profile.max_in_flight)),
        }
    }

    /// An instance that was measured: what its users think, and how long it serves one request alone.
    pub fn closed(think_seconds: f64, service_seconds: f64) -> Self {
        Self { think_seconds, service_seconds, peak_in_flight: None }
    }

    /// Seconds from one request of a user to the next when nobody else is there.
    pub fn cycle_seconds(&self) -> f64 {
        self.think_seconds + FIXED_SECONDS + self.service_seconds
    }

    /// The same instance without the fall of throughput beyond its peak: textbook mean value analysis.
    #[must_use]
    pub fn without_fall(self) -> Self {
        Self { peak_in_flight: None, ..self }
    }

    /// Requests per second at full utilisation.
    pub fn capacity(&self) -> f64 {
        1.0 / self.service_seconds
    }

    /// Requests per second with `in_flight` requests in service.
    fn speed(&self, in_flight: f64) -> f64 {
        match self.peak_in_flight {
            Some(peak) if in_flight > peak => {
                self.capacity() * scalability(in_flight, peak) / scalability(peak, peak)
            }
            _ => self.capacity(),
        }
    }

    /// What `users` on this instance meet. Takes time and memory in proportion to them.
    pub fn predict(&self, users: u32) -> Prediction {
        let states = self.distribution(users, users);
        let weighted = |value: &dyn Fn(f64) -> f64| -> f64 {
            states.iter().enumerate().map(|(state, share)| share * value(count(state))).sum()
        };
        let in_flight = weighted(&|state| state);
        let answered = weighted(&|state| if state > 0.0 { self.speed(state) } else { 0.0 });
        let mean = if answered > 0.0 { in_flight / answered + FIXED_SECONDS } else { 0.0 };
        Prediction {
            requests_per_second: answered,
            utilization: 1.0 - states.first().copied().unwrap_or(1.0),
            in_flight,
            mean_seconds: mean,
            p95_seconds: self.p95(users, users),
        }
    }

    /// A request finds the station as the other users leave it (the arrival theorem); one that is let in
    /// finds a place.
    fn p95(&self, users: u32, limit: u32) -> f64 {
        if users == 0 || limit == 0 {
            return 0.0;
        }
        let mut below = 0.0;
        let states = self.distribution(users - 1, limit - 1);
        let found = states.iter().position(|share| {
            below += share;
            below >= 0.95
        });
        let queue = count(found.unwrap_or(states.len())) + 1.0;
        queue / self.speed(queue) + FIXED_SECONDS
    }

    /// Share of the time with 0, 1, … requests in the station: at most `limit`, and at most all `users`.
    fn distribution(&self, users: u32, limit: u32) -> Vec<f64> {
        // Logarithms: the products span hundreds of orders of magnitude.
        let mut logarithm = 0.0_f64;
        let mut logarithms = vec![0.0_f64];
        let think = self.think_seconds.max(f64::MIN_POSITIVE);
        for state in 1..=users.min(limit) {
            let thinking = f64::from(users - state + 1);
            logarithm += (thinking / (think * self.speed(f64::from(state)))).ln();
            logarithms.push(logarithm);
        }
        let largest = logarithms.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let weights: Vec<f64> = logarithms.iter().map(|logarithm| (logarithm - largest).exp()).collect();
        let total: f64 = weights.iter().sum();
        weights.into_iter().map(|weight| weight / total).collect()
    }
}

/// Relative throughput of `in_flight` requests under the Universal Scalability Law that peaks at `peak`:
/// L / (1 + α (L − 1) + β L (L − 1)) with β = (1 − α) / peak².
fn scalability(in_flight: f64, peak: f64) -> f64 {
    let coherency = (1.0 - CONTENTION) / (peak * peak);
    let others = in_flight - 1.0;
    in_flight / (1.0 + CONTENTION * others + coherency * in_flight * others)
}

/// Exact: states are bounded by `u32`.
#[allow(clippy::cast_precision_loss, reason = "states are bounded by u32")]
fn count(state: usize) -> f64 {
    state as f64
}

#[cfg(test)]
mod tests;
