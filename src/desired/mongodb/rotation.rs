//! A new password for the API without a failed request. Pure.
//!
//! MongoDB keeps one password per user, so the API changes between two users. Asked by an annotation of
//! the cluster, the operator
//!
//! 1. writes the login to come into a Secret of its own,
//! 2. makes the other user with it,
//! 3. writes it into the connection Secret, with the value of the annotation that was served,
//! 4. rolls the API, whose template carries a digest of the connection Secret,
//! 5. drops the earlier user once no API pod is left that started with it.
//!
//! Both logins are valid from 2 to 5. Where a change stands follows from Secrets, users and pods alone,
//! so an operator may end at any point and another goes on.

use kube::ResourceExt;

use crate::desired::api::configuration_digest;
use crate::mongo::{UserName, UserState};
use crate::names::{
    ANNOTATION_CONFIGURATION, ANNOTATION_ROTATE_PASSWORD, APPLICATION_DATABASE, Tier, truncate,
};
use crate::plan::Plan;
use crate::snapshot::Snapshot;
use crate::snapshot::children::find;
use crate::snapshot::credentials::NextLogin;

/// Where the change of the API's password stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rotation {
    /// Nothing is asked for, and nothing is left of an earlier change.
    None,
    /// One is asked for and cannot begin.
    Waits(String),
    /// The login to come is in its Secret, or shall be, and is being made.
    Preparing(NextLogin),
    /// The login to come works, and takes the place of the one in use.
    Switching(NextLogin),
    /// The API uses the new login; the earlier user is still there.
    Retiring {
        /// The earlier user.
        user: UserName,
        /// What still uses it; none when it may go.
        used_by: Option<String>,
    },
}

impl Rotation {
    /// Of a cluster as it is seen.
    pub fn of(plan: &Plan, snapshot: &Snapshot) -> Self {
        let application = &snapshot.credentials.mongodb_application;
        let users = snapshot.mongodb.users.as_ref();
        // A next login of the user in use is what the connection Secret has got already.
        if let Some(next) = application.next.clone().filter(|next| next.user != application.user) {
            let works = users.is_some_and(|users| users.state(&name(next.user)) == UserState::Matches);
            return if works { Self::Switching(next) } else { Self::Preparing(next) };
        }
        let other = name(application.other());
        if users.is_some_and(|users| users.others.contains(&other)) {
            return Self::Retiring { user: other, used_by: still_used(plan, snapshot) };
        }
        match request(snapshot) {
            Some(request) if application.recorded && application.served.as_ref() != Some(&request) => {
                let password = application.spare.clone();
                let begin = NextLogin { user: application.other(), password, request };
                match users {
                    Some(_) if snapshot.mongodb.application_user == UserState::Matches => {
                        Self::Preparing(begin)
                    }
                    _ => Self::Waits("the replica set has to serve first".to_owned()),
                }
            }
            _ => Self::None,
        }
    }

    /// The login whose Secret shall exist.
    pub(super) fn next(&self) -> Option<&NextLogin> {
        match self {
            Self::Preparing(next) | Self::Switching(next) => Some(next),
            Self::None | Self::Waits(_) | Self::Retiring { .. } => None,
        }
    }
}

/// Longest value that is kept of a request; longer ones are told apart by their beginning.
const LONGEST: usize = 200;

/// The request for a new password, whether or not it was served; an empty value asks for nothing.
pub(super) fn request(snapshot: &Snapshot) -> Option<String> {
    let value = snapshot.requests.get(ANNOTATION_ROTATE_PASSWORD)?;
    (!value.is_empty()).then(|| truncate(value, LONGEST))
}

/// A user of the API.
pub fn name(user: &str) -> UserName {
    UserName { name: user.to_owned(), database: APPLICATION_DATABASE.to_owned() }
}

/// What may still log in as the earlier user: a pod that was started with it, or a Deployment that
/// would start one.
fn still_used(plan: &Plan, snapshot: &Snapshot) -> Option<String> {
    let children = &snapshot.children;
    let digest = Some(configuration_digest(plan, snapshot));
    let workload = plan.identity.tier(Tier::Api);
    if let Some(deployment) = find(&children.deployments, &workload) {
        let spec = deployment.spec.as_ref();
        let template = spec.and_then(|spec| spec.template.metadata.as_ref()?.annotations.as_ref());
        let status = deployment.status.as_ref();
        let seen = status.and_then(|status| status.observed_generation) == deployment.metadata.generation;
        if template.and_then(|found| found.get(ANNOTATION_CONFIGURATION)) != digest.as_ref() || !seen {
            return Some(format!("Deployment {workload} has yet to take up the new one"));
        }
        let wanted = spec.and_then(|spec| spec.replicas).unwrap_or(1);
        let ready = status.and_then(|status| status.ready_replicas).unwrap_or(0);
        let updated = status.and_then(|status| status.updated_replicas).unwrap_or(0);
        if updated.min(ready) < wanted {
            return Some(format!("{} of {wanted} API pods are ready with the new one", updated.min(ready)));
        }
    }
    // Those on their way out still answer the requests they have begun.
    let old = children
        .pods_of(Tier::Api)
        .find(|pod| pod.annotations().get(ANNOTATION_CONFIGURATION) != digest.as_ref() && !ended(pod));
    old.map(|pod| format!("pod {} still runs with it", pod.name_any()))
}

/// Pods that failed or were evicted stay listed and run nothing.
fn ended(pod: &k8s_openapi::api::core::v1::Pod) -> bool {
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    matches!(phase, Some("Succeeded" | "Failed"))
}

#[cfg(test)]
mod tests;
