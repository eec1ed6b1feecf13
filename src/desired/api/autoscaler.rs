//! The HorizontalPodAutoscaler of the API. Pure.

use k8s_openapi::api::autoscaling::v2::{
    ContainerResourceMetricSource, CrossVersionObjectReference, HPAScalingPolicy, HPAScalingRules,
    HorizontalPodAutoscaler, HorizontalPodAutoscalerBehavior, HorizontalPodAutoscalerSpec, MetricSpec,
    MetricTarget,
};

use crate::desired::meta;
use crate::names::Tier;
use crate::plan::Plan;

/// Renders the autoscaler between the derived bounds: up fast, down slowly.
pub fn build(plan: &Plan, min: i64, max: i64) -> HorizontalPodAutoscaler {
    let identity = &plan.identity;
    let bound = |value: i64| i32::try_from(value).unwrap_or(i32::MAX);
    HorizontalPodAutoscaler {
        metadata: meta::object(identity, Tier::Api, identity.tier(Tier::Api)),
        spec: Some(HorizontalPodAutoscalerSpec {
            scale_target_ref: CrossVersionObjectReference {
                api_version: Some("apps/v1".to_owned()),
                kind: "Deployment".to_owned(),
                name: identity.tier(Tier::Api),
            },
            min_replicas: Some(bound(min)),
            max_replicas: bound(max),
            metrics: Some(vec![MetricSpec {
                type_: "ContainerResource".to_owned(),
                container_resource: Some(ContainerResourceMetricSource {
                    container: Tier::Api.as_str().to_owned(),
                    name: "cpu".to_owned(),
                    target: MetricTarget {
                        type_: "Utilization".to_owned(),
                        average_utilization: Some(bound(plan.api.cpu_target_percent)),
                        ..MetricTarget::default()
                    },
                }),
                ..MetricSpec::default()
            }]),
            behavior: Some(HorizontalPodAutoscalerBehavior {
                scale_up: Some(HPAScalingRules {
                    stabilization_window_seconds: Some(0),
                    select_policy: Some("Max".to_owned()),
                    policies: Some(vec![policy("Percent", 100, 15), policy("Pods", 4, 15)]),
                    ..HPAScalingRules::default()
                }),
                scale_down: Some(HPAScalingRules {
                    stabilization_window_seconds: Some(plan.api.autoscaling.scale_down_stabilization_seconds),
                    select_policy: Some("Max".to_owned()),
                    policies: Some(vec![policy(
                        "Percent",
                        plan.api.autoscaling.scale_down_percent_per_minute,
                        60,
                    )]),
                    ..HPAScalingRules::default()
                }),
            }),
        }),
        ..HorizontalPodAutoscaler::default()
    }
}

fn policy(kind: &str, value: i32, period_seconds: i32) -> HPAScalingPolicy {
    HPAScalingPolicy { type_: kind.to_owned(), value, period_seconds }
}
