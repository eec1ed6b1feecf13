//! Volume claims of database pods: what each asks for, what it has, what keeps it from growing. Pure.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use kube::ResourceExt;

use super::Children;
use super::children::find;
use crate::names::claim_of_pod;
use crate::plan::quantity::Bytes;

/// Resource name of a volume's size.
pub const STORAGE: &str = "storage";

/// One claim, as far as its size goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Volume {
    /// Pod it was made for.
    pub pod: String,
    /// Name of the claim.
    pub claim: String,
    /// Identity of this very claim; its successor has another.
    pub uid: String,
    /// Its StorageClass.
    pub class: Option<String>,
    /// It has a volume and is not being deleted: only then its size may be changed.
    pub is_bound: bool,
    /// It is being deleted.
    pub is_leaving: bool,
    /// Size asked for.
    pub requested: Amount,
    /// Size it has; zero while it has none.
    pub capacity: Amount,
    /// Why it does not grow, as the resizer or kubelet says.
    pub obstacle: Option<Obstacle>,
}

/// A size in the server's words, and as a number to compare.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Amount {
    /// As written.
    pub text: String,
    /// In bytes; zero when absent or malformed.
    pub bytes: i64,
}

/// What keeps a volume from growing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// The disk has grown, its file system will when the pod is next mounted or the kubelet gets to it.
    FileSystemPending,
    /// Growing failed; the words are those of the driver or the kubelet.
    Failed(String),
}

impl Children {
    /// The claims that exist of these pods.
    pub fn volumes_of(&self, pods: impl IntoIterator<Item = String>) -> Vec<Volume> {
        pods.into_iter().filter_map(|pod| self.volume_of(pod)).collect()
    }

    fn volume_of(&self, pod: String) -> Option<Volume> {
        let claim = find(&self.claims, &claim_of_pod(&pod))?;
        let spec = claim.spec.as_ref()?;
        let status = claim.status.as_ref();
        let is_leaving = claim.metadata.deletion_timestamp.is_some();
        let requests = spec.resources.as_ref().and_then(|resources| resources.requests.as_ref());
        Some(Volume {
            pod,
            claim: claim.name_any(),
            uid: claim.uid().unwrap_or_default(),
            class: spec.storage_class_name.clone(),
            is_bound: !is_leaving && status.and_then(|status| status.phase.as_deref()) == Some("Bound"),
            is_leaving,
            requested: Amount::of(requests),
            capacity: Amount::of(status.and_then(|status| status.capacity.as_ref())),
            obstacle: self.obstacle(claim),
        })
    }

    fn obstacle(&self, claim: &PersistentVolumeClaim) -> Option<Obstacle> {
        let status = claim.status.as_ref()?;
        let conditions = status.conditions.as_deref().unwrap_or_default();
        let held = |type_: &str| {
            conditions.iter().find(|condition| condition.type_ == type_ && condition.status == "True")
        };
        let infeasible = status
            .allocated_resource_statuses
            .as_ref()
            .and_then(|statuses| statuses.get(STORAGE))
            .filter(|status| status.ends_with("ResizeInfeasible"));
        let error = held("ControllerResizeError").or_else(|| held("NodeResizeError"));
        let told = error.and_then(|condition| condition.message.clone());
        let complaint = || {
            let complaint = self.complaint("PersistentVolumeClaim", &claim.metadata, &["VolumeResizeFailed"]);
            complaint.map(|complaint| complaint.message.clone())
        };
        if infeasible.is_some() || error.is_some() {
            let words = told.or_else(complaint).or_else(|| infeasible.cloned());
            return words.map(Obstacle::Failed);
        }
        if held("FileSystemResizePending").is_some() {
            return Some(Obstacle::FileSystemPending);
        }
        complaint().map(Obstacle::Failed)
    }
}

impl Amount {
    fn of(sizes: Option<&BTreeMap<String, Quantity>>) -> Self {
        sizes.and_then(|sizes| sizes.get(STORAGE)).map_or_else(Self::default, |size| Self::parse(&size.0))
    }

    /// From a quantity.
    pub fn parse(text: &str) -> Self {
        Self { text: text.to_owned(), bytes: Bytes::parse(text).map_or(0, |bytes| bytes.0) }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn volume(status: &str) -> Volume {
        let claim = format!(
            "{{metadata: {{name: data-db-0, uid: c-1}}, spec: {{storageClassName: fast, resources: {{requests: {{storage: 2Gi}}}}}}, status: {status}}}"
        );
        let claim: PersistentVolumeClaim = serde_saphyr::from_str(&claim).unwrap();
        let children = Children { claims: vec![Arc::new(claim)], ..Children::default() };
        children.volumes_of(["db-0".to_owned(), "db-1".to_owned()]).remove(0)
    }

    #[test]
    fn a_claim_tells_what_it_asks_for_and_what_it_has() {
        let volume = volume("{phase: Bound, capacity: {storage: 1Gi}}");
        assert_eq!((volume.requested.bytes, volume.capacity.bytes), (2 << 30, 1 << 30));
        assert_eq!((volume.is_bound, volume.obstacle), (true, None));
        assert_eq!(volume.class.as_deref(), Some("fast"));
    }

    #[test]
    fn a_claim_without_a_volume_has_nothing() {
        let volume = volume("{phase: Pending}");
        assert_eq!((volume.is_bound, volume.capacity), (false, Amount::default()));
    }

    #[test]
    fn what_keeps_a_volume_from_growing_is_told_in_the_drivers_words() {
        let cases = [
            ("conditions: [{type: Resizing, status: 'True'}]", None),
            (
                "conditions: [{type: FileSystemResizePending, status: 'True'}]",
                Some(Obstacle::FileSystemPending),
            ),
            (
                "conditions: [{type: ControllerResizeError, status: 'True', message: the pool is full}]",
                Some(Obstacle::Failed("the pool is full".to_owned())),
            ),
            (
                "allocatedResourceStatuses: {storage: NodeResizeInfeasible}",
                Some(Obstacle::Failed("NodeResizeInfeasible".to_owned())),
            ),
            ("conditions: [{type: NodeResizeError, status: 'False', message: over}]", None),
        ];
        for (status, obstacle) in cases {
            assert_eq!(volume(&format!("{{phase: Bound, {status}}}")).obstacle, obstacle, "{status}");
        }
    }
}
