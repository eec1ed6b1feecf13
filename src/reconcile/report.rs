//! Tells the world what a pass found: status, events, log. IO.

use kube::api::{Api, Patch, PatchParams};
use kube::runtime::events::{Event, EventType};
use kube::{Resource, ResourceExt};
use serde_json::json;

use super::finalize::Next;
use super::{Context, Error};
use crate::apply::Applied;
use crate::crd::{EaiserCluster, EaiserClusterStatus};
use crate::drive::Driven;
use crate::names::{OPERATOR, truncate};
use crate::status;

/// Longest note of an event that the API server takes.
const LONGEST_NOTE: usize = 1000;

/// Writes the status if it changed, and an event when readiness did.
pub(super) async fn publish(
    context: &Context,
    cluster: &EaiserCluster,
    status: EaiserClusterStatus,
) -> Result<(), Error> {
    if cluster.status.as_ref() == Some(&status) {
        return Ok(());
    }
    let name = cluster.name_any();
    let namespace = cluster.namespace().unwrap_or_default();
    let api: Api<EaiserCluster> = Api::namespaced(context.client.clone(), &namespace);
    let body = json!({
        "apiVersion": EaiserCluster::api_version(&()),
        "kind": EaiserCluster::kind(&()),
        "metadata": {"name": name, "uid": cluster.metadata.uid},
        "status": status,
    });
    let parameters = PatchParams::apply(OPERATOR).force();
    match api.patch_status(&name, &parameters, &Patch::Apply(body)).await {
        Ok(_) => {}
        // Deleted meanwhile, or deleted and created anew: not ours to describe any more.
        Err(kube::Error::Api(status)) if status.is_not_found() || status.is_conflict() => return Ok(()),
        Err(source) => {
            return Err(Error::Status { name, source: Box::new(source) });
        }
    }
    if let Some((reason, message, ready)) = readiness_change(cluster.status.as_ref(), &status) {
        tracing::info!(object = %name, namespace, reason, message, "readiness changed");
        let type_ = if ready { EventType::Normal } else { EventType::Warning };
        emit(context, cluster, type_, reason, message).await;
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
pub(super) async fn deletion(context: &Context, cluster: &EaiserCluster, next: &Next) -> Result<(), Error> {
    let sentence = next.sentence();
    if let Next::DeleteClaims(_) = next {
        emit(context, cluster, EventType::Normal, "PurgeVolumes", &sentence).await;
    }
    if *next == Next::Release {
        return Ok(());
    }
    tracing::info!(object = %cluster.name_any(), "deletion: {sentence}");
    let (generation, previous) = (cluster.metadata.generation, cluster.status.as_ref());
    publish(context, cluster, status::deleting(&sentence, generation, previous, &context.now())).await
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

async fn emit(context: &Context, cluster: &EaiserCluster, type_: EventType, reason: &str, note: &str) {
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

/// Reason, message and direction when the Ready condition turned.
fn readiness_change<'a>(
    before: Option<&EaiserClusterStatus>,
    after: &'a EaiserClusterStatus,
) -> Option<(&'a str, &'a str, bool)> {
    let of = |status: &EaiserClusterStatus| {
        status
            .conditions
            .iter()
            .find(|condition| condition.type_ == "Ready")
            .map(|condition| condition.status.clone())
    };
    let ready = after.conditions.iter().find(|condition| condition.type_ == "Ready")?;
    let was = before.and_then(of);
    // The first status of a new cluster is no news.
    if was.is_none() || was.as_ref() == Some(&ready.status) {
        return None;
    }
    Some((ready.reason.as_str(), ready.message.as_str(), ready.status == "True"))
}

/// An error and all its causes in one line.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        if !text.ends_with(&next) {
            text.push_str(": ");
            text.push_str(&next);
        }
        cause = error.source();
    }
    text
}
