//! What a request by force leaves on the cluster: its annotation, and events. IO.

use kube::api::{Api, Patch, PatchParams};
use kube::runtime::events::EventType;
use kube::{Resource, ResourceExt};
use serde_json::json;

use super::{Context, Error, report};
use crate::crd::{EaiserCluster, ForcedOutcome};
use crate::drive::Driven;
use crate::mongo::forced::Verdict;
use crate::names::{ANNOTATION_FORCE, OPERATOR};

/// Tells what is about to be forced, and takes the annotation away once that is over. The status says
/// that it is over only when the annotation is gone: in between, a crash leaves both as they were.
pub(super) async fn settle(
    context: &Context,
    cluster: &EaiserCluster,
    driven: &mut Driven,
) -> Result<(), Error> {
    match &driven.forced {
        Verdict::Record(record) => {
            let note = format!("about to force the configuration: {}", record.evidence);
            report::emit(context, cluster, EventType::Warning, "ForceReconfigurePlanned", &note).await;
            Ok(())
        }
        Verdict::Close(record) => {
            let (type_, reason) = match record.outcome {
                ForcedOutcome::Void => (EventType::Normal, "ForceReconfigureVoid"),
                _ => (EventType::Normal, "ForceReconfigured"),
            };
            let note = record.evidence.clone();
            match remove(context, cluster, ANNOTATION_FORCE).await {
                Ok(true) => {
                    report::emit(context, cluster, type_, reason, &note).await;
                    Ok(())
                }
                Ok(false) => {
                    driven.forced = Verdict::NotYet("the cluster was edited meanwhile".to_owned());
                    Ok(())
                }
                Err(error) => {
                    driven.forced = Verdict::NotYet(error.to_string());
                    Err(error)
                }
            }
        }
        _ => Ok(()),
    }
}

/// Takes an annotation away from the very object that was looked at; false when it has changed since.
async fn remove(context: &Context, cluster: &EaiserCluster, annotation: &'static str) -> Result<bool, Error> {
    if !cluster.annotations().contains_key(annotation) {
        return Ok(true);
    }
    let (name, metadata) = (cluster.name_any(), cluster.meta());
    let patch = json!({"metadata": {
        "uid": metadata.uid,
        "resourceVersion": metadata.resource_version,
        "annotations": {annotation: null},
    }});
    let parameters = PatchParams { field_manager: Some(OPERATOR.to_owned()), ..PatchParams::default() };
    let namespace = cluster.namespace().unwrap_or_default();
    let api: Api<EaiserCluster> = Api::namespaced(context.client.clone(), &namespace);
    match api.patch_metadata(&name, &parameters, &Patch::Merge(patch)).await {
        Ok(_) => Ok(true),
        Err(kube::Error::Api(status)) if status.is_not_found() || status.is_conflict() => Ok(false),
        Err(source) => Err(Error::Annotation { name, annotation, source: Box::new(source) }),
    }
}
