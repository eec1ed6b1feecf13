//! Conditions: stable reasons, and merging so that timestamps move only on change. Pure.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

use crate::crd::EaiserClusterStatus;
use crate::names::truncate;

/// Reasons of conditions. Each has a row in the README.
pub mod reason {
    /// Every tier that serves traffic is ready.
    pub const ALL_TIERS_READY: &str = "AllTiersReady";
    /// Pods are ready and up to date.
    pub const PODS_READY: &str = "PodsReady";
    /// Pods are starting or rolling.
    pub const PODS_STARTING: &str = "PodsStarting";
    /// A pod cannot be set up, or a container of it not created; the message names it and the cause.
    pub const POD_FAILING: &str = "PodFailing";
    /// A container ends again and again; the message holds the last line it wrote.
    pub const POD_CRASHING: &str = "PodCrashing";
    /// A container is killed at its memory limit.
    pub const OUT_OF_MEMORY: &str = "OutOfMemory";
    /// A pod was evicted or ended, and is not replaced yet.
    pub const POD_ENDED: &str = "PodEnded";
    /// A container reads a Secret, a ConfigMap or a key that does not exist.
    pub const CONFIGURATION_MISSING: &str = "ConfigurationMissing";
    /// A volume of a pod cannot be mounted.
    pub const MOUNT_FAILED: &str = "MountFailed";
    /// A container runs and does not pass its probe.
    pub const PROBE_FAILING: &str = "ProbeFailing";
    /// The node of a pod does not answer.
    pub const NODE_NOT_READY: &str = "NodeNotReady";
    /// A pod cannot be placed on a node.
    pub const POD_UNSCHEDULABLE: &str = "PodUnschedulable";
    /// An image cannot be pulled.
    pub const IMAGE_PULL_FAILED: &str = "ImagePullFailed";
    /// A volume claim is not bound; the message is its StorageClass's or provisioner's complaint.
    pub const CLAIM_PENDING: &str = "ClaimPending";
    /// A quota of the namespace forbids pods or claims.
    pub const QUOTA_EXCEEDED: &str = "QuotaExceeded";
    /// A limit of the namespace or Pod Security forbids the pods.
    pub const PODS_REFUSED: &str = "PodsRefused";
    /// The controller could not create pods for another reason.
    pub const REPLICA_FAILURE: &str = "ReplicaFailure";
    /// A database is being formed or changed; the message is the step.
    pub const FORMING: &str = "Forming";
    /// A database waits; the message says for what.
    pub const WAITING: &str = "Waiting";
    /// The replica set has no primary now; the message says who is there and what is waited for.
    pub const NO_PRIMARY: &str = "NoPrimary";
    /// Too few voting members answer to elect a primary; the message says who would restore it.
    pub const MAJORITY_LOST: &str = "MajorityLost";
    /// A database step failed; the message says which and why.
    pub const STEP_FAILED: &str = "StepFailed";
    /// The certificate that members shall use cannot be used; they go on with the one they have.
    pub const CERTIFICATE_REFUSED: &str = "CertificateRefused";
    /// A database is as specified.
    pub const FORMED: &str = "Formed";
    /// Every database user of the spec is as specified.
    pub const USERS_READY: &str = "UsersReady";
    /// MongoDB refuses to make a database user as specified; the message is the server's.
    pub const USER_REFUSED: &str = "UserRefused";
    /// The API gets a new password; the one before stays valid until no API pod uses it.
    pub const ROTATING: &str = "Rotating";
    /// The version of an image, or a feature compatibility version, may not follow what there is.
    pub const VERSION_REFUSED: &str = "VersionRefused";
    /// Every declared index is there.
    pub const INDEXES_BUILT: &str = "IndexesBuilt";
    /// An index is being built, while the database serves.
    pub const INDEX_BUILDING: &str = "IndexBuilding";
    /// An index cannot be had as things are; the message says which and why.
    pub const INDEX_FAILED: &str = "IndexFailed";
    /// Pods are replaced one at a time by ones of the new template; the tier serves meanwhile.
    pub const ROLLING: &str = "Rolling";
    /// Objects were changed a moment ago; their controllers have not answered yet.
    pub const APPLYING: &str = "Applying";
    /// An object of the cluster's name belongs to somebody else.
    pub const FOREIGN_OBJECT: &str = "ForeignObject";
    /// Objects of an earlier cluster of this name are still being deleted.
    pub const LEFTOVERS: &str = "Leftovers";
    /// A field of an object would have to change that Kubernetes never changes in place.
    pub const IMMUTABLE_FIELD: &str = "ImmutableField";
    /// The API server refused an object.
    pub const APPLY_FAILED: &str = "ApplyFailed";
    /// Rules are in a PrometheusRule.
    pub const RULES_APPLIED: &str = "RulesApplied";
    /// No Prometheus selects the rules, or the monitor; the message says by which labels it would.
    pub const NOT_SELECTED: &str = "NotSelected";
    /// Rules are in a ConfigMap, because prometheus-operator's kinds are not served or not wanted.
    pub const RULES_IN_CONFIG_MAP: &str = "RulesInConfigMap";
    /// The autoscaler reads its metrics.
    pub const SCALING_ACTIVE: &str = "ScalingActive";
    /// The autoscaler cannot decide; the message is its own.
    pub const SCALING_INACTIVE: &str = "ScalingInactive";
    /// Autoscaling is switched off in the spec.
    pub const AUTOSCALING_DISABLED: &str = "AutoscalingDisabled";
    /// Nothing is left to do.
    pub const SETTLED: &str = "Settled";
    /// Nothing fails.
    pub const NOTHING_FAILS: &str = "NothingFails";
    /// The spec can be carried out.
    pub const VALID: &str = "Valid";
    /// The spec cannot be carried out.
    pub const SPEC_INVALID: &str = "SpecInvalid";
    /// The spec asks to touch nothing.
    pub const PAUSED: &str = "Paused";
    /// The spec does not ask for a pause.
    pub const NOT_PAUSED: &str = "NotPaused";
    /// Tiers are being taken to zero pods, as the spec asks.
    pub const STOPPING: &str = "Stopping";
    /// No pod runs, as the spec asks.
    pub const STOPPED: &str = "Stopped";
    /// The cluster is being deleted, and its volumes with it.
    pub const DELETING: &str = "Deleting";
    /// Stopped tiers come back, each when the one it needs serves.
    pub const STARTING: &str = "Starting";
    /// The stored object does not fit the types; the message names the fields.
    pub const UNREADABLE: &str = "Unreadable";
}

/// The content of one condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Whether the condition holds.
    pub holds: bool,
    /// Why, as a constant.
    pub reason: &'static str,
    /// Why, as a sentence that names the object.
    pub message: String,
    /// Whether something is wrong, rather than merely not finished.
    pub failing: bool,
}

impl Verdict {
    /// It holds.
    pub fn on(reason: &'static str, message: impl Into<String>) -> Self {
        Self { holds: true, reason, message: message.into(), failing: false }
    }

    /// It does not hold yet.
    pub fn off(reason: &'static str, message: impl Into<String>) -> Self {
        Self { holds: false, reason, message: message.into(), failing: false }
    }

    /// It does not hold and will not without help.
    pub fn failing(reason: &'static str, message: impl Into<String>) -> Self {
        Self { holds: false, reason, message: message.into(), failing: true }
    }
}

/// Longest message kept: Kubernetes refuses more than 32 KiB, and people read far less.
const LONGEST_MESSAGE: usize = 1024;

/// A message cut to the length that is kept.
pub fn short(message: &str) -> String {
    truncate(message, LONGEST_MESSAGE)
}

/// Builds the list; a condition whose status did not change keeps its transition time.
pub fn merge(
    verdicts: Vec<(&'static str, Verdict)>,
    generation: Option<i64>,
    previous: Option<&EaiserClusterStatus>,
    now: &Time,
) -> Vec<Condition> {
    let before = previous.map_or(&[][..], |status| &status.conditions);
    let build = |(type_, verdict): (&str, Verdict)| {
        let status = if verdict.holds { "True" } else { "False" };
        let unchanged =
            before.iter().find(|condition| condition.type_ == type_ && condition.status == status);
        Condition {
            type_: type_.to_owned(),
            status: status.to_owned(),
            reason: verdict.reason.to_owned(),
            message: truncate(&verdict.message, LONGEST_MESSAGE),
            observed_generation: generation,
            last_transition_time: unchanged
                .map_or_else(|| now.clone(), |condition| condition.last_transition_time.clone()),
        }
    };
    verdicts.into_iter().map(build).collect()
}
