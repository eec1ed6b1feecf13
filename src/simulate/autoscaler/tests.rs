//! Traces of the controller worked out by hand from its documentation.

use k8s_openapi::api::autoscaling::v2::HPAScalingPolicy;
use proptest::prelude::*;

use super::*;

const BOUNDS: Bounds = Bounds { min: 1, max: 100 };

fn metric(target_milli: i64, total_milli: impl Into<Option<i64>>) -> Metric {
    Metric { name: "load", target_milli, total_milli: total_milli.into() }
}

fn scale(replicas: i64) -> Scale {
    Scale { wanted: replicas, existing: replicas }
}

fn rules(stabilization: i32, select: &str, policies: &[(&str, i32, i32)]) -> HPAScalingRules {
    let policy = |(kind, value, period_seconds): &(&str, i32, i32)| HPAScalingPolicy {
        type_: (*kind).to_owned(),
        value: *value,
        period_seconds: *period_seconds,
    };
    HPAScalingRules {
        stabilization_window_seconds: Some(stabilization),
        select_policy: Some(select.to_owned()),
        policies: Some(policies.iter().map(policy).collect()),
        ..HPAScalingRules::default()
    }
}

/// Up by the larger of 100 % and 4 pods each 15 s; down by 10 % a minute after five minutes.
fn ours() -> HorizontalPodAutoscalerBehavior {
    HorizontalPodAutoscalerBehavior {
        scale_up: Some(rules(0, "Max", &[("Percent", 100, 15), ("Pods", 4, 15)])),
        scale_down: Some(rules(300, "Max", &[("Percent", 10, 60)])),
    }
}

/// Replicas after each sync, 15 s apart, while the sum of the metric is each of `totals` (target 1).
fn replay(behavior: &HorizontalPodAutoscalerBehavior, start: i64, totals: &[i64]) -> Vec<i64> {
    let mut autoscaler = Autoscaler::new(Some(behavior));
    let mut replicas = start;
    let mut syncs = Vec::new();
    for (sync, total) in (0_u32..).zip(totals) {
        let metrics = [metric(1000, total * 1000)];
        replicas = autoscaler.sync(sync * SYNC_SECONDS, scale(replicas), BOUNDS, &metrics).replicas;
        syncs.push(replicas);
    }
    syncs
}

mod algorithm {
    use super::*;

    #[track_caller]
    fn first(replicas: i64, metrics: &[Metric]) -> Decision {
        let behavior = HorizontalPodAutoscalerBehavior {
            scale_down: Some(rules(0, "Max", &[("Percent", 100, 15)])),
            ..HorizontalPodAutoscalerBehavior::default()
        };
        Autoscaler::new(Some(&behavior)).sync(0, scale(replicas), BOUNDS, metrics)
    }

    #[test]
    fn an_average_of_200m_for_a_target_of_100m_doubles_and_50m_halves() {
        assert_eq!(first(4, &[metric(100, 800)]).replicas, 8);
        assert_eq!(first(4, &[metric(100, 200)]).replicas, 2);
    }

    #[test]
    fn a_tenth_more_or_less_changes_nothing_and_a_little_beyond_does() {
        for total in [9_000, 10_000, 11_000] {
            assert_eq!(first(10, &[metric(1000, total)]).replicas, 10, "{total}");
        }
        assert_eq!(first(10, &[metric(1000, 11_001)]).replicas, 12);
        assert_eq!(first(10, &[metric(1000, 8_999)]).replicas, 9);
    }

    #[test]
    fn of_several_metrics_the_largest_number_wins() {
        assert_eq!(first(10, &[metric(1000, 5_000), metric(1000, 15_000)]).replicas, 15);
    }

    #[test]
    fn pods_that_are_not_ready_count_since_the_average_is_over_all_that_exist() {
        let starting = Scale { wanted: 10, existing: 4 };
        let decision = Autoscaler::new(None).sync(0, starting, BOUNDS, &[metric(1000, 4_200)]);
        assert_eq!(decision.replicas, 10, "within the tolerance of the 4 there, held by the window");
    }

    #[test]
    fn an_unknown_metric_never_scales_in_and_does_not_hinder_scaling_out() {
        let unknown = metric(1000, None);
        assert_eq!(first(10, &[unknown]), Decision { replicas: 10, reason: "FailedGetExternalMetric" });
        assert_eq!(first(10, &[unknown, metric(1000, 2_000)]).replicas, 10);
        assert_eq!(first(10, &[unknown, metric(1000, 15_000)]).replicas, 15);
        assert_eq!(first(10, &[]).replicas, 10);
    }

    #[test]
    fn bounds_hold_at_once_in_both_directions_without_a_policy() {
        let bounds = Bounds { min: 20, max: 30 };
        let quiet = [metric(1000, 1_000)];
        let mut autoscaler = Autoscaler::new(Some(&ours()));
        assert_eq!(autoscaler.sync(0, scale(2), bounds, &quiet).replicas, 20);
        assert_eq!(autoscaler.sync(15, scale(50), bounds, &quiet).replicas, 30);
    }

    #[test]
    fn zero_replicas_switch_it_off() {
        let decision = first(0, &[metric(1000, 50_000)]);
        assert_eq!(decision, Decision { replicas: 0, reason: "ScalingDisabled" });
    }
}

mod upwards {
    use super::*;

    #[test]
    fn four_pods_until_doubling_is_more() {
        // 100 for 96 is within the tolerance.
        assert_eq!(replay(&ours(), 2, &[100; 6]), [6, 12, 24, 48, 96, 96]);
        assert_eq!(replay(&ours(), 1, &[100; 3]), [5, 10, 20]);
    }

    #[test]
    fn a_policy_counts_from_the_start_of_its_period() {
        let behavior = HorizontalPodAutoscalerBehavior {
            scale_up: Some(rules(0, "Max", &[("Pods", 4, 60)])),
            ..HorizontalPodAutoscalerBehavior::default()
        };
        assert_eq!(replay(&behavior, 2, &[100; 9]), [6, 6, 6, 6, 10, 10, 10, 10, 14]);
    }

    #[test]
    fn min_takes_the_policy_that_adds_less_and_disabled_none() {
        let policies = [("Percent", 100, 15), ("Pods", 4, 15)];
        for (select, expected) in [("Min", [24, 28, 32]), ("Disabled", [20, 20, 20])] {
            let behavior = HorizontalPodAutoscalerBehavior {
                scale_up: Some(rules(0, select, &policies)),
                ..HorizontalPodAutoscalerBehavior::default()
            };
            assert_eq!(replay(&behavior, 20, &[100; 3]), expected, "{select}");
        }
    }

    #[test]
    fn a_window_waits_until_every_recommendation_in_it_is_higher() {
        let behavior = HorizontalPodAutoscalerBehavior {
            scale_up: Some(rules(60, "Max", &[("Percent", 900, 15)])),
            ..HorizontalPodAutoscalerBehavior::default()
        };
        // What was found at the first sync is the first recommendation.
        assert_eq!(replay(&behavior, 10, &[50, 40, 50, 50, 50, 50]), [10, 10, 10, 10, 40, 50]);
    }
}

mod downwards {
    use super::*;

    #[test]
    fn five_minutes_pass_before_the_first_pod_goes_and_then_a_tenth_a_minute() {
        let replicas = replay(&ours(), 100, &[10; 40]);
        assert_eq!(replicas[..20], [100; 20], "300 s after what was found");
        assert_eq!(replicas[20..32], [90, 90, 90, 90, 81, 81, 81, 81, 72, 72, 72, 72]);
        assert_eq!(replicas[32], 64, "a tenth of 72 is 7.2; what stays is rounded down");
    }

    #[test]
    fn one_high_recommendation_holds_for_five_minutes_more() {
        let mut totals = vec![10; 30];
        totals[10] = 50;
        let replicas = replay(&ours(), 50, &totals);
        assert_eq!(replicas[..30], [50; 30]);
        totals.extend([10; 2]);
        assert_eq!(replay(&ours(), 50, &totals)[30], 45);
    }

    #[test]
    fn a_tenth_of_few_pods_is_still_one() {
        let replicas = replay(&ours(), 5, &[1; 40]);
        assert_eq!([replicas[20], replicas[24], replicas[28], replicas[32]], [4, 3, 2, 1]);
    }

    #[test]
    fn disabled_keeps_every_pod() {
        let behavior = HorizontalPodAutoscalerBehavior {
            scale_down: Some(rules(0, "Disabled", &[("Percent", 100, 15)])),
            ..HorizontalPodAutoscalerBehavior::default()
        };
        assert_eq!(replay(&behavior, 50, &[1; 40]), [50; 40]);
    }

    #[test]
    fn without_a_behavior_the_defaults_of_the_api_hold() {
        let replicas = replay(&HorizontalPodAutoscalerBehavior::default(), 50, &[10; 22]);
        assert_eq!((replicas[19], replicas[20]), (50, 10));
        assert_eq!(replay(&HorizontalPodAutoscalerBehavior::default(), 2, &[100; 2]), [6, 12]);
    }
}

fn any_total() -> impl Strategy<Value = Option<i64>> {
    prop_oneof![1 => Just(None), 9 => (0_i64..200_000).prop_map(Some)]
}

proptest! {
    #[test]
    fn replicas_stay_within_their_bounds(
        start in 1_i64..300,
        min in 1_i64..50,
        more in 0_i64..50,
        totals in prop::collection::vec(any_total(), 1..80),
    ) {
        let bounds = Bounds { min, max: min + more };
        let mut autoscaler = Autoscaler::new(Some(&ours()));
        let mut replicas = start;
        for (sync, total) in (0_u32..).zip(totals) {
            replicas = autoscaler.sync(sync * 15, scale(replicas), bounds, &[metric(1000, total)]).replicas;
            prop_assert!((bounds.min..=bounds.max).contains(&replicas));
        }
    }

    /// Whatever the load does, a pod that was added within the bounds stays at least for the window.
    #[test]
    fn nothing_is_removed_within_the_window_after_it_was_added(
        start in 1_i64..100,
        totals in prop::collection::vec(any_total(), 1..120),
    ) {
        let mut autoscaler = Autoscaler::new(Some(&ours()));
        let mut replicas = start;
        let mut added_at: Option<u32> = None;
        for (sync, total) in (0_u32..).zip(totals) {
            let now = sync * 15;
            let metrics = [metric(1000, total)];
            let after = autoscaler.sync(now, scale(replicas), BOUNDS, &metrics).replicas;
            if after < replicas {
                prop_assert!(added_at.is_none_or(|added| now - added >= 300), "{added_at:?} {now}");
                prop_assert!(total.is_some(), "unknown never scales in");
            }
            if after > replicas {
                added_at = Some(now);
            }
            replicas = after;
        }
    }
}
