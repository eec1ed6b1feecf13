//! A namespace in which an operator is ill-treated: the cluster, the proxy in between, and what a run
//! left behind.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, resume_unwind};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures::FutureExt;
use futures::future::join_all;
use kube::api::{Api, ApiResource, DeleteParams, DynamicObject, GroupVersionKind, ListParams};
use serde_json::{Value, json};

use crate::support::cluster::example_with;
use crate::support::footprint::Footprint;
use crate::support::proxy::Call;
use crate::support::proxy::asked::{Asked, Verb};
use crate::support::proxy::fault::{Point, Side};
use crate::support::until::seconds;
use crate::support::{Cluster, Operator, Proxy, World, until};

/// No write for this long means that nothing more will be written: passes that change something
/// follow each other faster, and every change of an object starts one.
const QUIET: Duration = Duration::from_millis(1800);
/// Longest time until a run must have ended as the reference did.
const SETTLED_WITHIN: Duration = Duration::from_secs(60);

/// A cluster whose pods no node can hold: its objects are what is looked at, and the nodes stay idle.
pub fn manifest() -> Value {
    let huge = json!({"requests": {"cpu": "64"}});
    example_with(json!({
        "capacity": {"users": 100, "baselineUsers": null},
        "api": {"replicas": 2, "autoscaling": {"enabled": false}, "resources": huge},
        "gateway": {"resources": huge},
        "mongodb": {"resources": huge},
        "redis": {"resources": huge},
    }))
}

/// Another image, another configuration file, another variable, and the autoscaler takes over the
/// count: creates, changes and deletes objects and replaces pods.
pub fn changed() -> Value {
    json!({
        "api": {"env": [{"name": "FLAVOUR", "value": "sour"}], "autoscaling": {"enabled": true}},
        "gateway": {"image": "localhost/eaiser/nginx:other"},
        "redis": {"maxmemoryPolicy": "allkeys-lru"},
    })
}

/// Back to [`manifest`].
pub fn reverted() -> Value {
    json!({
        "api": {"env": null, "autoscaling": {"enabled": false}},
        "gateway": {"image": null},
        "redis": {"maxmemoryPolicy": null},
    })
}

/// Applies [`manifest`].
pub async fn create(world: &World) {
    Cluster::apply(world, manifest()).await;
}

/// Changes the spec.
pub async fn change(world: &World, spec: &Value) {
    Cluster { api: world.api() }.change(spec.clone()).await;
}

/// Runs `body` with several namespaces and removes them whatever happens.
pub async fn with_rigs(name: &str, count: usize, body: impl AsyncFnOnce(&[Rig])) {
    let names: Vec<String> = (0..count).map(|index| format!("{name}-{index}")).collect();
    let rigs = join_all(names.iter().map(|name| Rig::start(name))).await;
    let result = AssertUnwindSafe(body(&rigs)).catch_unwind().await;
    join_all(rigs.into_iter().map(Rig::remove)).await;
    if let Err(panic) = result {
        resume_unwind(panic);
    }
}

/// One namespace with its operator.
pub struct Rig {
    pub world: World,
    pub proxy: Proxy,
    operator: Arc<Mutex<Option<Operator>>>,
    pub blank: Footprint,
}

/// What one run of an operation did and left.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Run {
    pub footprint: Footprint,
    /// How often each object was created, changed and deleted by the operator; status and events,
    /// which tell how it went and not what is, are left out.
    pub counts: BTreeMap<String, usize>,
    /// By how much the generation of each workload grew.
    pub growth: BTreeMap<String, i64>,
    /// Its writes, in order, as points to die at.
    pub writes: Vec<(Asked, usize)>,
    /// Whether the operator died as planned.
    pub died: bool,
}

impl Rig {
    /// Creates the namespace and starts an operator in it.
    pub async fn start(name: &str) -> Self {
        let world = World::create(name).await;
        let proxy = Proxy::start().await;
        let rig = Self { world, proxy, operator: Arc::default(), blank: Footprint::default() };
        rig.revive();
        let blank = Footprint::of(&rig.world).await;
        Self { blank, ..rig }
    }

    /// Ends the operator; the next wait for a settled state starts another.
    pub fn kill(&self) {
        self.operator.lock().unwrap().take();
    }

    /// Starts an operator.
    pub fn revive(&self) {
        *self.operator.lock().unwrap() = Some(Operator::start_through(&self.world, &self.proxy.url));
    }

    /// Runs `begin` and waits until everything is as `expected` and nothing more is written; with a
    /// point, the operator dies there and another takes its place.
    pub async fn run(
        &self,
        begin: impl AsyncFnOnce(&World),
        point: Option<&Point>,
        expected: Option<&Footprint>,
    ) -> Result<Run, String> {
        let before = Footprint::of(&self.world).await.generations;
        self.proxy.restart_record();
        if let Some(point) = point {
            let operator = Arc::clone(&self.operator);
            let kill = move || {
                if let Some(operator) = operator.lock().unwrap().take() {
                    operator.kill();
                }
            };
            self.proxy.crash_at(point.clone(), Box::new(kill));
        }
        begin(&self.world).await;
        let footprint = self.settle(expected).await;
        let died = point.is_some() && !self.proxy.disarm();
        let footprint = footprint?;
        let calls = self.proxy.calls();
        let growth = footprint.generations.iter().map(|(name, generation)| {
            (name.clone(), generation - before.get(name).copied().unwrap_or_default())
        });
        Ok(Run { counts: counts(&calls), growth: growth.collect(), writes: writes(&calls), died, footprint })
    }

    /// Waits until everything is as `expected` and nothing more is written.
    pub async fn settle(&self, expected: Option<&Footprint>) -> Result<Footprint, String> {
        let begin = Instant::now();
        let mut since = begin;
        let mut differences = vec!["nothing was quiet".to_owned()];
        while begin.elapsed() < SETTLED_WITHIN {
            tokio::time::sleep(Duration::from_millis(150)).await;
            if self.operator.lock().unwrap().is_none() {
                // The crash's own writes end before a successor reads the world.
                until("what was forwarded is carried out", seconds(10), async || {
                    if self.proxy.is_quiet(Duration::ZERO) { Ok(()) } else { Err("under way".to_owned()) }
                })
                .await;
                self.revive();
                since = Instant::now();
            }
            if since.elapsed() < QUIET || !self.proxy.is_quiet(QUIET) {
                continue;
            }
            let footprint = Footprint::of(&self.world).await;
            let Some(expected) = expected else { return Ok(footprint) };
            differences = footprint.differences(expected);
            if differences.is_empty() && self.proxy.is_quiet(QUIET) {
                return Ok(footprint);
            }
        }
        Err(format!("not as the reference after {} s: {differences:#?}", SETTLED_WITHIN.as_secs()))
    }

    /// Removes the cluster and everything of it, faster than the garbage collector would.
    pub async fn wipe(&self) {
        for (group, version, kind) in [
            ("eaiser.io", "v1alpha1", "EaiserCluster"),
            ("apps", "v1", "StatefulSet"),
            ("apps", "v1", "Deployment"),
            ("apps", "v1", "ReplicaSet"),
            ("", "v1", "Pod"),
            ("", "v1", "ConfigMap"),
            ("", "v1", "Secret"),
            ("", "v1", "PersistentVolumeClaim"),
        ] {
            let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
            let api: Api<DynamicObject> =
                Api::namespaced_with(self.world.client.clone(), &self.world.namespace, &resource);
            let of_cluster =
                if kind == "EaiserCluster" { "" } else { "app.kubernetes.io/managed-by=eaiser-operator" };
            let selected = ListParams::default().labels(of_cluster);
            api.delete_collection(&DeleteParams::background().grace_period(0), &selected).await.unwrap();
        }
        until("the namespace is as it was", seconds(60), async || {
            let left = Footprint::of(&self.world).await.differences(&self.blank);
            if left.is_empty() { Ok(()) } else { Err(left.join(", ")) }
        })
        .await;
    }

    /// Ends the operator and removes the namespace.
    pub async fn remove(self) {
        self.kill();
        self.world.remove().await;
    }
}

impl Run {
    /// Every write of the run, with the operator dying before and after it.
    pub fn points(&self) -> Vec<Point> {
        let sides = |(write, occurrence): &(Asked, usize)| {
            [Side::Before, Side::After].map(|side| Point {
                write: write.clone(),
                occurrence: *occurrence,
                side,
            })
        };
        self.writes.iter().flat_map(sides).collect()
    }

    /// What this run did otherwise than the reference; the end states were compared before.
    pub fn deviations(&self, reference: &Self) -> Vec<String> {
        let mut deviations = Vec::new();
        for (object, count) in differing(&self.counts, &reference.counts) {
            deviations.push(format!("{object}: {count}"));
        }
        for (workload, growth) in differing(&self.growth, &reference.growth) {
            deviations.push(format!("the specification of {workload} changed {growth} times"));
        }
        deviations
    }
}

fn differing<V: Copy + Default + PartialEq + std::fmt::Display>(
    found: &BTreeMap<String, V>,
    expected: &BTreeMap<String, V>,
) -> Vec<(String, String)> {
    let keys: std::collections::BTreeSet<_> = found.keys().chain(expected.keys()).collect();
    let value = |map: &BTreeMap<String, V>, key: &String| map.get(key).copied().unwrap_or_default();
    keys.into_iter()
        .filter(|key| value(found, key) != value(expected, key))
        .map(|key| (key.clone(), format!("{} instead of {}", value(found, key), value(expected, key))))
        .collect()
}

fn counts(calls: &[Call]) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for Call { asked, code, .. } in calls {
        let what = match (asked.verb, code) {
            (Verb::Create | Verb::Patch | Verb::Update, Some(201)) => "created",
            (Verb::Patch | Verb::Update, Some(200)) => "changed",
            (Verb::Delete, Some(200 | 202)) => "deleted",
            _ => continue,
        };
        if asked.resource != "events" && asked.subresource != "status" {
            let count: &mut usize = counts.entry(format!("{} {what}", asked.object())).or_default();
            // What a finalizer keeps for a moment may be asked to go twice; made anew it would be counted.
            *count = if what == "deleted" { 1 } else { *count + 1 };
        }
    }
    counts
}

fn writes(calls: &[Call]) -> Vec<(Asked, usize)> {
    let mut seen = BTreeMap::new();
    let writes = calls.iter().map(|call| &call.asked).filter(|asked| asked.verb.writes());
    writes
        .map(|asked| {
            let write = asked.as_write();
            let count = seen.entry(write.clone()).or_default();
            *count += 1;
            (write, *count)
        })
        .collect()
}
