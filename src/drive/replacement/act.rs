//! Empties a member and takes the annotation away. IO.

use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod};
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams, Preconditions};
use kube::{Client, Resource, ResourceExt};
use serde::de::DeserializeOwned;
use serde_json::json;

use super::{Action, Emptying};
use crate::crd::EaiserCluster;
use crate::names::{ANNOTATION_REPLACE, Identity, OPERATOR, Tier, selector_text};
use crate::snapshot::pods::is_ready;

/// Reason of the event about a member that is emptied.
const REPLACE_MEMBER: &str = "ReplaceMember";
/// Reason of the event about one that could not be.
pub(in crate::drive) const REPLACE_FAILED: &str = "ReplaceFailed";

/// What was done, or what failed: (reason, sentence).
type Report = Result<(&'static str, String), (&'static str, String)>;

/// Carries it out; steps of the replica set are carried out elsewhere. None when there was nothing to
/// do, or the world changed since it was decided.
pub(in crate::drive) async fn run(client: &Client, identity: &Identity, action: &Action) -> Option<Report> {
    let (what, result) = match action {
        Action::Step(_) => return None,
        Action::Empty(emptying) => (&emptying.pod, empty(client, identity, emptying).await),
        Action::Forget { resource_version } => {
            let result = forget(client, identity, resource_version.as_deref()).await;
            (&identity.name, result.map(|()| None))
        }
    };
    match result {
        Ok(sentence) => sentence.map(|sentence| Ok((REPLACE_MEMBER, sentence))),
        Err(error) => Some(Err((REPLACE_FAILED, format!("cannot replace {what}: {error}")))),
    }
}

/// Deletes the claim, then the pod. Kubernetes keeps the claim until the pod has ended; a successor
/// that finds it marked ends the pod.
async fn empty(
    client: &Client,
    identity: &Identity,
    emptying: &Emptying,
) -> Result<Option<String>, kube::Error> {
    let pods: Api<Pod> = Api::namespaced(client.clone(), &identity.namespace);
    if let Some(claim_uid) = &emptying.claim_uid {
        let of_tier = ListParams::default().labels(&selector_text(&identity.selector(Tier::MongoDb)));
        // What the API server says now: the watch may be behind, and a drained host takes pods away
        // without asking.
        if let Err(reason) = still_holds(emptying, &pods.list(&of_tier).await?.items) {
            tracing::debug!(pod = emptying.pod, reason, "not emptied; looking again");
            return Ok(None);
        }
        let claims: Api<PersistentVolumeClaim> = Api::namespaced(client.clone(), &identity.namespace);
        if !delete(&claims, &emptying.claim, claim_uid).await? {
            return Ok(None);
        }
    }
    if let Some(pod_uid) = &emptying.pod_uid {
        delete(&pods, &emptying.pod, pod_uid).await?;
    }
    Ok(Some(emptying.sentence.clone()))
}

/// Whether the others are all there and ready, and the pod is the one that was decided upon.
fn still_holds(emptying: &Emptying, live: &[Pod]) -> Result<(), String> {
    let (own, others): (Vec<_>, Vec<_>) = live.iter().partition(|pod| pod.name_any() == emptying.pod);
    if let Some(pod) = own.first()
        && pod.uid() != emptying.pod_uid
    {
        return Err(format!("{} was replaced meanwhile", emptying.pod));
    }
    match others.into_iter().find(|pod| pod.metadata.deletion_timestamp.is_some() || !is_ready(pod)) {
        Some(pod) => Err(format!("{} is not ready any more", pod.name_any())),
        None => Ok(()),
    }
}

/// Whether this very object was deleted, rather than gone or another already.
async fn delete<K>(api: &Api<K>, name: &str, uid: &str) -> Result<bool, kube::Error>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
        + Clone
        + std::fmt::Debug
        + DeserializeOwned,
{
    let preconditions = Preconditions { uid: Some(uid.to_owned()), resource_version: None };
    let parameters = DeleteParams { preconditions: Some(preconditions), ..DeleteParams::default() };
    match api.delete(name, &parameters).await {
        Ok(_) => Ok(true),
        Err(kube::Error::Api(status)) if status.is_not_found() || status.is_conflict() => Ok(false),
        Err(error) => Err(error),
    }
}

/// Takes the annotation away, in the very version of the object that was looked at: one that says
/// something else by now is another request.
async fn forget(client: &Client, identity: &Identity, version: Option<&str>) -> Result<(), kube::Error> {
    let clusters: Api<EaiserCluster> = Api::namespaced(client.clone(), &identity.namespace);
    let patch = json!({"metadata": {
        "uid": identity.uid,
        "resourceVersion": version,
        "annotations": {ANNOTATION_REPLACE: null},
    }});
    let parameters = PatchParams { field_manager: Some(OPERATOR.to_owned()), ..PatchParams::default() };
    match clusters.patch_metadata(&identity.name, &parameters, &Patch::Merge(patch)).await {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(status)) if status.is_not_found() || status.is_conflict() => Ok(()),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(name: &str, uid: &str, ready: &str) -> Pod {
        serde_saphyr::from_str(&format!(
            "{{metadata: {{name: {name}, uid: {uid}}}, status: {{conditions: [{{type: Ready, status: '{ready}'}}]}}}}"
        ))
        .unwrap()
    }

    fn emptying(uid: &str) -> Emptying {
        Emptying {
            pod: "db-1".to_owned(),
            pod_uid: Some(uid.to_owned()),
            claim: "data-db-1".to_owned(),
            claim_uid: Some("c-1".to_owned()),
            sentence: String::new(),
        }
    }

    #[test]
    fn a_member_is_emptied_only_while_every_other_pod_is_ready() {
        let live = |other: &str| [pod("db-0", "u-0", other), pod("db-1", "u-1", "False")];
        assert_eq!(still_holds(&emptying("u-1"), &live("True")), Ok(()));
        assert_eq!(
            still_holds(&emptying("u-1"), &live("False")),
            Err("db-0 is not ready any more".to_owned())
        );
    }

    #[test]
    fn a_pod_that_is_another_by_now_is_left_alone() {
        let live = [pod("db-0", "u-0", "True"), pod("db-1", "u-9", "True")];
        assert_eq!(still_holds(&emptying("u-1"), &live), Err("db-1 was replaced meanwhile".to_owned()));
    }
}
