//! Step 4 of a pass: server-side apply of what differs, deletion of strays.
//!
//! An object is sent only when what we rendered changed or a field we own drifted. Objects of our
//! names that belong to somebody else are never touched; they are reported.

mod caution;
pub mod child;
mod deferral;
pub mod difference;
pub mod drift;
pub mod immutable;
pub mod memory;
mod ports;
pub mod preview;
mod write;

#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicBool, Ordering};

use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream;
use kube::Client;

use crate::desired::Desired;
use crate::names::Identity;
use crate::snapshot::Children;

pub use child::{Child, Live};
pub use memory::Memory;
pub use write::Error;

/// Requests in flight at a time for one cluster: the API server answers about 8 connections at
/// full speed before they wait for each other.
const CONCURRENT_WRITES: usize = 8;

/// What a pass did to the children, and what it could not touch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// Objects created, as `Kind/name`.
    pub created: Vec<String>,
    /// Objects changed.
    pub changed: Vec<String>,
    /// Objects deleted.
    pub deleted: Vec<String>,
    /// Objects written by an earlier pass whose watch has not shown them yet.
    pub on_their_way: Vec<String>,
    /// Objects that bear our name but are not ours; untouched.
    pub foreign: Vec<String>,
    /// Objects of an earlier cluster of this name which are still being deleted.
    pub leftover: Vec<String>,
    /// Objects deleted to be made anew, each with the field that cannot be changed in place.
    pub recreated: Vec<String>,
    /// Objects with a field that cannot be changed and that are not made anew: object and field.
    pub immutable: Vec<(String, &'static str)>,
}

impl Applied {
    /// An object that was written and not looked at since, so that nothing is known of its effect.
    pub fn unseen(&self) -> Option<&str> {
        let mut written =
            self.created.iter().chain(&self.changed).chain(&self.on_their_way).chain(&self.recreated);
        written.next().map(String::as_str)
    }
}

/// What happened to one object.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Change {
    Created(String),
    Changed(String),
    Deleted(String),
    OnItsWay(String),
    Foreign(String),
    Leftover(String),
    Recreated(String),
    Immutable(String, &'static str),
    None,
}

/// Brings the live objects to what is desired.
///
/// # Errors
/// The first request that failed; the others of its wave were still sent, unless the server itself
/// failed.
pub async fn apply(
    client: &Client,
    identity: &Identity,
    desired: Desired,
    live: &Children,
    memory: &Memory,
) -> Result<Applied, Error> {
    let applied = apply_all(client, identity, desired, live, memory).await;
    memory.caution.passed(applied.as_ref().is_err_and(Error::is_of_the_server));
    applied
}

async fn apply_all(
    client: &Client,
    identity: &Identity,
    desired: Desired,
    live: &Children,
    memory: &Memory,
) -> Result<Applied, Error> {
    let mut applied = Applied::default();
    let troubles = memory.caution.passes_in_trouble();
    let [first, second] = waves(desired, live);
    let strays = strays(identity, &first, &second, live);
    for wave in [first, second] {
        let writes: Vec<BoxFuture<'_, Result<Change, Error>>> = wave
            .into_iter()
            .map(|child| -> BoxFuture<'_, _> { Box::pin(write::bring(client, identity, child, memory)) })
            .collect();
        run(writes, troubles, &mut applied).await?;
    }
    let deletions = strays
        .into_iter()
        .map(|stray| -> BoxFuture<'_, _> { Box::pin(write::delete(client, identity, stray)) })
        .collect();
    run(deletions, troubles, &mut applied).await?;
    Ok(applied)
}

/// Sends what is to be sent, until the server fails. After passes in trouble it is asked by one
/// request at a time, each time by another first, so that one bad object does not hide the others.
async fn run(
    mut writes: Vec<BoxFuture<'_, Result<Change, Error>>>,
    troubles: usize,
    applied: &mut Applied,
) -> Result<(), Error> {
    let first = troubles % writes.len().max(1);
    writes.rotate_left(first);
    let concurrent = if troubles == 0 { CONCURRENT_WRITES } else { 1 };
    let failed = AtomicBool::new(false);
    let guarded: Vec<_> = writes.into_iter().map(|write| unless_failed(write, &failed)).collect();
    let results: Vec<_> = stream::iter(guarded).buffered(concurrent).collect().await;
    for result in results {
        match result? {
            Change::Created(name) => applied.created.push(name),
            Change::Changed(name) => applied.changed.push(name),
            Change::Deleted(name) => applied.deleted.push(name),
            Change::OnItsWay(name) => applied.on_their_way.push(name),
            Change::Foreign(name) => applied.foreign.push(name),
            Change::Leftover(name) => applied.leftover.push(name),
            Change::Recreated(sentence) => applied.recreated.push(sentence),
            Change::Immutable(name, field) => applied.immutable.push((name, field)),
            Change::None => {}
        }
    }
    Ok(())
}

/// Sends a write unless the server has failed meanwhile, and tells the others if it does.
fn unless_failed<'a>(
    write: BoxFuture<'a, Result<Change, Error>>,
    failed: &'a AtomicBool,
) -> BoxFuture<'a, Result<Change, Error>> {
    Box::pin(async move {
        if failed.load(Ordering::Relaxed) {
            return Ok(Change::None);
        }
        let result = write.await;
        if result.as_ref().is_err_and(Error::is_of_the_server) {
            failed.store(true, Ordering::Relaxed);
        }
        result
    })
}

/// What pods mount or are addressed by comes first; then the workloads and what watches them. The
/// destructuring makes a new kind fail to compile until it is applied.
fn waves(desired: Desired, live: &Children) -> [Vec<Child>; 2] {
    let Desired {
        secrets,
        service_accounts,
        config_maps,
        services,
        network_policies,
        disruption_budgets,
        stateful_sets,
        deployments,
        autoscalers,
        prometheus_rules,
        service_monitors,
    } = desired;
    let mut first = Vec::new();
    first.extend(secrets.iter().map(|object| Child::new(object, &live.secrets)));
    first.extend(service_accounts.iter().map(|object| Child::new(object, &live.service_accounts)));
    first.extend(config_maps.iter().map(|object| Child::new(object, &live.config_maps)));
    first.extend(services.iter().map(|object| Child::new(object, &live.services)));
    first.extend(network_policies.iter().map(|object| Child::new(object, &live.network_policies)));
    first.extend(disruption_budgets.iter().map(|object| Child::new(object, &live.disruption_budgets)));
    let mut second = Vec::new();
    second.extend(stateful_sets.iter().map(|object| Child::new(object, &live.stateful_sets)));
    second.extend(deployments.iter().map(|object| Child::new(object, &live.deployments)));
    second.extend(autoscalers.iter().map(|object| Child::new(object, &live.autoscalers)));
    second.extend(prometheus_rules.iter().map(|object| Child::new(object, &live.prometheus_rules)));
    second.extend(service_monitors.iter().map(|object| Child::new(object, &live.service_monitors)));
    [first, second]
}

/// Live objects this cluster owns and no longer wants. Pods and volumes are not ours to prune.
fn strays(identity: &Identity, first: &[Child], second: &[Child], live: &Children) -> Vec<Live> {
    let mut all = Vec::new();
    all.extend(live.secrets.iter().map(Live::of));
    all.extend(live.service_accounts.iter().map(Live::of));
    all.extend(live.config_maps.iter().map(Live::of));
    all.extend(live.services.iter().map(Live::of));
    all.extend(live.network_policies.iter().map(Live::of));
    all.extend(live.disruption_budgets.iter().map(Live::of));
    all.extend(live.stateful_sets.iter().map(Live::of));
    all.extend(live.deployments.iter().map(Live::of));
    all.extend(live.autoscalers.iter().map(Live::of));
    all.extend(live.prometheus_rules.iter().map(Live::of));
    all.extend(live.service_monitors.iter().map(Live::of));
    let wanted = |stray: &Live| {
        first
            .iter()
            .chain(second)
            .any(|child| child.resource.kind == stray.resource.kind && child.name == stray.name)
    };
    all.retain(|stray| stray.is_owned_by(identity) && !stray.deleting && !wanted(stray));
    all
}
