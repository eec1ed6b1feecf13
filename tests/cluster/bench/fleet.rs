//! Many clusters in one namespace, and the operator that looks after them.

use std::time::{Duration, Instant};

use eaiser_operator::crd::EaiserCluster;
use eaiser_operator::desired::{self, Desired};
use eaiser_operator::names::Identity;
use eaiser_operator::plan;
use eaiser_operator::settings::Settings;
use eaiser_operator::snapshot::{ServedKinds, Snapshot};
use futures::{StreamExt, stream};
use kube::api::{Api, DeleteParams, DynamicObject, ListParams, PostParams};
use serde_json::{Value, json};

use crate::support::audit::{Audit, Call};
use crate::support::until::seconds;
use crate::support::{Operator, World, example, operator, until};

/// Name that the audit log knows the measuring process by.
pub const ADMINISTRATOR: &str = "admin";
/// Connections that create or change the clusters themselves.
const CREATORS: usize = 8;

/// The clusters' namespace and operator.
pub struct Fleet<'a> {
    /// Where it lives.
    pub world: &'a World,
    /// The process that is measured.
    pub operator: Operator,
    /// Name that the audit log knows it by.
    pub user: String,
    /// Children of one cluster.
    pub children: usize,
}

impl<'a> Fleet<'a> {
    /// Starts the operator on an empty namespace.
    pub async fn start(world: &'a World) -> Self {
        let operator = Operator::start(world);
        watching(world, 1).await;
        let children = rendered(world, "one").objects().len();
        Self { world, operator, user: operator::user(world), children }
    }

    /// The clusters' kind.
    pub fn api(&self) -> Api<EaiserCluster> {
        self.world.api()
    }

    /// Creates clusters of these names at once and waits until all their children exist. Returns the
    /// seconds from the first request to the last child, by the server's own log.
    pub async fn create(&self, names: &[String]) -> f64 {
        let audit = Audit::begin();
        let api = self.api();
        let create = |name: String| {
            let api = api.clone();
            async move { api.create(&PostParams::default(), &cluster(&name)).await.map(drop) }
        };
        stream::iter(names.to_vec())
            .map(create)
            .buffer_unordered(CREATORS)
            .for_each(|result| async { result.unwrap() })
            .await;
        let wanted = names.len() * self.children;
        let calls = self.created(&audit, wanted).await;
        let own = audit.calls(ADMINISTRATOR);
        let first =
            own.iter().filter(|call| call.object.starts_with("eaiserclusters/")).map(|call| call.answered);
        let first = first.min().unwrap();
        let last = calls.iter().map(|call| call.answered).max().unwrap();
        last.duration_since(first).as_secs_f64()
    }

    /// Waits until the operator has created that many objects since `audit` began. Looks seldom and
    /// without parsing: the log is long, and the server shares this machine.
    async fn created(&self, audit: &Audit, wanted: usize) -> Vec<Call> {
        let begin = Instant::now();
        loop {
            let roughly = audit.count(&[&self.user, "\"code\":201"]);
            if roughly >= wanted {
                let calls: Vec<Call> = audit
                    .calls(&self.user)
                    .into_iter()
                    .filter(|call| call.code == 201 && call.is_child())
                    .collect();
                if calls.len() >= wanted {
                    return calls;
                }
            }
            assert!(begin.elapsed() < seconds(300), "{roughly} of {wanted} children exist after 300 s");
            tokio::time::sleep(Duration::from_millis(if wanted < 100 { 100 } else { 1000 })).await;
        }
    }

    /// Adds clusters until there are `wanted`.
    pub async fn grow_to(&self, wanted: usize) {
        let there = self.api().list(&ListParams::default()).await.unwrap().items.len();
        let names: Vec<String> = (there..wanted).map(|number| format!("fleet-{number}")).collect();
        if !names.is_empty() {
            self.create(&names).await;
        }
    }

    /// Lets the operator finish what follows a creation, such as the status.
    pub async fn calm_for_a_moment(&self) {
        tokio::time::sleep(Duration::from_millis(500)).await;
    }

    /// Waits until the operator sends nothing for a while.
    pub async fn calm(&self) {
        let begin = Instant::now();
        loop {
            let audit = Audit::begin();
            tokio::time::sleep(Duration::from_secs(5)).await;
            let calls = audit.calls(&self.user).into_iter().filter(|call| !call.watches()).count();
            if calls == 0 {
                return;
            }
            assert!(
                begin.elapsed() < seconds(180),
                "the operator does not come to rest: {calls} calls in 5 s"
            );
        }
    }

    /// The same fleet under a new operator process.
    pub async fn restarted(self) -> Self {
        let Self { world, operator, user, children } = self;
        let starts = operator::log(world).matches("watching EaiserClusters").count();
        operator.kill();
        let operator = Operator::start(world);
        watching(world, starts + 1).await;
        Self { world, operator, user, children }
    }

    /// Removes clusters and children without waiting for the garbage collector, which does not run.
    pub async fn remove(self) {
        drop(self.operator);
        let (all, now) = (ListParams::default(), DeleteParams::background().grace_period(0));
        self.world.api::<EaiserCluster>().delete_collection(&now, &all).await.unwrap();
        for resource in kinds(&rendered(self.world, "one")) {
            let api: Api<DynamicObject> =
                Api::namespaced_with(self.world.client.clone(), &self.world.namespace, &resource);
            api.delete_collection(&now, &all).await.unwrap();
        }
    }
}

async fn watching(world: &World, times: usize) {
    until("the operator watches", seconds(60), async || {
        let log = operator::log(world);
        if log.matches("watching EaiserClusters").count() >= times { Ok(()) } else { Err(log) }
    })
    .await;
}

/// The example under another name.
pub fn cluster(name: &str) -> EaiserCluster {
    let mut manifest = example();
    manifest["metadata"]["name"] = json!(name);
    serde_json::from_value(manifest).unwrap()
}

/// What the operator would render for it.
pub fn rendered(world: &World, name: &str) -> Desired {
    let identity = Identity {
        namespace: world.namespace.clone(),
        name: name.to_owned(),
        uid: "00000000-0000-0000-0000-000000000000".to_owned(),
    };
    let plan = plan::plan(identity, &cluster(name).spec, &Settings::default()).unwrap();
    desired::build(&plan, &Snapshot::offline(ServedKinds::default()))
}

/// The kinds among them, each once.
pub fn kinds(desired: &Desired) -> Vec<kube::api::ApiResource> {
    let mut all: Vec<_> = desired.objects().iter().map(resource).collect();
    all.sort_by(|one, other| one.plural.cmp(&other.plural));
    all.dedup_by(|one, other| one.plural == other.plural);
    all
}

/// The kind of a rendered object.
pub fn resource(object: &Value) -> kube::api::ApiResource {
    let text = |key: &str| object[key].as_str().unwrap().to_owned();
    let (version, kind) = (text("apiVersion"), text("kind"));
    let (group, version) = version.split_once('/').unwrap_or(("", &version));
    kube::api::ApiResource::from_gvk(&kube::api::GroupVersionKind::gvk(group, version, &kind))
}
