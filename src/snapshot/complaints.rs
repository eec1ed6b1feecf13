//! What controllers and kubelets say about objects in events, trimmed to what a status tells. Plain
//! data and look-ups.

use k8s_openapi::api::events::v1::Event;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::jiff::Timestamp;

use super::Children;
use crate::names;

/// Longest text kept of one event.
const LONGEST: usize = 600;

/// The events that are read: kind of the object they speak of, the selection the API server makes,
/// and the reasons that are looked at. Everything else stays on the server or is dropped on arrival.
pub const SELECTIONS: [Selection; 3] = [
    Selection {
        kind: "StatefulSet",
        fields: "regarding.kind=StatefulSet,reason=FailedCreate",
        reasons: &["FailedCreate"],
    },
    // FailedBinding is a normal event: no class was named and there is no default one.
    Selection {
        kind: "PersistentVolumeClaim",
        fields: "regarding.kind=PersistentVolumeClaim,reason!=WaitForFirstConsumer,reason!=WaitForPodScheduled,reason!=ExternalProvisioning,reason!=Provisioning,reason!=ProvisioningSucceeded",
        reasons: &["ProvisioningFailed", "FailedBinding", "VolumeResizeFailed"],
    },
    // What is left out is frequent, and the pod's own status says the same.
    Selection {
        kind: "Pod",
        fields: "regarding.kind=Pod,type=Warning,reason!=BackOff,reason!=FailedScheduling,reason!=Failed",
        reasons: &[
            "FailedMount",
            "FailedAttachVolume",
            "FailedCreatePodSandBox",
            "Unhealthy",
            "NodeNotReady",
        ],
    },
];

/// One kind of events.
#[derive(Clone, Copy, Debug)]
pub struct Selection {
    /// Kind of the objects.
    pub kind: &'static str,
    /// Field selector of the watch.
    pub fields: &'static str,
    /// Reasons that are kept.
    pub reasons: &'static [&'static str],
}

/// The newest event of one reason about one object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Complaint {
    /// Kind of the object.
    pub kind: String,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its uid: a later object of the same name is another one.
    pub uid: String,
    /// The event's reason.
    pub reason: String,
    /// What is said.
    pub message: String,
    /// When it was last said.
    pub last: Timestamp,
}

impl Complaint {
    /// The complaint of an event; none when the event is not of the selection, or of no object that
    /// could be a child of a cluster.
    pub fn of(event: &Event, selection: &Selection) -> Option<Self> {
        let regarding = event.regarding.as_ref()?;
        let reason = event.reason.as_deref().filter(|reason| selection.reasons.contains(reason))?;
        let kind = regarding.kind.as_deref().filter(|kind| *kind == selection.kind)?;
        let complaint = Self {
            kind: kind.to_owned(),
            namespace: regarding.namespace.clone()?,
            name: regarding.name.clone()?,
            uid: regarding.uid.clone()?,
            reason: reason.to_owned(),
            message: names::truncate(&steady(event.note.as_deref().unwrap_or_default()), LONGEST),
            last: last_seen(event)?,
        };
        complaint.cluster().is_some().then_some(complaint)
    }

    /// Name of the cluster the object belongs to, as far as names tell.
    pub fn cluster(&self) -> Option<&str> {
        let claim = self.kind == "PersistentVolumeClaim";
        let name = if claim { names::pod_of_claim(&self.name)? } else { &self.name };
        names::cluster_of_child(name)
    }
}

impl Children {
    /// The newest complaint of one of these reasons about an object.
    pub fn complaint(&self, kind: &str, object: &ObjectMeta, reasons: &[&str]) -> Option<&Complaint> {
        let about = self.complaints.iter().map(AsRef::as_ref).filter(|complaint: &&Complaint| {
            complaint.kind == kind
                && Some(&complaint.uid) == object.uid.as_ref()
                && reasons.contains(&complaint.reason.as_str())
        });
        about.max_by_key(|complaint| complaint.last)
    }
}

/// Recorders of either generation leave the time in one of these fields.
fn last_seen(event: &Event) -> Option<Timestamp> {
    let series = event.series.as_ref().map(|series| series.last_observed_time.0);
    let last = event.deprecated_last_timestamp.as_ref().map(|time| time.0);
    let once = event.event_time.as_ref().map(|time| time.0);
    let created = event.metadata.creation_timestamp.as_ref().map(|time| time.0);
    series.or(last).or(once).or(created)
}

/// Drops what changes from one telling to the next although nothing else does: the mark of merged
/// events, and the local port of a connection that failed.
fn steady(note: &str) -> String {
    let note = note.strip_prefix("(combined from similar events): ").unwrap_or(note);
    let mut text = String::with_capacity(note.len());
    let mut rest = note;
    while let Some(arrow) = rest.find("->") {
        let (before, after) = rest.split_at(arrow);
        text.push_str(before.trim_end_matches(|c: char| c.is_ascii_digit()).trim_end_matches(':'));
        text.push_str("->");
        rest = &after[2..];
    }
    text.push_str(rest);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(yaml: &str) -> Event {
        serde_saphyr::from_str(yaml).unwrap()
    }

    const UNHEALTHY: &str = r#"
deprecatedCount: 25
deprecatedFirstTimestamp: "2026-11-24T08:19:09Z"
deprecatedLastTimestamp: "2026-11-24T08:19:56Z"
eventTime: null
metadata: {creationTimestamp: "2026-11-24T08:19:09Z", name: refused.18eaed54acd0a8cc, namespace: shop}
note: "Readiness probe failed: read tcp 10.87.66.1:43210->10.87.66.2:80: read: connection reset by peer"
reason: Unhealthy
regarding: {kind: Pod, name: eaiser-api-64997f694c-jjpbj, namespace: shop, uid: u1}
type: Warning
"#;

    #[test]
    fn an_event_is_trimmed_to_what_does_not_change_with_every_telling() {
        let complaint = Complaint::of(&event(UNHEALTHY), &SELECTIONS[2]).unwrap();
        assert_eq!(
            complaint.message,
            "Readiness probe failed: read tcp 10.87.66.1->10.87.66.2:80: read: connection reset by peer"
        );
        assert_eq!(complaint.last.to_string(), "2026-11-24T08:19:56Z");
        assert_eq!(complaint.cluster(), Some("eaiser"));
    }

    #[test]
    fn events_of_other_reasons_and_of_foreign_objects_are_dropped() {
        for (from, to) in [("reason: Unhealthy", "reason: FailedPreStopHook"), ("eaiser-api-", "shop-front-")]
        {
            let other = UNHEALTHY.replace(from, to);
            assert_eq!(Complaint::of(&event(&other), &SELECTIONS[2]), None, "{to}");
        }
    }

    #[test]
    fn a_claim_belongs_to_the_cluster_of_its_pod() {
        let text = UNHEALTHY.replace("reason: Unhealthy", "reason: ProvisioningFailed").replace(
            "kind: Pod, name: eaiser-api-64997f694c-jjpbj",
            "kind: PersistentVolumeClaim, name: data-my-redis-redis-0-1",
        );
        let complaint = Complaint::of(&event(&text), &SELECTIONS[1]).unwrap();
        assert_eq!(complaint.cluster(), Some("my-redis"));
    }

    #[test]
    fn the_newest_complaint_about_this_very_object_is_found() {
        let complaint = |uid: &str, second: i64, message: &str| {
            std::sync::Arc::new(Complaint {
                uid: uid.to_owned(),
                message: message.to_owned(),
                last: Timestamp::from_second(second).unwrap(),
                ..Complaint::of(&event(UNHEALTHY), &SELECTIONS[2]).unwrap()
            })
        };
        let children = Children {
            complaints: vec![
                complaint("u1", 2, "new"),
                complaint("u1", 1, "old"),
                complaint("u0", 9, "before"),
            ],
            ..Children::default()
        };
        let object = ObjectMeta { uid: Some("u1".to_owned()), ..ObjectMeta::default() };
        let found =
            |reason| children.complaint("Pod", &object, &[reason]).map(|found| found.message.as_str());
        assert_eq!(found("Unhealthy"), Some("new"));
        assert_eq!(found("FailedMount"), None);
    }
}
