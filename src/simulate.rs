//! Replays a load through a plan, its autoscaler and its instances, second by second. Pure.
//!
//! Everything but the HorizontalPodAutoscaler controller and the kubelet is the operator's own: bounds
//! and limits come from [`crate::plan`], the scaling behaviour from the object that [`crate::desired`]
//! renders, and what users meet from the closed queue of one instance behind the gateway's limit.

pub mod autoscaler;
mod behavior;
mod pods;
pub mod shape;
pub mod summary;
pub mod trace;

use std::collections::HashMap;

use serde::Serialize;

use crate::crd::InstanceProfile;
use crate::desired;
use crate::plan::capacity::queueing::{Admitted, Station};
use crate::plan::{Plan, Replicas};
use crate::snapshot::{ServedKinds, Snapshot};
use autoscaler::{Autoscaler, Bounds, Metric, SYNC_SECONDS, Scale};
use pods::Pods;
use trace::{Load, Trace};

/// Users on one instance beyond which the model only says that nothing works any more.
const MOST_USERS_EACH: u32 = 1_000_000;

/// What the plan does not say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Surroundings {
    /// Seconds from a wish for a pod until the gateway sends it requests.
    pub startup_seconds: u32,
    /// Age of the metrics that a sync reads.
    pub metric_delay_seconds: u32,
    /// Instances at the start; without it, what the autoscaler would want at the first load.
    pub replicas: Option<i64>,
}

/// What happened from one sync of the autoscaler to the next.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Interval {
    /// Seconds from the start to its sync.
    pub second: u32,
    /// How long it lasts.
    pub seconds: u32,
    /// Most users present.
    pub users: u32,
    /// Instances wanted after the sync.
    pub desired: i64,
    /// Why not another number.
    pub reason: &'static str,
    /// Fewest instances ready.
    pub ready: i64,
    /// Highest share of the time in which an instance is busy, 0 to 1.
    pub utilization: f64,
    /// Longest 95th percentile of the requests let in, in milliseconds; `null` while nobody answers.
    pub p95_milliseconds: Option<f64>,
    /// Requests answered.
    pub served: f64,
    /// Requests refused.
    pub refused: f64,
    /// Seconds in which requests were refused or p95 was beyond the objective.
    pub seconds_beyond_objective: u32,
    /// Sum of the lives of all pods, ready or starting.
    pub instance_seconds: i64,
}

/// A whole run.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    /// In order of time, without gaps.
    pub intervals: Vec<Interval>,
    /// Fewest and most instances allowed.
    pub bounds: (i64, i64),
    /// 95 % of the requests are to be answered within this many milliseconds.
    pub objective_milliseconds: f64,
    /// Users that one instance is planned for.
    pub users_per_instance: i64,
    /// Users at the knee of one instance.
    pub knee_users: i64,
}

/// Replays `trace` through `plan`, which was made with this `instance` profile.
pub fn run(plan: &Plan, instance: &InstanceProfile, surroundings: Surroundings, trace: &Trace) -> Run {
    let bounds = Bounds { min: plan.api.replicas.fewest(), max: plan.api.replicas.most() };
    let first = divide_up(trace.at(0).users, instance.connections).clamp(bounds.min, bounds.max);
    let mut world = World {
        instances: Instances::new(plan, instance),
        autoscaler: autoscaler(plan),
        pods: Pods::new(surroundings.replicas.unwrap_or(first)),
        bounds,
        connections: instance.connections,
        knee_in_flight: instance.knee_in_flight,
        objective_milliseconds: plan.monitoring.latency_p95_seconds * 1000.0,
        seen: Vec::new(),
    };
    let mut intervals: Vec<Interval> = Vec::new();
    for second in 0..trace.seconds() {
        world.pods.tick(second);
        let answer = world.instances.answer(trace.at(second), world.pods.ready());
        world.see(surroundings.metric_delay_seconds, &answer);
        if second % SYNC_SECONDS == 0 {
            let reason = world.sync(second, surroundings.startup_seconds);
            intervals.push(world.open(second, reason));
        }
        if let Some(interval) = intervals.last_mut() {
            world.record(interval, &answer);
        }
    }
    Run {
        intervals,
        bounds: (bounds.min, bounds.max),
        objective_milliseconds: world.objective_milliseconds,
        users_per_instance: instance.connections,
        knee_users: instance.knee_users,
    }
}

/// With the behaviour of the object that the operator renders.
fn autoscaler(plan: &Plan) -> Option<Autoscaler> {
    let served = ServedKinds { prometheus_rules: false, service_monitors: false };
    let rendered = desired::build(plan, &Snapshot::offline(served)).autoscalers;
    let spec = rendered.first().and_then(|object| object.spec.as_ref());
    let behavior = spec.and_then(|spec| spec.behavior.as_ref());
    matches!(plan.api.replicas, Replicas::Autoscaled { .. }).then(|| Autoscaler::new(behavior))
}

/// Users over instances, or over connections, rounded up.
fn divide_up(users: u32, by: i64) -> i64 {
    (i64::from(users) + by - 1) / by
}

struct World {
    instances: Instances,
    autoscaler: Option<Autoscaler>,
    pods: Pods,
    bounds: Bounds,
    connections: i64,
    knee_in_flight: i64,
    objective_milliseconds: f64,
    /// The last seconds, as the metrics tell them: as many as they are late.
    seen: Vec<(i64, i64)>,
}

impl World {
    /// Remembers what the metrics will show when they are as late as they are.
    fn see(&mut self, delay: u32, answer: &Answer) {
        // A request that was refused is demand all the same: it would have taken as long as the others.
        let refused_in_flight = answer.refused * answer.mean_seconds;
        let in_flight = whole((answer.in_flight + refused_in_flight) * 1000.0);
        self.seen.push((i64::from(answer.users) * 1000, in_flight));
        if self.seen.len() > usize::try_from(delay).unwrap_or(usize::MAX).saturating_add(1) {
            self.seen.remove(0);
        }
    }

    fn sync(&mut self, second: u32, startup_seconds: u32) -> &'static str {
        let Some(autoscaler) = &mut self.autoscaler else { return "FixedReplicas" };
        let (users, in_flight) = self.seen.first().map_or((None, None), |seen| (Some(seen.0), Some(seen.1)));
        let metrics = [
            Metric {
                name: "eaiser_gateway_connections",
                target_milli: self.connections * 1000,
                total_milli: users,
            },
            Metric {
                name: "eaiser_requests_in_flight",
                target_milli: self.knee_in_flight * 1000,
                total_milli: in_flight,
            },
        ];
        let scale = Scale { wanted: self.pods.wanted(), existing: self.pods.wanted() };
        let decision = autoscaler.sync(second, scale, self.bounds, &metrics);
        self.pods.scale(decision.replicas, second + startup_seconds);
        // A pod that needs no time is there at once.
        self.pods.tick(second);
        decision.reason
    }

    fn open(&self, second: u32, reason: &'static str) -> Interval {
        Interval {
            second,
            seconds: 0,
            users: 0,
            desired: self.pods.wanted(),
            reason,
            ready: self.pods.ready(),
            utilization: 0.0,
            p95_milliseconds: Some(0.0),
            served: 0.0,
            refused: 0.0,
            seconds_beyond_objective: 0,
            instance_seconds: 0,
        }
    }

    fn record(&self, interval: &mut Interval, answer: &Answer) {
        let p95 = answer.p95_seconds.map(|seconds| seconds * 1000.0);
        let is_beyond = answer.refused >= 0.5 || p95.is_none_or(|p95| p95 > self.objective_milliseconds);
        interval.seconds += 1;
        interval.users = interval.users.max(answer.users);
        interval.ready = interval.ready.min(self.pods.ready());
        interval.utilization = interval.utilization.max(answer.utilization);
        interval.p95_milliseconds = interval.p95_milliseconds.zip(p95).map(|(longest, p95)| longest.max(p95));
        interval.served += answer.served;
        interval.refused += answer.refused;
        interval.seconds_beyond_objective += u32::from(is_beyond);
        interval.instance_seconds += self.pods.wanted();
    }
}

/// One second of all instances together.
struct Answer {
    users: u32,
    served: f64,
    refused: f64,
    in_flight: f64,
    utilization: f64,
    mean_seconds: f64,
    /// `None` when users are there and nobody answers.
    p95_seconds: Option<f64>,
}

/// The queue of one instance, with what it said before: each question costs time.
struct Instances {
    station: Station,
    limit: u32,
    requests_per_user: f64,
    known: HashMap<(u32, u64), Admitted>,
}

impl Instances {
    fn new(plan: &Plan, instance: &InstanceProfile) -> Self {
        Self {
            station: Station::new(instance),
            limit: u32::try_from(plan.api.max_in_flight).unwrap_or(u32::MAX),
            requests_per_user: instance.requests_per_user,
            known: HashMap::new(),
        }
    }

    /// Users are spread evenly; the fullest instance tells the response time.
    fn answer(&mut self, load: Load, ready: i64) -> Answer {
        let pace = load.pace().map_or(self.requests_per_user, three_digits);
        let users = load.users;
        if ready <= 0 {
            let refused = f64::from(users) * pace;
            let p95_seconds = (users == 0).then_some(0.0);
            let nothing = Answer {
                users,
                served: 0.0,
                refused,
                in_flight: 0.0,
                utilization: 0.0,
                mean_seconds: 0.0,
                p95_seconds,
            };
            return nothing;
        }
        let each = divide_up(users, ready);
        let each = u32::try_from(each).unwrap_or(u32::MAX).min(MOST_USERS_EACH);
        let Self { station, limit, known, .. } = self;
        let admitted = *known
            .entry((each, pace.to_bits()))
            .or_insert_with(|| station.at_pace(pace).predict_admitted(each, *limit));
        let instances = if each == 0 { 0.0 } else { f64::from(users) / f64::from(each) };
        let prediction = admitted.prediction;
        Answer {
            users,
            served: prediction.requests_per_second * instances,
            refused: admitted.refused_per_second * instances,
            in_flight: prediction.in_flight * instances,
            utilization: prediction.utilization,
            mean_seconds: prediction.mean_seconds,
            p95_seconds: Some(prediction.p95_seconds),
        }
    }
}

/// A pace is no better known, and few paces are few questions.
fn three_digits(pace: f64) -> f64 {
    if pace <= 0.0 {
        return pace;
    }
    let scale = 10_f64.powi(3 - 1 - exponent(pace));
    (pace * scale).round() / scale
}

#[allow(clippy::cast_possible_truncation, reason = "the logarithm of a finite number is small")]
fn exponent(value: f64) -> i32 {
    value.log10().floor() as i32
}

/// The whole part.
#[allow(clippy::cast_possible_truncation, reason = "clamped to the range of i64 first")]
fn whole(value: f64) -> i64 {
    value.clamp(-1e15, 1e15) as i64
}

#[cfg(test)]
mod tests;
