//! Files of `EaiserCluster` objects: read, completed and judged as the API server would, with every
//! problem at once. Pure.

mod schema;

#[cfg(test)]
mod tests;

use kube::Resource;
use kube::core::cel::ValidationErrors;
use serde_json::Value;

use crate::crd::{EaiserCluster, EaiserClusterSpec};
use crate::names::Identity;
use crate::plan::{self, Plan, Problem, Problems};
use crate::settings::Settings;

/// Namespace of objects that name none.
const DEFAULT_NAMESPACE: &str = "default";

/// A file that holds no objects at all.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Not YAML.
    #[error("not valid YAML")]
    Yaml {
        /// Where and why.
        source: serde_saphyr::Error,
    },
    /// Nothing of our kind.
    #[error("no EaiserCluster in it: expected `apiVersion: {expected}` and `kind: EaiserCluster`")]
    NoCluster {
        /// The version this program knows.
        expected: String,
    },
}

/// The objects of our kind in a YAML text of one or more documents; other kinds are passed over.
///
/// # Errors
/// The text is not YAML, or holds no `EaiserCluster`.
pub fn clusters(text: &str) -> Result<Vec<Value>, Error> {
    let documents: Vec<Value> = serde_saphyr::from_multiple(text).map_err(|source| Error::Yaml { source })?;
    let expected = EaiserCluster::api_version(&());
    let ours = |document: &Value| {
        document["kind"] == EaiserCluster::kind(&()).as_ref() && document["apiVersion"] == expected.as_ref()
    };
    let clusters: Vec<Value> = documents.into_iter().filter(ours).collect();
    if clusters.is_empty() {
        return Err(Error::NoCluster { expected: expected.into_owned() });
    }
    Ok(clusters)
}

/// The spec of one object, completed with its defaults, when schema and rules hold.
///
/// # Errors
/// Every violation of the schema; or else every broken rule.
pub fn spec(document: &Value) -> Result<EaiserClusterSpec, Problems> {
    schema::check(document)?;
    let cluster = parse(document)?;
    match cluster.validate_cel() {
        Ok(()) => Ok(cluster.spec),
        Err(errors) => Err(Problems(broken_rules(errors))),
    }
}

/// Judges one object as the successor of a stored one.
///
/// # Errors
/// Every rule about changes that it breaks.
pub fn change(document: &Value, stored: &EaiserCluster) -> Result<(), Problems> {
    parse(document)?.validate_cel_update(stored).map_err(|errors| Problems(broken_rules(errors)))
}

fn parse(document: &Value) -> Result<EaiserCluster, Problems> {
    serde_json::from_value(document.clone())
        .map_err(|error| Problems(vec![Problem::new("metadata", error.to_string())]))
}

/// Plans one object: schema, then rules across fields, then the plan itself.
///
/// # Errors
/// Every violation of the schema; or else every broken rule and every problem of the plan.
pub fn plan(document: &Value, settings: &Settings) -> Result<Plan, Problems> {
    schema::check(document)?;
    let cluster = parse(document)?;
    let identity = Identity {
        namespace: cluster.metadata.namespace.clone().unwrap_or_else(|| DEFAULT_NAMESPACE.to_owned()),
        name: cluster.metadata.name.clone().unwrap_or_default(),
        uid: String::new(),
    };
    let rules = cluster.validate_cel().err().map(broken_rules).unwrap_or_default();
    match plan::plan(identity, &cluster.spec, settings) {
        Ok(plan) if rules.is_empty() => Ok(plan),
        Ok(_) => Err(Problems(rules)),
        Err(Problems(others)) => {
            // The plan keeps checks of its own, for objects stored before a rule existed.
            let told = |other: &Problem| rules.iter().any(|rule| rule.field == other.field);
            let news: Vec<Problem> = others.into_iter().filter(|other| !told(other)).collect();
            Err(Problems(rules.into_iter().chain(news).collect()))
        }
    }
}

/// What of a stored object does not fit the schema; none when all of it does.
pub fn misfits(document: &Value) -> Option<Problems> {
    schema::check(document).err()
}

fn broken_rules(errors: ValidationErrors) -> Vec<Problem> {
    errors.into_vec().into_iter().map(|error| Problem::new(error.field_path, error.message)).collect()
}
