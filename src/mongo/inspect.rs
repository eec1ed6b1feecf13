//! Finds out versions and indexes, no more often than they change. IO; never fails: what is not told
//! is not known.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use futures::future::join_all;
use mongodb::Client;
use mongodb::bson::{Document, doc};
use tokio::time::timeout;

use super::connections::Connections;
use super::driver::failure::Failure;
use super::facts::Facts;
use super::indexes::{Listed, Namespace, Standing, without_values};
use super::observe::{MEMBER_TIMEOUT, ask};
use super::topology::{Topology, View};
use super::upkeep::{Requests, Task};
use super::version::{Feature, Series, Version};

/// How long it is taken for granted that everything is as it was found to be wanted.
const AT_REST: Duration = Duration::from_secs(600);
/// The same while something is not as wanted.
const UNDER_WAY: Duration = Duration::from_secs(5);
/// A build that is not listed for this long is not waited for any more.
const LOST_AFTER: Duration = Duration::from_secs(120);

/// What the primary said last.
#[derive(Clone)]
pub(super) struct Known {
    host: String,
    requests: Requests,
    asked: Instant,
    at_rest: bool,
    feature: Option<Feature>,
    collections: BTreeMap<Namespace, Result<Vec<Listed>, String>>,
}

/// Asks the members for their versions, and the primary for the rest.
pub async fn facts(requests: &Requests, topology: &Topology, connections: &Connections) -> Facts {
    let now = Instant::now();
    let primary = topology.primary().map(|(observed, _)| observed.host.as_str());
    let keys: Vec<String> = tasks(requests).map(|task| task.key()).collect();
    let (work, ended) = connections.works().look(&keys, primary, now);
    let mut facts = Facts { versions: versions(topology, connections).await, work, ..Facts::default() };
    let Some(host) = primary else { return facts };
    let known = connections.inspected().filter(|known| known.host == host && known.requests == *requests);
    let known = match known {
        Some(known) if !ended && now.duration_since(known.asked) < known.lasts() => known,
        _ => {
            let Some(client) = connections.known(host) else { return facts };
            let asked = timeout(MEMBER_TIMEOUT, look(&client, host, requests, now)).await;
            let Ok(mut known) = asked else { return facts };
            known.at_rest = known.is_at_rest(&facts);
            connections.set_inspected(known.clone());
            known
        }
    };
    if let Some(key) = facts.work.running.as_ref().filter(|key| !known.shows(key)) {
        connections.works().give_up(key, LOST_AFTER, now);
    }
    facts.feature = known.feature;
    facts.collections = known.collections;
    facts
}

/// Every task that may be begun for the requests.
fn tasks(requests: &Requests) -> impl Iterator<Item = Task> {
    let feature =
        requests.feature.into_iter().map(|version| Task::SetFeatureVersion { version, confirm: false });
    feature.chain(requests.indexes.iter().cloned().map(Task::BuildIndex))
}

impl Known {
    fn lasts(&self) -> Duration {
        if self.at_rest { AT_REST } else { UNDER_WAY }
    }

    fn is_at_rest(&self, facts: &Facts) -> bool {
        let requests = &self.requests;
        let feature_is = |asked: Series| {
            self.feature.is_some_and(|feature| feature.version == asked && feature.target.is_none())
        };
        let is_there = |index| matches!(self.standing(index), Some(Standing::Ready));
        let is_wanted =
            |wanted: Version| facts.versions.iter().all(|(_, version)| version.series == wanted.series);
        facts.work.running.is_none()
            && requests.feature.is_none_or(feature_is)
            && requests.indexes.iter().all(is_there)
            && requests.version.is_none_or(is_wanted)
    }

    fn standing(&self, index: &super::indexes::Index) -> Option<Standing> {
        Some(index.standing(self.collections.get(&index.collection)?.as_ref().ok()?))
    }

    /// Whether the server shows the task with this key at work or done.
    fn shows(&self, key: &str) -> bool {
        let built =
            self.requests.indexes.iter().find(|index| Task::BuildIndex((*index).clone()).key() == key);
        built.is_none_or(|index| self.standing(index) != Some(Standing::Missing))
    }
}

async fn look(client: &Client, host: &str, requests: &Requests, now: Instant) -> Known {
    let names: BTreeSet<&Namespace> = requests.indexes.iter().map(|index| &index.collection).collect();
    let mut collections = BTreeMap::new();
    for name in names {
        if let Some(listed) = indexes(client, name).await {
            collections.insert(name.clone(), listed);
        }
    }
    Known {
        host: host.to_owned(),
        requests: requests.clone(),
        asked: now,
        at_rest: false,
        feature: feature(client).await,
        collections,
    }
}

async fn feature(client: &Client) -> Option<Feature> {
    let question = doc! { "getParameter": 1, "featureCompatibilityVersion": 1 };
    let reply = ask(client, "admin", question).await.ok()?;
    let told = reply.get_document("featureCompatibilityVersion").ok()?;
    Some(Feature {
        version: Series::parse(told.get_str("version").ok()?)?,
        target: told.get_str("targetVersion").ok().and_then(Series::parse),
    })
}

/// Indexes of a collection, or why it can have none; none where nothing was said.
async fn indexes(client: &Client, name: &Namespace) -> Option<Result<Vec<Listed>, String>> {
    const NAMESPACE_NOT_FOUND: i32 = 26;
    // One batch holds the 64 indexes a collection may have.
    let question = doc! {
        "listIndexes": &name.collection, "includeBuildUUIDs": true, "cursor": { "batchSize": 1000 },
    };
    match ask(client, &name.database, question).await {
        Ok(reply) => listed(&reply).map(Ok),
        Err(Failure::Command { code: NAMESPACE_NOT_FOUND, .. }) => Some(Ok(Vec::new())),
        Err(Failure::Command { code, name, message }) => {
            Some(Err(format!("{name} ({code}): {}", without_values(&message))))
        }
        Err(_) => None,
    }
}

fn listed(reply: &Document) -> Option<Vec<Listed>> {
    let batch = reply.get_document("cursor").ok()?.get_array("firstBatch").ok()?;
    batch.iter().map(|entry| Listed::parse(entry.as_document()?)).collect()
}

/// Version of each member that answers. A binary does not change under a connection, so it is asked
/// once for each.
async fn versions(topology: &Topology, connections: &Connections) -> Vec<(String, Version)> {
    let answers = |view: &View| matches!(view, View::Member(_) | View::NotInitialized);
    let members = topology.members.iter().filter(|observed| answers(&observed.view));
    let versions = members.map(|observed| async move {
        let version = version(&observed.host, connections).await?;
        Some((observed.pod.clone(), version))
    });
    join_all(versions).await.into_iter().flatten().collect()
}

async fn version(host: &str, connections: &Connections) -> Option<Version> {
    if let Some(version) = connections.version(host) {
        return Some(version);
    }
    let client = connections.known(host)?;
    let reply = timeout(MEMBER_TIMEOUT, ask(&client, "admin", doc! { "buildInfo": 1 })).await.ok()?.ok()?;
    let version = Version::parse(reply.get_str("version").ok()?)?;
    connections.set_version(host, version);
    Some(version)
}
