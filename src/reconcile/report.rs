//! Tells the world what a pass found: status, events, log. IO.

use std::sync::{Mutex, PoisonError};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{Api, Patch, PatchParams};
use kube::runtime::events::{Event, EventType};
use kube::{Resource, ResourceExt};
use serde_json::json;

use super::context::Session;
use super::finalize::Next;
use super::{Context, Error, Guarded};
use crate::apply::Applied;
use crate::crd::{EaiserCluster, EaiserClusterStatus};
use crate::drive::Driven;
use crate::names::{OPERATOR, truncate};
use crate::status;
use crate::status::news::{self, News};

/// Longest note of an event that the API server takes.
const LONGEST_NOTE: usize = 1000;

/// The status a cluster got last. A pass may begin before the watch has shown the writing of the one
/// before, and would take its news for news once more.
#[derive(Debug, Default)]
pub struct Published(Mutex<Option<(u64, EaiserClusterStatus)>>);

impl Published {
    /// The newer of the status written last and the one the watch shows. Resource versions are
    /// compared as the numbers they are on every API server.
    pub fn newest(
        &self,
        metadata: &ObjectMeta,
        shown: Option<&EaiserClusterStatus>,
    ) -> Option<EaiserClusterStatus> {
        let mut written = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &*written {
            Some((version, status)) if revision(metadata) < Some(*version) => Some(status.clone()),
            _ => {
                *written = None;
                shown.cloned()
            }
        }
    }

    fn wrote(&self, metadata: &ObjectMeta, status: EaiserClusterStatus) {
        let mut written = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *written = revision(metadata).map(|version| (version, status));
    }
}

fn revision(metadata: &ObjectMeta) -> Option<u64> {
    metadata.resource_version.as_ref()?.parse().ok()
}

/// Writes the status if it changed, and an event for each condition that turned.
pub(super) async fn publish<K: Resource<DynamicType = ()>>(
    context: &Context,
    cluster: &K,
    session: &Session,
    previous: Option<&EaiserClusterStatus>,
    status: EaiserClusterStatus,
) -> Result<(), Error> {
    if previous == Some(&status) {
        return Ok(());
    }
    let name = cluster.name_any();
    let namespace = cluster.namespace().unwrap_or_default();
    let api: Api<Guarded> = Api::namespaced(context.client.clone(), &namespace);
    let body = json!({
        "apiVersion": EaiserCluster::api_version(&()),
        "kind": EaiserCluster::kind(&()),
        "metadata": {"name": name, "uid": cluster.meta().uid},
        "status": status,
    });
    let parameters = PatchParams::apply(OPERATOR).force();
    let news = news::between(previous, &status);
    match api.patch_status(&name, &parameters, &Patch::Apply(body)).await {
        Ok(written) => session.published.wrote(written.meta(), status),
        // Deleted meanwhile, or deleted and created anew: not ours to describe any more.
        Err(kube::Error::Api(status)) if status.is_not_found() || status.is_conflict() => return Ok(()),
        Err(source) => {
            return Err(Error::Status { name, source: Box::new(source) });
        }
    }
    for News { warning, reason, note } in news {
        tracing::info!(object = %name, namespace, reason, note, "a condition turned");
        let type_ = if warning { EventType::Warning } else { EventType::Normal };
        emit(context, cluster, type_, &reason, &note).await;
    }
    Ok(())
}

/// One event per object that was deleted to be made anew.
pub(super) async fn recreations(context: &Context, cluster: &EaiserCluster, applied: Option<&Applied>) {
    for sentence in applied.iter().flat_map(|applied| &applied.recreated) {
        emit(context, cluster, EventType::Normal, "RecreateObject", sentence).await;
    }
}

/// Says what a deletion is at; volumes are named in an event before they go.
pub(super) async fn deletion(
    context: &Context,
    cluster: &EaiserCluster,
    session: &Session,
    next: &Next,
) -> Result<(), Error> {
    let sentence = next.sentence();
    if let Next::DeleteClaims(_) = next {
        emit(context, cluster, EventType::Normal, "PurgeVolumes", &sentence).await;
    }
    if *next == Next::Release {
        return Ok(());
    }
    tracing::info!(object = %cluster.name_any(), "deletion: {sentence}");
    let previous = session.published.newest(cluster.meta(), cluster.status.as_ref());
    let previous = previous.as_ref();
    let status = status::deleting(&sentence, cluster.metadata.generation, previous, &context.now());
    publish(context, cluster, session, previous, status).await
}

/// Longest action of an event that the API server takes.
const LONGEST_ACTION: usize = 128;

/// One event per step carried out or failed.
pub(super) async fn steps(context: &Context, cluster: &EaiserCluster, driven: &Driven) {
    for (reason, sentence) in &driven.done {
        tracing::info!(object = %cluster.name_any(), step = reason, "{sentence}");
        emit(context, cluster, EventType::Normal, reason, sentence).await;
    }
    for (reason, sentence) in &driven.failed {
        tracing::warn!(object = %cluster.name_any(), step = reason, "{sentence}");
        emit(context, cluster, EventType::Warning, reason, sentence).await;
    }
}

/// One event per episode in which looking at the cluster became a loop.
pub(super) async fn hot_loop(context: &Context, cluster: &EaiserCluster) {
    let note = "more than one pass a second for a minute and nothing new came of it: something keeps changing \
                objects of this cluster, or undoes what the operator writes; passes are put off until the spec changes \
                or it stops";
    tracing::warn!(object = %cluster.name_any(), "{note}");
    emit(context, cluster, EventType::Warning, "HotLoop", note).await;
}

pub(super) async fn emit<K: Resource<DynamicType = ()>>(
    context: &Context,
    cluster: &K,
    type_: EventType,
    reason: &str,
    note: &str,
) {
    let event = Event {
        type_,
        reason: reason.to_owned(),
        note: Some(truncate(note, LONGEST_NOTE)),
        // Events that differ only in their note are counted as one and show the first note alone:
        // of a roll over nine pods one would be named.
        action: truncate(note, LONGEST_ACTION),
        secondary: None,
    };
    if let Err(error) = context.recorder.publish(&event, &cluster.object_ref(&())).await {
        // An event is a courtesy: it never fails a pass.
        tracing::debug!(%error, reason, "event not published");
    }
}

/// An error and all its causes in one line.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let boxed = error.downcast_ref::<Box<kube::Error>>().map(AsRef::as_ref);
        if let Some(kube::Error::Api(status)) = boxed.or_else(|| error.downcast_ref()) {
            // Its own text is the whole answer in the form of a debugger.
            return format!("{text}: {} ({} {})", status.message, status.code, status.reason);
        }
        let next = error.to_string();
        if !text.ends_with(&next) {
            text.push_str(": ");
            text.push_str(&next);
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_told_in_the_words_of_the_api_server() {
        let status =
            kube::core::Status::failure("spec.ports[1].name: Duplicate value", "Invalid").with_code(422);
        let source = Box::new(kube::Error::Api(Box::new(status)));
        let error = Error::Status { name: "eaiser".to_owned(), source };
        assert_eq!(
            chain(&error),
            "cannot write the status of EaiserCluster eaiser: spec.ports[1].name: Duplicate value (422 Invalid)"
        );
    }

    fn at(version: &str) -> ObjectMeta {
        ObjectMeta { resource_version: Some(version.to_owned()), ..ObjectMeta::default() }
    }

    fn phase(name: &str) -> EaiserClusterStatus {
        EaiserClusterStatus { phase: Some(name.to_owned()), ..EaiserClusterStatus::default() }
    }

    #[test]
    fn the_status_written_last_counts_until_the_watch_shows_it_or_a_later_one() {
        let published = Published::default();
        assert_eq!(published.newest(&at("8"), Some(&phase("old"))), Some(phase("old")));
        published.wrote(&at("10"), phase("written"));
        assert_eq!(published.newest(&at("8"), Some(&phase("old"))), Some(phase("written")));
        assert_eq!(
            published.newest(&at("9"), None),
            Some(phase("written")),
            "an edit of the spec in between"
        );
        assert_eq!(published.newest(&at("10"), Some(&phase("shown"))), Some(phase("shown")));
        published.wrote(&at("opaque"), phase("written"));
        assert_eq!(published.newest(&at("8"), Some(&phase("old"))), Some(phase("old")));
    }
}
