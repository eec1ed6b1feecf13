//! An instance behind a gateway that lets only so many requests in at a time. Pure.
//!
//! A request that finds the instance full is refused at once, and its user thinks again: the closed queue
//! of [`Station`] cut off at the limit, which keeps its product form (the finite-source loss system of
//! Engset; Kleinrock, *Queueing Systems* I, §3.10). Its cost is bounded by the limit, not by the users.

use super::{FIXED_SECONDS, Prediction, Station, count};

/// What users meet behind a limit. The response times are those of requests that were let in.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Admitted {
    /// Of what was let in.
    pub prediction: Prediction,
    /// Requests refused per second.
    pub refused_per_second: f64,
}

impl Station {
    /// The same instance under users of another pace; a pace that the instance cannot follow leaves no
    /// time to think.
    #[must_use]
    pub fn at_pace(self, requests_per_user: f64) -> Self {
        let think = 1.0 / requests_per_user - FIXED_SECONDS - self.service_seconds;
        Self { think_seconds: think.max(0.0), ..self }
    }

    /// What `users` meet when at most `limit` requests are let in at a time.
    pub fn predict_admitted(&self, users: u32, limit: u32) -> Admitted {
        let states = self.distribution(users, limit);
        let (mut in_flight, mut answered) = (0.0, 0.0);
        for (state, share) in states.iter().enumerate().skip(1) {
            in_flight += share * count(state);
            answered += share * self.speed(count(state));
        }
        let full = if users > limit { states.last().copied().unwrap_or(0.0) } else { 0.0 };
        let thinking = f64::from(users.saturating_sub(limit));
        let mean_seconds = if answered > 0.0 { in_flight / answered + FIXED_SECONDS } else { 0.0 };
        Admitted {
            prediction: Prediction {
                requests_per_second: answered,
                utilization: 1.0 - states.first().copied().unwrap_or(1.0),
                in_flight,
                mean_seconds,
                p95_seconds: self.p95(users, limit),
            },
            refused_per_second: full * thinking / (self.think_seconds + FIXED_SECONDS),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crd::InstanceProfile;

    fn report() -> Station {
        Station::new(&InstanceProfile::default())
    }

    #[test]
    fn below_the_limit_nobody_notices_it() {
        for users in [0, 1, 100, 238] {
            let admitted = report().predict_admitted(users, 238);
            assert!(admitted.refused_per_second.abs() < 1e-12, "{users}");
            assert_eq!(admitted.prediction, report().predict(users), "{users}");
        }
    }

    #[test]
    fn far_beyond_the_knee_the_limit_keeps_throughput_at_its_peak_and_the_rest_is_refused() {
        let admitted = report().predict_admitted(5000, 238);
        let served = admitted.prediction.requests_per_second;
        assert!((1750.0..1757.0).contains(&served), "{served}");
        // 5,000 users less at most 238 in the queue, each 1.087 s of thought.
        let offered = served + admitted.refused_per_second;
        assert!((offered / (4770.0 / 1.0887) - 1.0).abs() < 0.01, "{offered}");
        assert!(admitted.prediction.p95_seconds < 0.14, "{:?}", admitted.prediction);
        assert!(report().predict(5000).requests_per_second < 1100.0, "without the limit it collapses");
    }

    #[test]
    fn one_place_and_two_users_is_solved_by_hand() {
        // p1 / p0 = 2 S / Z, and one thinker meets a full instance.
        let station = report();
        let odds = 2.0 * station.service_seconds / station.think_seconds;
        let full = odds / (1.0 + odds);
        let admitted = station.predict_admitted(2, 1);
        assert!((admitted.prediction.utilization - full).abs() < 1e-12);
        let refused = full / (station.think_seconds + FIXED_SECONDS);
        assert!((admitted.refused_per_second - refused).abs() < 1e-12);
    }

    #[test]
    fn a_faster_pace_fills_an_instance_sooner_and_an_impossible_one_stays_finite() {
        let slow = report().predict_admitted(1000, 238).prediction.utilization;
        let fast = report().at_pace(1.5).predict_admitted(1000, 238).prediction.utilization;
        assert!(fast > slow * 1.5, "{slow} {fast}");
        let impossible = report().at_pace(1e9).predict_admitted(1000, 238);
        assert!(impossible.refused_per_second.is_finite() && impossible.prediction.p95_seconds.is_finite());
    }
}
