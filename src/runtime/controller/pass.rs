//! What lies between the queue and a pass: caches, the lease, a turn at the gate, the pace. IO.

use std::sync::Arc;

use kube::Resource;
use kube::api::DynamicObject;
use kube::runtime::controller::Action;
use kube::runtime::reflector::{ObjectRef, Store};
use kube::runtime::watcher;

use super::shutdown::Stop;
use crate::reconcile::{self, Context, Error, Guarded};
use crate::runtime::gate::{Gate, Permit, Priority};

/// What a pass needs to get its turn.
#[derive(Clone)]
pub(super) struct Turns {
    pub(super) gate: Gate<ObjectRef<Guarded>>,
    pub(super) store: Store<Guarded>,
    pub(super) stop: Stop,
}

/// Waits for everything a pass must wait for, and runs it.
pub(super) async fn take_turn(
    object: Arc<Guarded>,
    context: Arc<Context>,
    turns: Turns,
) -> Result<Action, Error> {
    let key = ObjectRef::from_obj(&*object);
    let priority = priority(&object);
    let permit = tokio::select! {
        biased;
        () = turns.stop.requested_later() => None,
        permit = admitted(&context, &turns, key.clone(), priority) => permit,
    };
    // Asked to stop while it waited: nothing has begun.
    let Some(_permit) = permit else {
        return Ok(Action::await_change());
    };
    // It may have waited for long, and the object may have changed or gone.
    let Some(newest) = turns.store.get(&key) else {
        return Ok(Action::await_change());
    };
    if let Some(left) = context.paces.begin(&key, newest.meta().generation) {
        return Ok(Action::requeue(left));
    }
    let fence = context.fence.clone();
    tokio::select! {
        biased;
        // Cut off at its next wait. It is repeated by whoever leads next, be it this process.
        () = fence.ended() => Ok(Action::requeue(std::time::Duration::ZERO)),
        result = reconcile::reconcile(newest, context) => result,
    }
}

/// A pass over half-filled caches would take existing children for missing ones, and one without the
/// lease may not write.
async fn admitted(
    context: &Context,
    turns: &Turns,
    key: ObjectRef<Guarded>,
    priority: Priority,
) -> Option<Permit<ObjectRef<Guarded>>> {
    context.health.clusters_listed().await;
    context.caches.wait_until_filled().await;
    loop {
        context.fence.opened().await;
        let permit = turns.gate.enter(key.clone(), priority).await;
        if context.fence.holds() {
            return Some(permit);
        }
    }
}

/// A spec that no status speaks of yet is waited for by somebody.
fn priority(object: &Guarded) -> Priority {
    let edited = object.0.as_ref().is_ok_and(|cluster| {
        let observed = cluster.status.as_ref().and_then(|status| status.observed_generation);
        observed != cluster.metadata.generation
    });
    if edited { Priority::Edit } else { Priority::Resync }
}

/// Takes in what the watch of the clusters brought; errors are logged and the watch goes on.
pub(super) fn noticed(
    event: Result<Guarded, watcher::Error>,
    context: &Context,
    gate: &Gate<ObjectRef<Guarded>>,
    live: &Store<Guarded>,
) -> Option<Guarded> {
    match event {
        Ok(object) => {
            if context.health.custom_resource_served(true) {
                tracing::info!("the API server serves eaiserclusters.eaiser.io");
            }
            let key = ObjectRef::from_obj(&object);
            context.paces.touched(&key);
            if live.get(&key).is_none() {
                context.forget(object.meta().uid.as_deref().unwrap_or_default());
            }
            if priority(&object) == Priority::Edit {
                gate.promote(&key);
            }
            Some(object)
        }
        Err(error) => {
            if !is_not_found(&error) {
                tracing::warn!(%error, "watch of EaiserClusters interrupted; it is resumed");
            } else if context.health.custom_resource_served(false) {
                tracing::error!(
                    "the API server does not serve eaiserclusters.eaiser.io; waiting for its CRD"
                );
            }
            None
        }
    }
}

/// The queue has come to a cluster that does not exist any more; no pass over it runs now.
pub(super) fn gone(cluster: &ObjectRef<DynamicObject>, context: &Context) {
    let namespace = cluster.namespace.as_deref().unwrap_or_default();
    context.paces.forget(&ObjectRef::new(&cluster.name).within(namespace));
    context.caches.forget_references_of(namespace, &cluster.name);
    context.metrics.clusters.remove(namespace, &cluster.name);
}

fn is_not_found(error: &watcher::Error) -> bool {
    match error {
        watcher::Error::InitialListFailed(kube::Error::Api(status))
        | watcher::Error::WatchStartFailed(kube::Error::Api(status)) => status.code == 404,
        _ => false,
    }
}
