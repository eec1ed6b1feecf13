//! Members that die, lose their disk, or all go at once.

use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod};
use kube::ResourceExt;
use kube::api::{DeleteParams, ListParams};

use super::LOST;
use super::set::Set;
use crate::support::until::seconds;
use crate::support::{lab, until};

/// How a member is lost.
#[derive(Clone, Copy, Debug)]
enum Kill {
    /// Its process gets SIGKILL; the kubelet starts it again in the same pod.
    Signal,
    /// Its pod is deleted without any grace; another one takes its place. The kubelet still asks the
    /// process to end, and a primary hands over.
    Delete,
    /// The one, and then the other.
    Both,
}

use Kill::{Both, Delete, Signal};

/// Kills so many primaries, one after the other; none can hand over.
pub async fn kill_primaries(set: &Set<'_>, count: usize) {
    // In turns, or the kubelet would start one that died often later and later.
    for (round, how) in (1..=count).zip([Signal, Both].into_iter().cycle()) {
        let primary = set.primary().await;
        kill(set, &format!("primary kill {round}"), &primary, how).await;
    }
}

/// Kills each member, primary or not, in every way.
pub async fn kill_each_member(set: &Set<'_>) {
    for how in [Signal, Delete, Both] {
        for pod in set.pods().await {
            let pod = pod.name_any();
            let role = if set.primary().await == pod { "primary" } else { "secondary" };
            kill(set, role, &pod, how).await;
        }
    }
}

async fn kill(set: &Set<'_>, role: &str, pod: &str, how: Kill) {
    let name = format!("{role}: {how:?} {pod}");
    set.phase(&name, Some(LOST), async || {
        if matches!(how, Signal | Both) {
            lab::output(&["pod", "signal", &set.world.namespace, pod, "mongodb", "SIGKILL"]);
        }
        if matches!(how, Delete | Both) {
            delete_at_once(set, pod).await;
        }
    })
    .await;
}

async fn delete_at_once(set: &Set<'_>, pod: &str) {
    let at_once = DeleteParams::default().grace_period(0);
    set.world.api::<Pod>().delete(pod, &at_once).await.unwrap();
}

/// The member that a new set would be started with loses its volume.
pub async fn empty_the_first_member(set: &Set<'_>) {
    let pod = set.pods().await[0].name_any();
    let claim = format!("data-{pod}");
    let before = set.world.get::<PersistentVolumeClaim>(&claim).await.uid();
    set.phase(&format!("volume of {pod} emptied"), Some(LOST), async || {
        set.world.delete::<PersistentVolumeClaim>(&claim).await;
        delete_at_once(set, &pod).await;
        until("the member has another volume", seconds(120), async || {
            let claim = set.world.api::<PersistentVolumeClaim>().get_opt(&claim).await.unwrap();
            match claim.and_then(|claim| claim.uid()) {
                uid if uid.is_some() && uid != before => Ok(()),
                uid => Err(format!("{uid:?}")),
            }
        })
        .await;
    })
    .await;
}

/// Every member at once, without any grace: there is nobody left to hand over to.
pub async fn delete_all_pods(set: &Set<'_>) {
    set.phase("every pod deleted at once", None, async || {
        let before = set.pods().await;
        let members = ListParams::default().labels("app.kubernetes.io/component=mongodb");
        let at_once = DeleteParams::default().grace_period(0);
        set.world.api::<Pod>().delete_collection(&at_once, &members).await.unwrap();
        set.replaced(&before).await;
    })
    .await;
}
