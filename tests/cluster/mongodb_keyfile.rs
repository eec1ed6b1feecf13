//! The key that members trust each other by is replaced while somebody writes.

use std::time::{Duration, Instant};

use eaiser_operator::mongo::keyfile;
use eaiser_operator::names::ANNOTATION_ROTATE_KEYFILE;
use eaiser_operator::password::Password;
use k8s_openapi::api::core::v1::{Pod, Secret};
use kube::ResourceExt;
use mongodb::bson::doc;
use mongodb::options::{ClientOptions, Credential, ServerAddress};
use serde_json::json;

use crate::support::cluster::{FORMED_WITHIN, NAME, ROLLED_WITHIN, example};
use crate::support::until::seconds;
use crate::support::{Cluster, Needs, Operator, World, Writer, scenario, until};

/// Name of the keyfile's Secret.
const KEYFILE: &str = "eaiser-mongodb-keyfile";

#[test]
#[ignore = "needs the lab: make test"]
fn mongodb_keyfile_rotates_under_a_writer_and_a_killed_operator() {
    scenario(Needs::Lab, seconds(500), async |world| {
        let operator = Operator::start(world);
        let cluster = Cluster::apply(world, example()).await;
        cluster.ready(FORMED_WITHIN).await;
        let (old, before) = (keys(world).await, world.pods("mongodb").await);
        let writer = Writer::start(world).await;
        let begin = Instant::now();

        cluster.annotate(ANNOTATION_ROTATE_KEYFILE, "monday").await;
        until("the Secret holds both keys", seconds(60), async || match keys(world).await {
            both if both.len() == 2 && both[0] == old[0] => Ok(()),
            other => Err(format!("{} keys", other.len())),
        })
        .await;
        operator.kill();
        let _operator = Operator::start(world);
        let new = until("the old key is gone", ROLLED_WITHIN, async || match keys(world).await {
            one if one.len() == 1 && one != old => Ok(one),
            other => Err(format!("{} keys", other.len())),
        })
        .await;
        cluster.rolled(world, &before, ROLLED_WITHIN).await;
        settled_with(world, &new[0]).await;
        let (spent, gap, gaps) = (begin.elapsed(), writer.longest_gap(begin), writer.notable_gaps(begin));
        let verdict = writer.finish().await;
        println!(
            "keyfile rotated in {:.1} s: {} of {} writes acknowledged, {} of them lost, {} found that were not; longest time without one {:.2} s after {:.1} s; {gaps:?}",
            spent.as_secs_f32(),
            verdict.acknowledged,
            verdict.attempts,
            verdict.lost.len(),
            verdict.unannounced,
            gap.length.as_secs_f32(),
            gap.begin.saturating_duration_since(begin).as_secs_f32()
        );
        assert!(verdict.lost.is_empty(), "acknowledged and lost: {:?}", verdict.lost);
        for pod in world.pods("mongodb").await {
            let refusal = login(&pod, &old[0]).await.unwrap_err();
            assert!(refusal.contains("Authentication"), "{}: {refusal}", pod.name_any());
        }
        the_same_request_does_nothing(world, &cluster).await;
    });
}

/// A pipeline applies the same manifest again and again.
async fn the_same_request_does_nothing(world: &World, cluster: &Cluster) {
    let uids = async || -> Vec<_> { world.pods("mongodb").await.iter().map(ResourceExt::uid).collect() };
    let (pods, version) = (uids().await, world.get::<Secret>(KEYFILE).await.resource_version());
    cluster.annotate(ANNOTATION_ROTATE_KEYFILE, "monday").await;
    cluster.touch(1).await;
    tokio::time::sleep(seconds(8)).await;
    assert_eq!(world.get::<Secret>(KEYFILE).await.resource_version(), version, "the Secret was written");
    assert_eq!(uids().await, pods, "pods were replaced");
}

/// Waits until every member accepts the key and runs with the newest template.
async fn settled_with(world: &World, key: &Password) {
    until("every member takes the new key", seconds(120), async || {
        for pod in world.pods("mongodb").await {
            login(&pod, key).await.map_err(|error| format!("{}: {error}", pod.name_any()))?;
        }
        Ok(())
    })
    .await;
}

async fn keys(world: &World) -> Vec<Password> {
    let secret: Secret = world.get(&format!("{NAME}-mongodb-keyfile")).await;
    let text = String::from_utf8(secret.data.unwrap()["keyfile"].0.clone()).unwrap();
    keyfile::keys(&Password::new(text))
}

/// Logs in to one member as its peers do.
async fn login(pod: &Pod, key: &Password) -> Result<(), String> {
    let ip = pod.status.as_ref().and_then(|status| status.pod_ip.clone()).ok_or("it has no address")?;
    let user = Credential::builder()
        .username("__system".to_owned())
        .source("local".to_owned())
        .password(key.expose().to_owned())
        .build();
    let options = ClientOptions::builder()
        .hosts(vec![ServerAddress::Tcp { host: ip, port: Some(27017) }])
        .direct_connection(true)
        .credential(user)
        .server_selection_timeout(Duration::from_secs(5))
        .build();
    let client = mongodb::Client::with_options(options).map_err(|error| error.to_string())?;
    let answer = client.database("admin").run_command(doc! { "replSetGetStatus": 1 }).await;
    answer.map(drop).map_err(|error| error.to_string())
}

#[test]
#[ignore = "needs the lab: make test"]
fn mongodb_keyfile_asked_for_at_birth_restarts_nothing() {
    scenario(Needs::Lab, seconds(300), async |world| {
        let _operator = Operator::start(world);
        let mut manifest = example();
        manifest["metadata"]["annotations"] = json!({ANNOTATION_ROTATE_KEYFILE: "monday"});
        let cluster = Cluster::apply(world, manifest).await;
        cluster.ready(FORMED_WITHIN).await;
        let generation = |pod: &Pod| pod.labels().get("controller-revision-hash").cloned();
        let revisions: Vec<_> = world.pods("mongodb").await.iter().map(generation).collect();
        assert!(revisions.windows(2).all(|pair| pair[0] == pair[1]), "{revisions:?}");
        assert_eq!(keys(world).await.len(), 1);
    });
}
