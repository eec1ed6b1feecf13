//! Encryption is turned on while the API is used.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use eaiser_operator::desired::mongodb::tls::mode_of;
use eaiser_operator::mongo::tls::Mode;
use k8s_openapi::api::core::v1::{Pod, Secret};
use kube::ResourceExt;
use mongodb::bson::doc;
use mongodb::options::{ClientOptions, ServerAddress, Tls, TlsOptions};
use serde_json::json;

use crate::support::cluster::{FORMED_WITHIN, NAME, condition, example, holds, is_current};
use crate::support::until::seconds;
use crate::support::{Cluster, Needs, Operator, World, http, scenario, until};

/// Requests a second, of each kind.
const RATE: u64 = 10;
/// Longest time that three rolls of the members and one of the API may take on busy nodes.
const CHANGED_WITHIN: Duration = Duration::from_secs(300);

#[test]
#[ignore = "needs the lab: make e2e-mongo"]
fn mongodb_tls_is_turned_on_under_load_and_plain_connections_are_refused() {
    scenario(Needs::Lab, seconds(600), async |world| {
        let _operator = Operator::start(world);
        let cluster = Cluster::apply(world, example()).await;
        cluster.ready(FORMED_WITHIN).await;
        let load = Load::start(world);
        let begin = Instant::now();
        cluster.change(json!({"mongodb": {"tls": {"mode": "Require", "selfSigned": true}}})).await;
        until("every member requires TLS and the cluster is settled", CHANGED_WITHIN, async || {
            let seen = cluster.get().await;
            let modes: Vec<_> = world.pods("mongodb").await.iter().map(mode).collect();
            let settled = is_current(&seen) && holds(&seen, "Ready") && !holds(&seen, "Progressing");
            if settled && modes.iter().all(|mode| *mode == Mode::Require) {
                return Ok(());
            }
            Err(format!("{modes:?}: {}", seen.status.and_then(|status| status.message).unwrap_or_default()))
        })
        .await;
        let took = begin.elapsed();
        let (sent, failed) = load.finish().await;
        println!(
            "TLS from Disabled to Require in {:.1} s: {sent} requests, {} failed",
            took.as_secs_f32(),
            failed.len()
        );
        assert_eq!(failed, Vec::<String>::new());

        let authorities = authorities(world).await;
        for pod in world.pods("mongodb").await {
            let name = pod.name_any();
            assert!(greets(world, &pod, None).await.is_err(), "{name} took a plain connection");
            greets(world, &pod, Some(&authorities)).await.unwrap_or_else(|error| panic!("{name}: {error}"));
        }
        a_secret_that_is_missing_changes_nothing(world, &cluster).await;
    });
}

async fn a_secret_that_is_missing_changes_nothing(world: &World, cluster: &Cluster) {
    let uids = async || -> Vec<_> { world.pods("mongodb").await.iter().map(ResourceExt::uid).collect() };
    let before = uids().await;
    cluster.change(json!({"mongodb": {"tls": {"secretName": "absent", "selfSigned": null}}})).await;
    until("the condition names the Secret", seconds(30), async || {
        let seen = cluster.get().await;
        let degraded = condition(&seen, "Degraded").cloned();
        match degraded.filter(|degraded| degraded.status == "True" && is_current(&seen)) {
            Some(degraded) if degraded.message.contains("Secret absent does not exist") => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await;
    assert_eq!(uids().await, before, "pods were replaced");
    cluster.change(json!({"mongodb": {"tls": {"secretName": null, "selfSigned": true}}})).await;
    cluster.ready(seconds(60)).await;
    assert_eq!(uids().await, before, "pods were replaced");
}

fn mode(pod: &Pod) -> Mode {
    mode_of(pod.spec.as_ref().unwrap())
}

async fn authorities(world: &World) -> std::path::PathBuf {
    let secret: Secret = world.get(&format!("{NAME}-mongodb-certificate")).await;
    let path = world.directory.join("ca.crt");
    std::fs::write(&path, &secret.data.unwrap()["ca.crt"].0).unwrap();
    path
}

/// Whether a member answers over a connection of this kind.
async fn greets(world: &World, pod: &Pod, authorities: Option<&std::path::PathBuf>) -> Result<(), String> {
    let host = format!("{}.{NAME}-mongodb.{}.svc.cluster.local", pod.name_any(), world.namespace);
    let tls = authorities.map(|path| Tls::Enabled(TlsOptions::builder().ca_file_path(path.clone()).build()));
    let options = ClientOptions::builder()
        .hosts(vec![ServerAddress::Tcp { host, port: Some(27017) }])
        .direct_connection(true)
        .tls(tls)
        .connect_timeout(Duration::from_secs(2))
        .server_selection_timeout(Duration::from_secs(4))
        .build();
    let client = mongodb::Client::with_options(options).map_err(|error| error.to_string())?;
    let answer = client.database("admin").run_command(doc! { "hello": 1 }).await;
    answer.map(drop).map_err(|error| error.to_string())
}

/// Reads and writes through the gateway all the while; each of them reaches MongoDB.
struct Load {
    stop: Arc<AtomicBool>,
    task: tokio::task::JoinHandle<(usize, Vec<String>)>,
}

impl Load {
    fn start(world: &World) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (items, stopped) = (http::gateway(world, "/items"), Arc::clone(&stop));
        let task = tokio::spawn(async move {
            let mut tick = tokio::time::interval(Duration::from_secs(1) / u32::try_from(RATE).unwrap());
            let mut requests = Vec::new();
            while !stopped.load(Ordering::Relaxed) {
                tick.tick().await;
                requests.push(tokio::spawn(write_and_read(items.clone(), requests.len())));
            }
            let mut failed = Vec::new();
            let sent = requests.len();
            for request in requests {
                failed.extend(request.await.unwrap().err());
            }
            (sent, failed)
        });
        Self { stop, task }
    }

    async fn finish(self) -> (usize, Vec<String>) {
        self.stop.store(true, Ordering::Relaxed);
        self.task.await.unwrap()
    }
}

/// What was acknowledged is there.
async fn write_and_read(items: String, number: usize) -> Result<(), String> {
    let made = http::post(&items, &json!({"name": format!("item {number}"), "value": 1})).await?;
    let id = made.body["id"].as_str().ok_or_else(|| format!("{number}: POST answered {made:?}"))?;
    let read = http::get(&format!("{items}/{id}")).await?;
    if read.status == 200 { Ok(()) } else { Err(format!("{number}: GET answered {read:?}")) }
}
