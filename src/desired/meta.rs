//! Metadata of every child: name, labels, owner. Pure.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta, OwnerReference};
use kube::Resource;
use sha2::{Digest, Sha256};

use crate::crd::EaiserCluster;
use crate::names::{Identity, Tier};

/// Metadata of a child of `tier`, owned by the cluster so that deletion needs no operator.
pub fn object(identity: &Identity, tier: Tier, name: String) -> ObjectMeta {
    ObjectMeta {
        name: Some(name),
        namespace: Some(identity.namespace.clone()),
        labels: Some(identity.labels(tier)),
        owner_references: Some(vec![owner(identity)]),
        ..ObjectMeta::default()
    }
}

/// The owner reference of every child. It does not block the owner's deletion: that would need a
/// further right and gains nothing here.
fn owner(identity: &Identity) -> OwnerReference {
    OwnerReference {
        api_version: EaiserCluster::api_version(&()).into_owned(),
        kind: EaiserCluster::kind(&()).into_owned(),
        name: identity.name.clone(),
        uid: identity.uid.clone(),
        controller: Some(true),
        block_owner_deletion: None,
    }
}

/// Metadata of a tier's pod template.
pub fn template(labels: BTreeMap<String, String>, annotations: BTreeMap<String, String>) -> ObjectMeta {
    let annotations = (!annotations.is_empty()).then_some(annotations);
    ObjectMeta { labels: Some(labels), annotations, ..ObjectMeta::default() }
}

/// Selector of a tier's pods.
pub fn selector(identity: &Identity, tier: Tier) -> LabelSelector {
    LabelSelector { match_labels: Some(identity.selector(tier)), match_expressions: None }
}

/// Short digest of texts that a pod reads only at start; a change of it rolls the pods.
pub fn digest<'a>(texts: impl IntoIterator<Item = &'a str>) -> String {
    let mut hasher = Sha256::new();
    for text in texts {
        hasher.update(text.len().to_le_bytes());
        hasher.update(text.as_bytes());
    }
    hex(&hasher.finalize()[..8])
}

/// Lower-case hexadecimal text.
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
