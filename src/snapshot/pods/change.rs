//! What a template changes about a pod, in words for an event. Pure.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Container, Pod, PodSpec, PodTemplateSpec};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use kube::ResourceExt;

use crate::names::{ANNOTATION_CERTIFICATE, ANNOTATION_CONFIGURATION, ANNOTATION_KEYFILE};

/// Digests that a template carries, and of what.
const DIGESTS: [(&str, &str); 3] = [
    (ANNOTATION_CONFIGURATION, "configuration"),
    (ANNOTATION_KEYFILE, "the keyfile"),
    (ANNOTATION_CERTIFICATE, "the certificate"),
];

/// The most changes one sentence names.
const SHOWN: usize = 3;

/// The differences a person would look for; anything else is "the pod template changes". Only what
/// the template itself says is compared: admission adds to pods.
pub fn describe(pod: &Pod, template: &PodTemplateSpec) -> String {
    let mut changes = Vec::new();
    if let (Some(old), Some(new)) = (pod.spec.as_ref(), template.spec.as_ref()) {
        for new in containers(new) {
            if let Some(old) = containers(old).find(|old| old.name == new.name) {
                image(old, new, &mut changes);
                resources(old, new, &mut changes);
                arguments(old, new, &mut changes);
            }
        }
    }
    let new = template.metadata.as_ref().and_then(|metadata| metadata.annotations.as_ref());
    for (annotation, what) in DIGESTS {
        if pod.annotations().get(annotation) != new.and_then(|annotations| annotations.get(annotation)) {
            changes.push(format!("{what} changes"));
        }
    }
    if changes.is_empty() {
        return "the pod template changes".to_owned();
    }
    let more = changes.len().saturating_sub(SHOWN);
    changes.truncate(SHOWN);
    if more > 0 {
        changes.push(format!("{more} more"));
    }
    changes.join(", ")
}

/// The servers first: what prepares for them usually shares their image and size.
fn containers(spec: &PodSpec) -> impl Iterator<Item = &Container> {
    spec.containers.iter().chain(spec.init_containers.iter().flatten())
}

fn add(changes: &mut Vec<String>, what: &str, old: Option<&str>, new: Option<&str>) {
    if old != new {
        let text = |value: Option<&str>| value.unwrap_or("none").to_owned();
        let change = format!("{what} changes from {} to {}", text(old), text(new));
        if !changes.contains(&change) {
            changes.push(change);
        }
    }
}

fn image(old: &Container, new: &Container, changes: &mut Vec<String>) {
    add(changes, "image", old.image.as_deref(), new.image.as_deref());
}

fn resources(old: &Container, new: &Container, changes: &mut Vec<String>) {
    let (Some(old), Some(new)) = (&old.resources, &new.resources) else { return };
    quantities("limit", old.limits.as_ref(), new.limits.as_ref(), changes);
    quantities("request", old.requests.as_ref(), new.requests.as_ref(), changes);
}

fn quantities(
    kind: &str,
    old: Option<&BTreeMap<String, Quantity>>,
    new: Option<&BTreeMap<String, Quantity>>,
    changes: &mut Vec<String>,
) {
    for (resource, quantity) in new.into_iter().flatten() {
        let old = old.and_then(|old| old.get(resource)).map(|quantity| quantity.0.as_str());
        add(changes, &format!("{resource} {kind}"), old, Some(&quantity.0));
    }
}

/// `--flag value` pairs are named by their flag.
fn arguments(old: &Container, new: &Container, changes: &mut Vec<String>) {
    let (old, new) = (old.args.as_deref().unwrap_or_default(), new.args.as_deref().unwrap_or_default());
    if old == new {
        return;
    }
    if old.len() != new.len() {
        changes.push("arguments change".to_owned());
        return;
    }
    for (index, (old_word, new_word)) in old.iter().zip(new).enumerate() {
        let flag =
            index.checked_sub(1).and_then(|before| new.get(before)).filter(|word| word.starts_with("--"));
        let what = flag.map_or("argument", String::as_str);
        add(changes, what, Some(old_word), Some(new_word));
    }
}
