//! What the spec adds to the pods of a tier: labels, annotations, placement, registry logins. Pure.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{LocalObjectReference, PodTemplateSpec, Toleration};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::Desired;
use crate::crd::{self, PodSettings};
use crate::names::{LABEL_COMPONENT, Tier};
use crate::plan::Plan;

/// Adds them to every pod template.
pub(super) fn add(plan: &Plan, desired: &mut Desired) {
    let sets =
        desired.stateful_sets.iter_mut().filter_map(|set| set.spec.as_mut()).map(|spec| &mut spec.template);
    let deployments = desired.deployments.iter_mut().filter_map(|deployment| deployment.spec.as_mut());
    for template in sets.chain(deployments.map(|spec| &mut spec.template)) {
        if let Some(settings) = tier_of(template).and_then(|tier| plan.pods.of(tier)) {
            extend(template, settings);
        }
    }
}

fn tier_of(template: &PodTemplateSpec) -> Option<Tier> {
    let component = template.metadata.as_ref()?.labels.as_ref()?.get(LABEL_COMPONENT)?;
    Tier::WITH_PODS.into_iter().find(|tier| tier.as_str() == component)
}

fn extend(template: &mut PodTemplateSpec, settings: &PodSettings) {
    let metadata = template.metadata.get_or_insert_with(ObjectMeta::default);
    add_missing(&mut metadata.labels, &settings.labels);
    add_missing(&mut metadata.annotations, &settings.annotations);
    let Some(spec) = template.spec.as_mut() else { return };
    add_missing(&mut spec.node_selector, &settings.node_selector);
    if !settings.tolerations.is_empty() {
        spec.tolerations = Some(settings.tolerations.iter().map(toleration).collect());
    }
    if let Some(class) = &settings.priority_class_name {
        spec.priority_class_name = Some(class.clone());
    }
    if !settings.image_pull_secrets.is_empty() {
        let login = |secret: &crd::ImagePullSecret| LocalObjectReference { name: secret.name.clone() };
        spec.image_pull_secrets = Some(settings.image_pull_secrets.iter().map(login).collect());
    }
}

/// What the operator set stays: admission refuses its keys, and an object stored before must not
/// change what selects the pods.
fn add_missing(into: &mut Option<BTreeMap<String, String>>, more: &BTreeMap<String, String>) {
    if more.is_empty() {
        return;
    }
    let into = into.get_or_insert_with(BTreeMap::new);
    for (key, value) in more {
        into.entry(key.clone()).or_insert_with(|| value.clone());
    }
}

fn toleration(toleration: &crd::Toleration) -> Toleration {
    Toleration {
        key: toleration.key.clone(),
        operator: Some(toleration.operator.as_str().to_owned()),
        value: toleration.value.clone(),
        effect: toleration.effect.map(|effect| effect.as_str().to_owned()),
        toleration_seconds: toleration.toleration_seconds,
    }
}
