//! The replica set under test, and the client that writes to it all the while.

use std::time::{Duration, Instant};

use eaiser_operator::crd::EaiserCluster;
use eaiser_operator::mongo::Topology;
use eaiser_operator::snapshot::take::Connections;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use tokio::sync::Mutex;

use super::report::{Phase, Report};
use crate::support::cluster::{NAME, condition, holds, is_current};
use crate::support::until::seconds;
use crate::support::{Cluster, World, Writer, databases, until};

/// Time until all members are back that a busy machine may take.
const WHOLE_WITHIN: Duration = Duration::from_secs(180);
/// Time until writes go on, in phases that set no tighter bound.
const WRITES_WITHIN: Duration = Duration::from_secs(120);

/// The set and its client.
pub struct Set<'a> {
    pub world: &'a World,
    pub cluster: &'a Cluster,
    pub writer: &'a Writer,
    /// The server's own identity of the set: another one would be a second set.
    identity: String,
    connections: Mutex<Connections>,
    pub report: std::sync::Mutex<Report>,
}

impl<'a> Set<'a> {
    /// A set that has formed.
    pub async fn of(world: &'a World, cluster: &'a Cluster, writer: &'a Writer) -> Self {
        let mut connections = Connections::default();
        let seen = databases::look(world, &cluster.get().await, &mut connections).await;
        let (_, primary) = seen.mongodb.primary().unwrap();
        let identity = primary.config.replica_set_id.clone().unwrap();
        let connections = Mutex::new(connections);
        Self { world, cluster, writer, identity, connections, report: std::sync::Mutex::default() }
    }

    /// Does something to the set, waits until it is whole and written to, and notes how long it was not.
    pub async fn phase(&self, name: &str, bound: Option<Duration>, act: impl AsyncFnOnce()) -> Duration {
        let begin = Instant::now();
        act().await;
        self.writer.writes_again(WRITES_WITHIN).await;
        self.whole().await;
        let phase = Phase {
            name: name.to_owned(),
            took: begin.elapsed(),
            unwritable: self.writer.longest_gap(begin).length,
            bound,
        };
        println!("{phase}");
        let unwritable = phase.unwritable;
        self.report.lock().unwrap().phases.push(phase);
        unwritable
    }

    /// Waits until exactly the wanted members vote and are up, and the operator says so.
    pub async fn whole(&self) {
        until("the replica set is whole", WHOLE_WITHIN, async || {
            let object = self.cluster.get().await;
            let seen = self.look(&object).await;
            let members = usize::try_from(object.spec.mongodb.members).unwrap();
            lacks(&seen, members).map_or(Ok(()), Err)?;
            match condition(&object, "MongoDBReady") {
                Some(_) if is_current(&object) && holds(&object, "MongoDBReady") => Ok(()),
                Some(ready) => Err(format!("MongoDBReady: {}: {}", ready.reason, ready.message)),
                None => Err("no condition MongoDBReady".to_owned()),
            }
        })
        .await;
    }

    /// What every member says now; none may belong to another set.
    pub async fn look(&self, object: &EaiserCluster) -> Topology {
        let mut connections = self.connections.lock().await;
        let seen = databases::look(self.world, object, &mut connections).await.mongodb;
        for (observed, member) in seen.configured() {
            let identity = member.config.replica_set_id.as_ref();
            assert_eq!(identity, Some(&self.identity), "{} belongs to a second replica set", observed.pod);
        }
        seen
    }

    /// Pod of the primary, once there is one.
    pub async fn primary(&self) -> String {
        until("there is a primary", seconds(60), async || {
            let seen = self.look(&self.cluster.get().await).await;
            seen.primary().map(|(observed, _)| observed.pod.clone()).ok_or_else(|| "none".to_owned())
        })
        .await
    }

    /// Version of the primary's configuration, which every reconfiguration raises.
    pub async fn config_version(&self) -> i64 {
        until("the primary tells its configuration", seconds(60), async || {
            let seen = self.look(&self.cluster.get().await).await;
            seen.primary().map(|(_, member)| member.config.version).ok_or_else(|| "no primary".to_owned())
        })
        .await
    }

    /// Pods of the members.
    pub async fn pods(&self) -> Vec<Pod> {
        self.world.pods("mongodb").await
    }

    /// Number of the lab's node that a pod runs on.
    pub async fn node_of(&self, pod: &str) -> String {
        let pod: Pod = self.world.get(pod).await;
        let node = pod.spec.as_ref().and_then(|spec| spec.node_name.clone()).unwrap();
        node.rsplit_once("-n").unwrap_or_else(|| panic!("{node} is no node of the lab")).1.to_owned()
    }

    /// Waits until a condition says that MongoDB is not ready and names every one of these.
    pub async fn complains(&self, words: &[&str], within: Duration) -> String {
        until(&format!("MongoDBReady is false and names {words:?}"), within, async || {
            let object = self.cluster.get().await;
            let ready = condition(&object, "MongoDBReady").ok_or("no condition")?;
            let named = ready.status == "False" && words.iter().all(|word| ready.message.contains(word));
            if named { Ok(ready.message.clone()) } else { Err(ready.message.clone()) }
        })
        .await
    }

    /// Waits until the status names another primary, and a condition what is lost.
    pub async fn goes_on_without(&self, lost: &str, within: Duration) -> String {
        until(&format!("another primary than {lost}, and a word about that"), within, async || {
            let object = self.cluster.get().await;
            let primary = object.status.as_ref().and_then(|status| status.mongodb.as_ref()?.primary.clone());
            let ready = condition(&object, "MongoDBReady").ok_or("no condition")?;
            let told = ready.status == "False" && ready.message.contains(lost);
            match primary {
                Some(primary) if primary != lost && told => Ok(ready.message.clone()),
                primary => Err(format!("{primary:?}: {}", ready.message)),
            }
        })
        .await
    }

    /// Waits until the status speaks of the spec as it is now.
    pub async fn seen_by_the_operator(&self, within: Duration) {
        until("the status speaks of the newest spec", within, async || {
            let object = self.cluster.get().await;
            if is_current(&object) { Ok(()) } else { Err("an earlier one".to_owned()) }
        })
        .await;
    }

    /// Waits until every member's pod is another than before.
    pub async fn replaced(&self, before: &[Pod]) {
        let uids: Vec<_> = before.iter().map(ResourceExt::uid).collect();
        until("every member's pod is a new one", seconds(300), async || {
            let old = self.pods().await.iter().filter(|pod| uids.contains(&pod.uid())).count();
            if old == 0 { Ok(()) } else { Err(format!("{old} old; {}", self.why().await)) }
        })
        .await;
    }

    async fn why(&self) -> String {
        crate::support::cluster::message(&self.cluster.get().await)
    }
}

/// What keeps the set from being exactly these members, all voting and up.
fn lacks(seen: &Topology, members: usize) -> Option<String> {
    let Some((_, primary)) = seen.primary() else {
        let states = seen.members.iter().map(|member| format!("{} {}", member.pod, member.view.describe()));
        return Some(format!("no primary: {}", states.collect::<Vec<_>>().join(", ")));
    };
    let listed = primary.config.members.len();
    let (voters, up) = (primary.config.voters().count(), seen.voters_up(&primary.config));
    if (listed, voters, up) == (members, members, members) {
        return None;
    }
    Some(format!("of {NAME}'s {members} members {listed} are listed, {voters} vote, {up} are up"))
}
