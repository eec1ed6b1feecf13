//! The requests themselves: server-side apply, create-once, delete with preconditions.

use std::time::Instant;

use k8s_openapi::jiff::Timestamp;
use kube::api::{Api, DeleteParams, DynamicObject, Patch, PatchParams, Preconditions};
use kube::{Client, ResourceExt};
use serde_json::{Value, json};

use super::Change;
use super::child::{Child, Live, Standing};
use super::drift::covers;
use super::immutable::{self, Immutable, Remedy};
use super::memory::Memory;
use super::ports;
use crate::names::{Identity, OPERATOR, REPLICAS_HANDOVER};

/// A request that failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Server-side apply or creation.
    #[error("cannot apply {object}")]
    Apply {
        /// `Kind/name`.
        object: String,
        /// Why.
        source: Box<kube::Error>,
    },
    /// Deletion of a stray.
    #[error("cannot delete {object}")]
    Delete {
        /// `Kind/name`.
        object: String,
        /// Why.
        source: Box<kube::Error>,
    },
}

impl Error {
    /// Stable reason for events, metrics and conditions.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Apply { .. } => "ApplyFailed",
            Self::Delete { .. } => "DeleteFailed",
        }
    }

    /// Whether the server failed, and not this one object: other requests would fail alike.
    pub(super) fn is_of_the_server(&self) -> bool {
        let (Self::Apply { source, .. } | Self::Delete { source, .. }) = self;
        match &**source {
            kube::Error::Api(status) => status.code >= 500 || status.code == 429,
            _ => true,
        }
    }
}

/// Brings one object to what is rendered, if it is not there already.
pub(super) async fn bring(
    client: &Client,
    identity: &Identity,
    child: Child,
    memory: &Memory,
) -> Result<Change, Error> {
    let label = child.label();
    if memory.is_on_its_way(&child, Instant::now()) {
        return Ok(Change::OnItsWay(label));
    }
    let live = match child.standing(identity) {
        Standing::Missing => return create(client, identity, &child, memory).await,
        Standing::Leftover => return Ok(Change::Leftover(label)),
        Standing::Foreign => return Ok(Change::Foreign(label)),
        Standing::Ours(live) => live,
    };
    let same = live.digest.as_ref() == Some(&child.digest);
    if same && (memory.is_untouched(&child) || covers(&live.object, &child.rendered)) {
        memory.found_as_rendered(&child, Instant::now());
        return Ok(Change::None);
    }
    let api = api(client, identity, &child.resource);
    if let Some(immutable) = immutable::find(&child, live) {
        if immutable.is_too_soon(live, now()) {
            return Ok(Change::OnItsWay(label));
        }
        return remedy(&api, live, immutable).await;
    }
    if let Some(ports) = ports::replaced(&child, live) {
        put_ports(&api, &child, live, ports).await?;
    }
    if needs_handover(&child, live) {
        hand_over_replicas(&api, &child, live).await?;
    }
    let by_version = child.resource.kind == "Secret";
    let body = if by_version {
        in_version(&child, live.resource_version.as_deref())
    } else {
        child.rendered.clone()
    };
    match patch(&api, &child, OPERATOR, &body).await {
        Ok(written) => {
            memory.wrote(&child, written.resource_version(), Instant::now());
            Ok(Change::Changed(label))
        }
        // The next pass looks at what it holds by then.
        Err(Error::Apply { source, .. }) if by_version && is_conflict(&source) => Ok(Change::OnItsWay(label)),
        Err(error) => Err(error),
    }
}

/// The rendering, to be taken only by the object of this very version. A Secret is written so: by what
/// it held when it was looked at a key may have been dropped that members still need, if a watch is behind.
fn in_version(child: &Child, version: Option<&str>) -> Value {
    let mut body = child.rendered.clone();
    if let (Some(metadata), Some(version)) =
        (body.get_mut("metadata").and_then(Value::as_object_mut), version)
    {
        metadata.insert("resourceVersion".to_owned(), Value::String(version.to_owned()));
    }
    body
}

#[allow(clippy::disallowed_methods, reason = "the age of an object is told by the clock")]
fn now() -> Timestamp {
    Timestamp::now()
}

/// Deletes what is to be made anew, but only this very object in this very version; a later pass finds
/// it missing and creates it. The reason is in the log before the object goes.
async fn remedy(api: &Api<DynamicObject>, live: &Live, immutable: Immutable) -> Result<Change, Error> {
    let Immutable { field, remedy } = immutable;
    let (parameters, pods) = match remedy {
        Remedy::Report => return Ok(Change::Immutable(live.label(), field)),
        Remedy::Recreate => (DeleteParams::background(), ""),
        Remedy::RecreateAroundPods => (DeleteParams::orphan(), "; its pods go on running"),
    };
    let label = live.label();
    let sentence = format!("{label} is made anew, because {field} cannot be changed in place{pods}");
    tracing::info!(object = label, field, "{sentence}");
    match delete_exactly(api, live, parameters).await {
        Ok(true) => Ok(Change::Recreated(sentence)),
        Ok(false) => Ok(Change::None),
        Err(source) => Err(Error::Delete { object: label, source: Box::new(source) }),
    }
}

/// A version no live object has: the first write of a fresh etcd is far beyond it.
const NO_LIVE_VERSION: &str = "1";

/// Creation, never adoption: an object of our name that our watch does not show is somebody else's
/// (ours are labelled), and a plain apply would take it over. An apply that names a version creates
/// a missing object and conflicts with an existing one, so the server decides atomically; a POST
/// would do that too, but the fields it sets could never be removed by a later apply.
async fn create(
    client: &Client,
    identity: &Identity,
    child: &Child,
    memory: &Memory,
) -> Result<Change, Error> {
    if memory.caution.is_refused(&child.label(), Instant::now()) {
        return Ok(Change::Foreign(child.label()));
    }
    let body = in_version(child, Some(NO_LIVE_VERSION));
    match patch(&api(client, identity, &child.resource), child, OPERATOR, &body).await {
        Ok(written) => {
            memory.wrote(child, written.resource_version(), Instant::now());
            memory.caution.accepted(&child.label());
            Ok(Change::Created(child.label()))
        }
        Err(Error::Apply { source, .. }) if is_conflict(&source) => {
            memory.caution.refused(child.label(), Instant::now());
            Ok(Change::Foreign(child.label()))
        }
        Err(error) => Err(error),
    }
}

fn is_conflict(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.is_conflict())
}

/// Deletes a stray, but only this very object in this very version.
pub(super) async fn delete(client: &Client, identity: &Identity, stray: Live) -> Result<Change, Error> {
    let api = api(client, identity, &stray.resource);
    match delete_exactly(&api, &stray, DeleteParams::background()).await {
        Ok(true) => Ok(Change::Deleted(stray.label())),
        Ok(false) => Ok(Change::None),
        Err(source) => Err(Error::Delete { object: stray.label(), source: Box::new(source) }),
    }
}

/// Whether it was deleted. One that is gone, or changed since we looked, is for the next pass.
async fn delete_exactly(
    api: &Api<DynamicObject>,
    object: &Live,
    parameters: DeleteParams,
) -> Result<bool, kube::Error> {
    let preconditions =
        Preconditions { uid: object.uid.clone(), resource_version: object.resource_version.clone() };
    let parameters = DeleteParams { preconditions: Some(preconditions), ..parameters };
    match api.delete(&object.name, &parameters).await {
        Ok(_) => Ok(true),
        Err(kube::Error::Api(status)) if status.is_not_found() || status.is_conflict() => Ok(false),
        Err(source) => Err(source),
    }
}

async fn patch(
    api: &Api<DynamicObject>,
    child: &Child,
    manager: &str,
    body: &Value,
) -> Result<DynamicObject, Error> {
    // Controllers must force, says the server-side apply reference: a conflict has no one to ask.
    let parameters = PatchParams::apply(manager).force();
    api.patch(&child.name, &parameters, &Patch::Apply(body))
        .await
        .map_err(|source| Error::Apply { object: child.label(), source: Box::new(source) })
}

/// Replaces the list of ports, in this very version of the Service; the apply that follows owns it.
async fn put_ports(api: &Api<DynamicObject>, child: &Child, live: &Live, ports: Value) -> Result<(), Error> {
    let body = json!({
        "metadata": {"uid": live.uid, "resourceVersion": live.resource_version},
        "spec": {"ports": ports},
    });
    let parameters = PatchParams { field_manager: Some(OPERATOR.to_owned()), ..PatchParams::default() };
    match api.patch(&child.name, &parameters, &Patch::Merge(body)).await {
        Ok(_) => Ok(()),
        Err(source) => Err(Error::Apply { object: child.label(), source: Box::new(source) }),
    }
}

/// Whether we own `spec.replicas` and are about to stop sending it. Kubernetes would then reset it
/// to 1 (kubernetes/kubernetes#67135) before the autoscaler's next look.
fn needs_handover(child: &Child, live: &Live) -> bool {
    let renders_replicas = child.rendered.pointer("/spec/replicas").is_some();
    let entries = live.object.pointer("/metadata/managedFields").and_then(Value::as_array);
    let owned_by = |manager: &str| {
        entries.into_iter().flatten().any(|entry| {
            entry.get("manager").and_then(Value::as_str) == Some(manager)
                && entry.pointer("/fieldsV1/f:spec/f:replicas").is_some()
        })
    };
    // With two owners the field stays when one of them lets go.
    let alone = owned_by(OPERATOR) && !owned_by(REPLICAS_HANDOVER);
    child.resource.kind == "Deployment" && alone && !renders_replicas
}

async fn hand_over_replicas(api: &Api<DynamicObject>, child: &Child, live: &Live) -> Result<(), Error> {
    let replicas = live.object.pointer("/spec/replicas").cloned().unwrap_or_default();
    let body = json!({
        "apiVersion": child.resource.api_version,
        "kind": child.resource.kind,
        "metadata": {"name": child.name},
        "spec": {"replicas": replicas},
    });
    patch(api, child, REPLICAS_HANDOVER, &body).await.map(drop)
}

fn api(client: &Client, identity: &Identity, resource: &kube::api::ApiResource) -> Api<DynamicObject> {
    Api::namespaced_with(client.clone(), &identity.namespace, resource)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use k8s_openapi::api::apps::v1::Deployment;

    use super::*;

    /// A live Deployment whose `spec.replicas` these managers own, beside a rendered one without it.
    fn autoscaled(managers: &[&str]) -> Child {
        let entry = |manager: &&str| json!({"manager": manager, "fieldsV1": {"f:spec": {"f:replicas": {}}}});
        let entries: Vec<Value> = managers.iter().map(entry).collect();
        let spec = |replicas: Value| json!({"replicas": replicas, "selector": {}, "template": {}});
        let live = json!({"metadata": {"name": "api", "managedFields": entries}, "spec": spec(json!(3))});
        let rendered = json!({"metadata": {"name": "api"}, "spec": spec(Value::Null)});
        let live: Deployment = serde_json::from_value(live).unwrap();
        let rendered: Deployment = serde_json::from_value(rendered).unwrap();
        Child::new(&rendered, &[Arc::new(live)])
    }

    fn is_handed_over(managers: &[&str]) -> bool {
        let child = autoscaled(managers);
        needs_handover(&child, child.live.as_ref().unwrap())
    }

    #[test]
    fn a_count_that_we_alone_own_is_handed_over_before_we_let_go() {
        assert!(is_handed_over(&[OPERATOR]));
        assert!(is_handed_over(&[OPERATOR, "kubectl"]));
    }

    #[test]
    fn a_count_that_is_not_ours_or_was_handed_over_already_is_not_handed_over_again() {
        assert!(!is_handed_over(&["kube-controller-manager"]));
        assert!(!is_handed_over(&[OPERATOR, REPLICAS_HANDOVER]));
    }
}
