//! One rendered object beside its live counterpart, of any kind. Pure.

use std::sync::{Arc, LazyLock};

use kube::Resource;
use kube::api::ApiResource;
use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::deferral;
use crate::desired::meta::hex;
use crate::names::{ANNOTATION_RENDERED, Identity};

/// An object as it should be, and as it is.
#[derive(Clone, Debug)]
pub struct Child {
    /// Its kind.
    pub resource: ApiResource,
    /// Its name.
    pub name: String,
    /// The rendered object, annotated with [`Child::digest`].
    pub rendered: Value,
    /// Digest of what was rendered.
    pub digest: String,
    /// Its live counterpart.
    pub live: Option<Live>,
}

/// A live object, as far as the decision to write needs it.
#[derive(Clone, Debug)]
pub struct Live {
    /// Its kind.
    pub resource: ApiResource,
    /// Its name.
    pub name: String,
    /// `metadata.uid`.
    pub uid: Option<String>,
    /// `metadata.resourceVersion`.
    pub resource_version: Option<String>,
    /// uid of its controlling owner.
    pub owner: Option<String>,
    /// Whether its deletion has begun.
    pub deleting: bool,
    /// Digest it was last applied with.
    pub digest: Option<String>,
    /// The whole object as JSON, made when it is first looked at: most passes never do.
    pub object: Arc<LazyLock<Value, MakeObject>>,
}

/// Makes the JSON form of a live object.
type MakeObject = Box<dyn FnOnce() -> Value + Send>;

/// What is to be done about one object, before its content is looked at.
#[derive(Clone, Copy, Debug)]
pub enum Standing<'a> {
    /// Nothing of its kind and name is known: it is to be created.
    Missing,
    /// It belongs to an earlier cluster of this name, or is being deleted: it is waited for.
    Leftover,
    /// It belongs to nobody we know: it is never touched.
    Foreign,
    /// It is ours.
    Ours(&'a Live),
}

impl Child {
    /// Whose the live object is.
    pub fn standing(&self, identity: &Identity) -> Standing<'_> {
        match &self.live {
            None => Standing::Missing,
            Some(live) if live.deleting => Standing::Leftover,
            Some(live) if live.is_owned_by(identity) => Standing::Ours(live),
            Some(live) if live.owner.is_some() => Standing::Leftover,
            Some(_) => Standing::Foreign,
        }
    }

    /// Pairs a rendered object with its live counterpart among `live`.
    pub fn new<K>(object: &K, live: &[Arc<K>]) -> Self
    where
        K: Resource<DynamicType = ()> + Serialize + Send + Sync + 'static,
    {
        let name = object.meta().name.clone().unwrap_or_default();
        // Kubernetes types have string keys only, so serialization cannot fail.
        let rendered = serde_json::to_value(object).unwrap_or_default();
        let live = live.iter().find(|live| live.meta().name.as_deref() == Some(&name)).map(Live::of);
        let mut rendered = deferral::settle(rendered, live.as_ref());
        let digest = digest(&rendered);
        if let Some(metadata) = rendered.get_mut("metadata").and_then(Value::as_object_mut) {
            let annotations =
                metadata.entry("annotations").or_insert_with(|| Value::Object(serde_json::Map::new()));
            annotations[ANNOTATION_RENDERED] = Value::String(digest.clone());
        }
        Self { resource: ApiResource::erase::<K>(&()), name, rendered, digest, live }
    }

    /// `Kind/name`, for messages.
    pub fn label(&self) -> String {
        format!("{}/{}", self.resource.kind, self.name)
    }
}

impl Live {
    /// Takes what is needed from a live object.
    pub fn of<K>(object: &Arc<K>) -> Self
    where
        K: Resource<DynamicType = ()> + Serialize + Send + Sync + 'static,
    {
        let shared = Arc::clone(object);
        let metadata = object.meta();
        let owners = metadata.owner_references.iter().flatten();
        let annotations = metadata.annotations.as_ref();
        Self {
            resource: ApiResource::erase::<K>(&()),
            name: metadata.name.clone().unwrap_or_default(),
            uid: metadata.uid.clone(),
            resource_version: metadata.resource_version.clone(),
            owner: owners
                .filter(|owner| owner.controller == Some(true))
                .map(|owner| owner.uid.clone())
                .next(),
            deleting: metadata.deletion_timestamp.is_some(),
            digest: annotations.and_then(|annotations| annotations.get(ANNOTATION_RENDERED)).cloned(),
            object: Arc::new(LazyLock::new(Box::new(move || {
                serde_json::to_value(&*shared).unwrap_or_default()
            }))),
        }
    }

    /// `Kind/name`, for messages.
    pub fn label(&self) -> String {
        format!("{}/{}", self.resource.kind, self.name)
    }

    /// Whether this very cluster, not an earlier one of the same name, controls the object.
    pub fn is_owned_by(&self, identity: &Identity) -> bool {
        self.owner.as_deref() == Some(&identity.uid)
    }
}

/// Digest of a rendered object: `serde_json` sorts keys, so equal objects have equal digests.
pub(super) fn digest(rendered: &Value) -> String {
    let bytes = serde_json::to_vec(rendered).unwrap_or_default();
    hex(&Sha256::digest(bytes)[..12])
}
