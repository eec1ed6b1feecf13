//! The keyfile's Secret, and when its next phase begins. Pure.

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt;

use crate::desired::meta;
use crate::mongo::keyfile::{self, Keyfile, Situation};
use crate::names::{ANNOTATION_KEYFILE, ANNOTATION_ROTATE_KEYFILE, Tier};
use crate::plan::Plan;
use crate::snapshot::Snapshot;
use crate::snapshot::children::find;
use crate::snapshot::credentials::KEY_KEYFILE;

/// The Secret with the keyfile that the members shall have next.
pub(super) fn secret(plan: &Plan, snapshot: &Snapshot) -> Secret {
    let identity = &plan.identity;
    let Keyfile { text, served, .. } = next(plan, snapshot);
    let mut metadata = meta::object(identity, Tier::MongoDb, identity.mongodb_keyfile());
    metadata.annotations = served.map(|value| [(ANNOTATION_ROTATE_KEYFILE.to_owned(), value)].into());
    Secret {
        metadata,
        type_: Some("Opaque".to_owned()),
        data: Some([(KEY_KEYFILE.to_owned(), ByteString(text.expose().as_bytes().to_vec()))].into()),
        ..Secret::default()
    }
}

/// What a rotation waits for; none when none is under way or asked for.
pub fn pending(plan: &Plan, snapshot: &Snapshot) -> Option<String> {
    let Keyfile { text, waits, .. } = next(plan, snapshot);
    let live = live(plan, snapshot)?;
    let changes = (text != snapshot.credentials.mongodb_keyfile)
        .then(|| format!("Secret {} gets the keyfile of the next phase", live.name_any()));
    waits.or(changes)
}

/// Digest of the keyfile that the Secret holds, for the pods' template: members read it at start
/// alone. None before the first rotation, so that a cluster that never asks for one never restarts
/// for it. The Secret as it is decides, and not as it shall be: a pod must not start before it can
/// read what its template speaks of.
pub(super) fn digest(plan: &Plan, snapshot: &Snapshot) -> Option<String> {
    match live(plan, snapshot) {
        Some(secret) => served(secret)?,
        None => next(plan, snapshot).served?,
    };
    Some(meta::digest([snapshot.credentials.mongodb_keyfile.expose()]))
}

fn live<'a>(plan: &Plan, snapshot: &'a Snapshot) -> Option<&'a Secret> {
    find(&snapshot.children.secrets, &plan.identity.mongodb_keyfile())
}

fn served(secret: &Secret) -> Option<String> {
    secret.annotations().get(ANNOTATION_ROTATE_KEYFILE).cloned()
}

fn next(plan: &Plan, snapshot: &Snapshot) -> Keyfile {
    let credentials = &snapshot.credentials;
    let text = credentials.mongodb_keyfile.clone();
    let requested = snapshot.requests.get(ANNOTATION_ROTATE_KEYFILE).cloned();
    let Some(live) = live(plan, snapshot) else {
        // A key that is drawn now serves every request made until now.
        return Keyfile { text, served: requested, waits: None };
    };
    let situation = Situation {
        served: served(live),
        requested,
        in_use: in_use(plan, snapshot),
        refusing: refusing(snapshot),
        text,
    };
    keyfile::next(&situation, &credentials.mongodb_next_key)
}

/// Whether every member runs with the keyfile of the Secret, and all are well; if not, why.
fn in_use(plan: &Plan, snapshot: &Snapshot) -> Result<(), String> {
    let name = plan.identity.tier(Tier::MongoDb);
    let set = snapshot.children.stateful_pods(&name).filter(|set| set.is_current);
    let set = set.ok_or_else(|| format!("StatefulSet {name} is not up to date"))?;
    if let Some(pod) = set.outdated().next() {
        return Err(format!("{} runs an older template", pod.name));
    }
    if let Some(reason) = set.unrest() {
        return Err(reason);
    }
    if template_digest(plan, snapshot) != digest(plan, snapshot) {
        return Err(format!("StatefulSet {name} is yet to take up the keyfile"));
    }
    whole(snapshot)
}

fn template_digest(plan: &Plan, snapshot: &Snapshot) -> Option<String> {
    let set = find(&snapshot.children.stateful_sets, &plan.identity.tier(Tier::MongoDb))?;
    let annotations = set.spec.as_ref()?.template.metadata.as_ref()?.annotations.as_ref()?;
    annotations.get(ANNOTATION_KEYFILE).cloned()
}

/// A primary, and every other member caught up.
fn whole(snapshot: &Snapshot) -> Result<(), String> {
    let seen = &snapshot.mongodb;
    let (primary, member) = seen.primary().ok_or_else(|| "the replica set has no primary".to_owned())?;
    let mut others = member.config.members.iter().filter(|other| other.host != primary.host);
    match others.find(|other| !seen.caught_up(&other.host)) {
        Some(behind) => {
            Err(format!("{} has not caught up with the primary yet", seen.pod_name(&behind.host)))
        }
        None => Ok(()),
    }
}

/// A pod that was not logged in to with the newest key.
fn refusing(snapshot: &Snapshot) -> Option<String> {
    let newest = keyfile::keys(&snapshot.credentials.mongodb_keyfile).pop();
    let accepts = |host: &String| snapshot.mongodb_logins.get(host) == newest.as_ref();
    let refusing = snapshot.mongodb.members.iter().find(|observed| !accepts(&observed.host));
    refusing.map(|observed| observed.pod.clone())
}
