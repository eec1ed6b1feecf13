//! What somebody asks for by force, gathered from the cluster and its pods. Pure.

use std::collections::BTreeSet;

use kube::{Resource, ResourceExt};

use super::mongodb_wanted;
use crate::crd::{EaiserCluster, EaiserClusterStatus};
use crate::desired::stage::Stage;
use crate::mongo::forced::{self, Request, Verdict};
use crate::names::{ANNOTATION_FORCE, Tier};
use crate::plan::{Mode, Plan};
use crate::snapshot::Snapshot;
use crate::snapshot::pods::is_ready;

/// What to do about a request of the cluster's annotation; nothing while it is paused or stopped.
pub fn next(
    plan: &Plan,
    snapshot: &Snapshot,
    cluster: &EaiserCluster,
    previous: Option<&EaiserClusterStatus>,
) -> Verdict {
    let uid = &plan.identity.uid;
    if plan.mode == Mode::Paused || !Stage::of(plan, snapshot).mongodb {
        return Verdict::Unasked { token: uid.clone() };
    }
    let pods = snapshot.children.pods_of(Tier::MongoDb);
    let ready = pods.filter(|pod| is_ready(pod) && pod.meta().deletion_timestamp.is_none());
    let ready: BTreeSet<String> = ready.map(ResourceExt::name_any).collect();
    let record = previous.and_then(|status| status.mongodb.as_ref()?.forced_reconfiguration.as_ref());
    let value = cluster.annotations().get(ANNOTATION_FORCE).map(String::as_str);
    let request = Request { value, uid, record, ready: &ready };
    forced::next(&request, &mongodb_wanted(plan, snapshot, true), &snapshot.mongodb)
}
