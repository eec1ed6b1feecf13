//! The custom resource as the watch delivers it: one that cannot be read is a value, not an error of
//! the watch, and keeps what is needed to say so on the object itself. Pure.

use std::borrow::Cow;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Resource;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::crd::{DeletionPolicy, EaiserCluster, EaiserClusterStatus};
use crate::manifest;

/// A stored object, readable or not.
#[derive(Clone, Debug)]
pub struct Guarded(pub Result<Box<EaiserCluster>, Box<Unreadable>>);

/// An object that does not fit the types, for example because it was stored under an older schema.
#[derive(Clone, Debug)]
pub struct Unreadable {
    /// Its metadata.
    pub metadata: ObjectMeta,
    /// Its last status, as far as that can be read.
    pub status: Option<EaiserClusterStatus>,
    /// What does not fit, with the path of each field.
    pub error: String,
    /// What becomes of its volumes when it is deleted.
    pub deletion_policy: DeletionPolicy,
}

/// Whatever does not plainly say `Delete` keeps the data.
fn deletion_policy(object: &Value) -> DeletionPolicy {
    let policy = object.pointer("/spec/operation/deletionPolicy");
    policy.and_then(|policy| DeletionPolicy::deserialize(policy).ok()).unwrap_or_default()
}

impl<'de> Deserialize<'de> for Guarded {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        let error = match EaiserCluster::deserialize(&value) {
            Ok(cluster) => return Ok(Self(Ok(Box::new(cluster)))),
            Err(error) => error,
        };
        let metadata = ObjectMeta::deserialize(&value["metadata"]).map_err(serde::de::Error::custom)?;
        let status = EaiserClusterStatus::deserialize(&value["status"]).ok();
        // serde names no path; the schema names every one. What only serde dislikes it says itself.
        let error =
            manifest::misfits(&value).map_or_else(|| error.to_string(), |misfits| misfits.to_string());
        Ok(Self(Err(Box::new(Unreadable {
            metadata,
            status,
            error,
            deletion_policy: deletion_policy(&value),
        }))))
    }
}

impl Resource for Guarded {
    type DynamicType = ();
    type Scope = <EaiserCluster as Resource>::Scope;

    fn kind((): &()) -> Cow<'_, str> {
        EaiserCluster::kind(&())
    }

    fn group((): &()) -> Cow<'_, str> {
        EaiserCluster::group(&())
    }

    fn version((): &()) -> Cow<'_, str> {
        EaiserCluster::version(&())
    }

    fn plural((): &()) -> Cow<'_, str> {
        EaiserCluster::plural(&())
    }

    fn meta(&self) -> &ObjectMeta {
        match &self.0 {
            Ok(cluster) => cluster.meta(),
            Err(unreadable) => &unreadable.metadata,
        }
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        match &mut self.0 {
            Ok(cluster) => cluster.meta_mut(),
            Err(unreadable) => &mut unreadable.metadata,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(spec: &str) -> Guarded {
        serde_saphyr::from_str(&format!(
            "{{apiVersion: eaiser.io/v1alpha1, kind: EaiserCluster, metadata: {{name: eaiser, namespace: shop, uid: u}}, spec: {spec}, status: {{phase: Ready}}}}"
        ))
        .unwrap()
    }

    #[test]
    fn a_good_object_is_read() {
        let cluster = read("{capacity: {users: 1}, api: {image: a}}").0.unwrap();
        assert_eq!(cluster.spec.capacity.users, 1);
    }

    #[test]
    fn a_bad_object_keeps_its_name_its_status_and_the_path_of_what_is_wrong() {
        let bad = read("{capacity: {users: many}, api: {image: a, env: [{name: A, value: 5}]}}");
        assert_eq!(bad.meta().name.as_deref(), Some("eaiser"));
        let unreadable = bad.0.unwrap_err();
        assert_eq!(unreadable.status.unwrap().phase.as_deref(), Some("Ready"));
        for field in ["spec.capacity.users", "spec.api.env[0].value"] {
            assert!(unreadable.error.contains(field), "{}", unreadable.error);
        }
    }

    #[test]
    fn whatever_does_not_plainly_say_delete_keeps_the_data() {
        let policy = |policy: &str| {
            let spec = format!("{{capacity: 7, operation: {{deletionPolicy: {policy}}}}}");
            read(&spec).0.unwrap_err().deletion_policy
        };
        assert_eq!(policy("Delete"), DeletionPolicy::Delete);
        for doubtful in ["delete", "Retain", "null", "1", "{Delete: true}"] {
            assert_eq!(policy(doubtful), DeletionPolicy::Retain, "{doubtful}");
        }
        assert_eq!(read("broken").0.unwrap_err().deletion_policy, DeletionPolicy::Retain);
    }
}
