//! `spec.behavior` of a HorizontalPodAutoscaler, with the API's defaults filled in. Pure.

use k8s_openapi::api::autoscaling::v2::{HPAScalingPolicy, HPAScalingRules};

/// One direction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Rules {
    pub(super) stabilization_seconds: i64,
    pub(super) select: Select,
    pub(super) policies: Vec<Policy>,
}

/// Which of several policies holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Select {
    /// The one that changes the most.
    Max,
    /// The one that changes the least.
    Min,
    /// Nothing is changed in this direction.
    Disabled,
}

/// So much within so long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Policy {
    pub(super) amount: Amount,
    pub(super) period_seconds: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Amount {
    Pods(i64),
    Percent(i64),
}

impl Rules {
    /// Default: at once, to twice as many or by four pods each 15 seconds.
    pub(super) fn up(rules: Option<&HPAScalingRules>) -> Self {
        let policies = [(Amount::Percent(100), 15), (Amount::Pods(4), 15)];
        Self::new(rules, 0, &policies)
    }

    /// Default: after five minutes, by any number.
    pub(super) fn down(rules: Option<&HPAScalingRules>) -> Self {
        Self::new(rules, 300, &[(Amount::Percent(100), 15)])
    }

    fn new(rules: Option<&HPAScalingRules>, stabilization: i64, policies: &[(Amount, i64)]) -> Self {
        let given = rules.and_then(|rules| rules.policies.as_ref()).filter(|given| !given.is_empty());
        let default = || {
            policies
                .iter()
                .map(|(amount, period)| Policy { amount: *amount, period_seconds: *period })
                .collect()
        };
        Self {
            stabilization_seconds: rules
                .and_then(|rules| rules.stabilization_window_seconds)
                .map_or(stabilization, i64::from),
            select: match rules.and_then(|rules| rules.select_policy.as_deref()) {
                Some("Min") => Select::Min,
                Some("Disabled") => Select::Disabled,
                _ => Select::Max,
            },
            policies: given.map_or_else(default, |given| given.iter().map(Policy::new).collect()),
        }
    }

    /// How far back these rules look.
    pub(super) fn memory_seconds(&self) -> i64 {
        let periods = self.policies.iter().map(|policy| policy.period_seconds);
        periods.max().unwrap_or(0).max(self.stabilization_seconds)
    }
}

impl Policy {
    fn new(policy: &HPAScalingPolicy) -> Self {
        let value = i64::from(policy.value);
        let amount = if policy.type_ == "Pods" { Amount::Pods(value) } else { Amount::Percent(value) };
        Self { amount, period_seconds: i64::from(policy.period_seconds) }
    }
}
