//! The HorizontalPodAutoscaler controller, as it decides at each sync. Pure.
//!
//! Written from what is documented: *Horizontal Pod Autoscaling* on kubernetes.io ("Algorithm details",
//! "Configurable scaling behavior"), the API reference of `autoscaling/v2`, and KEP-853 (configurable
//! scale velocity), whose sections each rule below names.

use k8s_openapi::api::autoscaling::v2::{HPAScalingRules, HorizontalPodAutoscalerBehavior};

use super::behavior::{Amount, Rules, Select};

/// Seconds between two syncs: `--horizontal-pod-autoscaler-sync-period`.
pub const SYNC_SECONDS: u32 = 15;
/// A ratio this near to 1 changes nothing: `--horizontal-pod-autoscaler-tolerance`.
const TOLERANCE: f64 = 0.1;

/// A metric of type External with an `AverageValue`, in thousandths as the controller counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metric {
    /// Its name.
    pub name: &'static str,
    /// What each pod is meant to carry.
    pub target_milli: i64,
    /// The sum over all pods; `None` when it could not be read.
    pub total_milli: Option<i64>,
}

/// The scaled object as the controller finds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scale {
    /// `spec.replicas`.
    pub wanted: i64,
    /// `status.replicas`: pods that exist, ready or not.
    pub existing: i64,
}

/// `minReplicas` and `maxReplicas`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Fewest.
    pub min: i64,
    /// Most.
    pub max: i64,
}

/// What a sync decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    /// New `spec.replicas`.
    pub replicas: i64,
    /// Why it is not another number, in the words of the controller's conditions.
    pub reason: &'static str,
}

/// The controller's memory of one autoscaler.
#[derive(Clone, Debug)]
pub struct Autoscaler {
    up: Rules,
    down: Rules,
    has_synced: bool,
    recommendations: Vec<Dated>,
    ups: Vec<Dated>,
    downs: Vec<Dated>,
}

/// A number of replicas, and when.
#[derive(Clone, Copy, Debug)]
struct Dated {
    at: i64,
    replicas: i64,
}

impl Autoscaler {
    /// An autoscaler nobody has synced yet; what its behaviour leaves open has the API's defaults.
    pub fn new(behavior: Option<&HorizontalPodAutoscalerBehavior>) -> Self {
        let rules =
            |pick: fn(&HorizontalPodAutoscalerBehavior) -> Option<&HPAScalingRules>| behavior.and_then(pick);
        Self {
            up: Rules::up(rules(|behavior| behavior.scale_up.as_ref())),
            down: Rules::down(rules(|behavior| behavior.scale_down.as_ref())),
            has_synced: false,
            recommendations: Vec::new(),
            ups: Vec::new(),
            downs: Vec::new(),
        }
    }

    /// One sync at second `now`.
    pub fn sync(&mut self, now: u32, scale: Scale, bounds: Bounds, metrics: &[Metric]) -> Decision {
        let now = i64::from(now);
        let current = scale.wanted;
        // The first thing a controller remembers is what it found, so its restart removes no pod.
        if !std::mem::replace(&mut self.has_synced, true) {
            self.recommendations.push(Dated { at: now, replicas: current });
        }
        let decision = if current == 0 && bounds.min != 0 {
            Decision { replicas: 0, reason: "ScalingDisabled" }
        } else if current > bounds.max {
            Decision { replicas: bounds.max, reason: "TooManyReplicas" }
        } else if current < bounds.min {
            Decision { replicas: bounds.min, reason: "TooFewReplicas" }
        } else {
            match proposed(scale, metrics) {
                Some(proposed) => self.limit(now, current, proposed, bounds),
                None => Decision { replicas: current, reason: "FailedGetExternalMetric" },
            }
        };
        let change = decision.replicas - current;
        let events = if change > 0 { &mut self.ups } else { &mut self.downs };
        if change != 0 {
            events.push(Dated { at: now, replicas: change.abs() });
        }
        self.forget(now);
        decision
    }

    /// Stabilization first, then policies, then bounds.
    fn limit(&mut self, now: i64, current: i64, proposed: i64, bounds: Bounds) -> Decision {
        let stable = self.stabilize(now, current, proposed);
        if stable > current {
            let allowed = self.most_up(now, current).max(current);
            let (most, reason) = if allowed < bounds.max {
                (allowed, "ScaleUpLimit")
            } else {
                (bounds.max, "TooManyReplicas")
            };
            return within(stable, stable.min(most), reason);
        }
        if stable < current {
            let allowed = self.most_down(now, current).min(current);
            let (fewest, reason) = if allowed > bounds.min {
                (allowed, "ScaleDownLimit")
            } else {
                (bounds.min, "TooFewReplicas")
            };
            return within(stable, stable.max(fewest), reason);
        }
        let reason = match stable.cmp(&proposed) {
            std::cmp::Ordering::Greater => "ScaleDownStabilized",
            std::cmp::Ordering::Less => "ScaleUpStabilized",
            std::cmp::Ordering::Equal => "DesiredWithinRange",
        };
        Decision { replicas: current, reason }
    }

    /// "Stabilization window": up to the smallest, down to the largest number recommended within it.
    fn stabilize(&mut self, now: i64, current: i64, proposed: i64) -> i64 {
        let within = |dated: &&Dated, rules: &Rules| dated.at > now - rules.stabilization_seconds;
        let recent = self.recommendations.iter();
        let up = recent.clone().filter(|dated| within(dated, &self.up));
        let least = up.map(|dated| dated.replicas).fold(proposed, i64::min);
        let down = recent.filter(|dated| within(dated, &self.down));
        let most = down.map(|dated| dated.replicas).fold(proposed, i64::max);
        self.recommendations.push(Dated { at: now, replicas: proposed });
        current.max(least).min(most)
    }

    /// "Scaling policies": each counts from the number at the start of its period.
    fn most_up(&self, now: i64, current: i64) -> i64 {
        let allowed = self.up.policies.iter().map(|policy| {
            let start = self.at_start(now, current, policy.period_seconds);
            match policy.amount {
                Amount::Pods(pods) => start + pods,
                Amount::Percent(percent) => super::whole((as_float(start) * (1.0 + share(percent))).ceil()),
            }
        });
        match self.up.select {
            Select::Max => allowed.max().unwrap_or(current),
            Select::Min => allowed.min().unwrap_or(current),
            Select::Disabled => current,
        }
    }

    /// Here Max is the policy that removes the most. A share that is no whole number is rounded down,
    /// so that 10 % of 5 pods still removes one.
    fn most_down(&self, now: i64, current: i64) -> i64 {
        let allowed = self.down.policies.iter().map(|policy| {
            let start = self.at_start(now, current, policy.period_seconds);
            match policy.amount {
                Amount::Pods(pods) => start - pods,
                Amount::Percent(percent) => super::whole(as_float(start) * (1.0 - share(percent))),
            }
        });
        match self.down.select {
            Select::Max => allowed.min().unwrap_or(current),
            Select::Min => allowed.max().unwrap_or(current),
            Select::Disabled => current,
        }
    }

    fn at_start(&self, now: i64, current: i64, period: i64) -> i64 {
        let sum = |events: &[Dated]| -> i64 {
            events.iter().filter(|event| event.at > now - period).map(|event| event.replicas).sum()
        };
        current - sum(&self.ups) + sum(&self.downs)
    }

    /// Nothing looks back further than an hour, which is the longest the API allows.
    fn forget(&mut self, now: i64) {
        let longest = [&self.up, &self.down].into_iter().map(Rules::memory_seconds).max().unwrap_or(0);
        for list in [&mut self.recommendations, &mut self.ups, &mut self.downs] {
            list.retain(|dated| dated.at > now - longest);
        }
    }
}

fn within(wanted: i64, replicas: i64, limited: &'static str) -> Decision {
    Decision { replicas, reason: if wanted == replicas { "DesiredWithinRange" } else { limited } }
}

/// "Algorithm details": the largest proposal of all metrics. One that cannot be read stops every change
/// but one upwards.
fn proposed(scale: Scale, metrics: &[Metric]) -> Option<i64> {
    let known: Vec<i64> = metrics.iter().filter_map(|metric| of_metric(scale, *metric)).collect();
    let largest = known.iter().copied().max()?;
    (known.len() == metrics.len() || largest >= scale.wanted).then_some(largest)
}

/// ceil(total / target), unless the average over all existing pods is within the tolerance.
fn of_metric(scale: Scale, metric: Metric) -> Option<i64> {
    let total = as_float(metric.total_milli?);
    let target = as_float(metric.target_milli);
    let ratio = total / (target * as_float(scale.existing));
    if (1.0 - TOLERANCE..=1.0 + TOLERANCE).contains(&ratio) {
        return Some(scale.existing);
    }
    Some(super::whole((total / target).ceil()))
}

fn share(percent: i64) -> f64 {
    as_float(percent) / 100.0
}

/// Exact for every amount a plan can hold.
#[allow(clippy::cast_precision_loss, reason = "metrics and replicas are far below 2^53")]
fn as_float(value: i64) -> f64 {
    value as f64
}

#[cfg(test)]
mod tests;
