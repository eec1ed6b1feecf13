//! A pass over a stored object that cannot be read: it says so on the object itself, and other
//! clusters go on. IO.

use kube::ResourceExt;
use kube::runtime::controller::Action;

use super::guarded::{Guarded, Unreadable};
use super::{Context, Error, deletion, report};
use crate::status;

pub(super) async fn pass(
    object: &Guarded,
    unreadable: &Unreadable,
    context: &Context,
) -> Result<Action, Error> {
    let metadata = &unreadable.metadata;
    if metadata.deletion_timestamp.is_some() {
        return deletion::pass_unreadable(unreadable, context).await;
    }
    tracing::error!(object = %object.name_any(), error = %unreadable.error, "the stored object cannot be read; waiting for a change");
    let uid = metadata.uid.clone().unwrap_or_default();
    let session = context.session(&uid);
    let previous = session.published.newest(metadata, unreadable.status.as_ref());
    let status =
        status::unreadable(&unreadable.error, metadata.generation, previous.as_ref(), &context.now());
    report::publish(context, object, &session, previous.as_ref(), status).await?;
    context.failures.reset(&uid);
    Ok(Action::await_change())
}
