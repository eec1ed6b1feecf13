//! A pass over a cluster that is being deleted. IO.

use kube::runtime::controller::Action;

use super::guarded::Unreadable;
use super::{Context, Error, finalize, pace, report};
use crate::crd::EaiserCluster;
use crate::names::Identity;

/// A deleted cluster that our finalizer keeps goes on its way; of any other owner references take
/// care, and nothing here needs the operator. A pause does not hold it up: who deletes wants it gone.
pub(super) async fn pass(
    cluster: &EaiserCluster,
    identity: &Identity,
    context: &Context,
) -> Result<Action, Error> {
    if !finalize::is_kept(&cluster.metadata) {
        context.forget(&identity.uid);
        return Ok(Action::await_change());
    }
    let children = context.caches.children_of(identity);
    let policy = cluster.spec.operation.deletion_policy;
    let next = finalize::next(identity, policy, &cluster.metadata, &children);
    report::deletion(context, cluster, &context.session(&identity.uid), &next).await?;
    finalize::run(&context.client, identity, &cluster.metadata, &next).await?;
    Ok(Action::requeue(pace::CONVERGING))
}

/// An object that cannot be read can still be deleted.
pub(super) async fn pass_unreadable(unreadable: &Unreadable, context: &Context) -> Result<Action, Error> {
    let metadata = &unreadable.metadata;
    context.forget(metadata.uid.as_deref().unwrap_or_default());
    let (Some(identity), true) = (Identity::of(metadata), finalize::is_kept(metadata)) else {
        return Ok(Action::await_change());
    };
    let children = context.caches.children_of(&identity);
    let next = finalize::next(&identity, unreadable.deletion_policy, metadata, &children);
    finalize::run(&context.client, &identity, metadata, &next).await?;
    Ok(Action::requeue(pace::CONVERGING))
}
