//! Encryption is turned on while the API is used.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use eaiser_operator::desired::mongodb::tls::mode_of;
use eaiser_operator::mongo::authority::{Authority, Validity};
use eaiser_operator::mongo::certificate::Certificate;
use eaiser_operator::mongo::tls::Mode;
use k8s_openapi::api::core::v1::{Pod, Secret};
use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt;
use kube::api::{Patch, PatchParams};
use mongodb::bson::doc;
use mongodb::options::{ClientOptions, ServerAddress, Tls, TlsOptions};
use serde_json::json;

use crate::support::cluster::{FORMED_WITHIN, NAME, condition, example, example_with, holds, is_current};
use crate::support::until::seconds;
use crate::support::world::TESTER;
use crate::support::{Cluster, Needs, Operator, World, http, scenario, until};

/// Requests a second, of each kind.
const RATE: u64 = 10;
/// Longest time that three rolls of the members and one of the API may take on busy nodes.
const CHANGED_WITHIN: Duration = Duration::from_secs(300);

#[test]
#[ignore = "needs the lab: make test"]
fn mongodb_tls_is_turned_on_under_load_and_plain_connections_are_refused() {
    scenario(Needs::Lab, seconds(600), async |world| {
        let _operator = Operator::start(world);
        let cluster = Cluster::apply(world, example()).await;
        cluster.ready(FORMED_WITHIN).await;
        let load = Load::start(world);
        let begin = Instant::now();
        cluster.change(json!({"mongodb": {"tls": {"mode": "Require", "selfSigned": true}}})).await;
        in_mode(world, &cluster, Mode::Require).await;
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
    let before = uids(&world.pods("mongodb").await);
    cluster.change(json!({"mongodb": {"tls": {"secretName": "absent", "selfSigned": null}}})).await;
    complains(cluster, "Secret absent does not exist").await;
    assert_eq!(uids(&world.pods("mongodb").await), before, "pods were replaced");
    cluster.change(json!({"mongodb": {"tls": {"secretName": null, "selfSigned": true}}})).await;
    cluster.ready(seconds(60)).await;
    assert_eq!(uids(&world.pods("mongodb").await), before, "pods were replaced");
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
    let made = http::post_again(&items, &json!({"name": format!("item {number}"), "value": 1})).await?;
    let id = made.body["id"].as_str().ok_or_else(|| format!("{number}: POST answered {made:?}"))?;
    http::read_back(&format!("{items}/{id}")).await.map_err(|error| format!("{number}: {error}"))
}

/// Name of the user's Secret.
const OWN: &str = "own";

#[test]
#[ignore = "needs the lab: make test"]
fn mongodb_tls_from_a_secret_of_the_users_own_and_back_to_plain_connections() {
    scenario(Needs::Lab, seconds(600), async |world| {
        let _operator = Operator::start(world);
        let authority = Authority::make("own", now()).unwrap();
        let suffix = format!("{NAME}-mongodb.{}.svc.cluster.local", world.namespace);
        let issue =
            |name: String| authority.issue(&[name], Validity { from: now() - 86_400, days: 9 }).unwrap();
        write(world, &issue(format!("*.{suffix}"))).await;
        let tls = json!({"mongodb": {"tls": {"mode": "Require", "secretName": OWN}}});
        let cluster = Cluster::apply(world, example_with(tls)).await;
        cluster.ready(FORMED_WITHIN).await;
        let born = world.pods("mongodb").await;
        assert_eq!(born.iter().map(mode).collect::<Vec<_>>(), [Mode::Require; 3], "born encrypted");

        write(world, &issue(format!("{NAME}-mongodb-0.{suffix}"))).await;
        complains(&cluster, "not valid for").await;
        assert_eq!(uids(&world.pods("mongodb").await), uids(&born), "pods were replaced");

        let begin = Instant::now();
        write(world, &issue(format!("*.{suffix}"))).await;
        cluster.rolled(world, &born, CHANGED_WITHIN).await;
        println!("a renewed certificate was taken up in {:.1} s", begin.elapsed().as_secs_f32());

        let (load, begin) = (Load::start(world), Instant::now());
        cluster.change(json!({"mongodb": {"tls": {"mode": "Disabled"}}})).await;
        in_mode(world, &cluster, Mode::Disabled).await;
        let took = begin.elapsed();
        let (sent, failed) = load.finish().await;
        println!(
            "TLS from Require to Disabled in {:.1} s: {sent} requests, {} failed",
            took.as_secs_f32(),
            failed.len()
        );
        assert_eq!(failed, Vec::<String>::new());
        until("our copy of the certificate is gone", seconds(30), async || {
            match world.api::<Secret>().get_opt(&format!("{NAME}-mongodb-certificate")).await.unwrap() {
                None => Ok(()),
                Some(_) => Err("it is still there".to_owned()),
            }
        })
        .await;
        world.get::<Secret>(OWN).await;
    });
}

async fn write(world: &World, certificate: &Certificate) {
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls", "metadata": {"name": OWN},
        "stringData": {
            "tls.crt": certificate.chain, "tls.key": certificate.key.expose(), "ca.crt": certificate.authorities,
        },
    });
    let parameters = PatchParams::apply(TESTER).force();
    world.api::<Secret>().patch(OWN, &parameters, &Patch::Apply(secret)).await.unwrap();
}

async fn complains(cluster: &Cluster, words: &str) {
    until(&format!("Degraded says {words:?}"), seconds(60), async || {
        let seen = cluster.get().await;
        let degraded = condition(&seen, "Degraded").cloned();
        match degraded.filter(|degraded| degraded.status == "True" && is_current(&seen)) {
            Some(degraded) if degraded.message.contains(words) => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await;
}

async fn in_mode(world: &World, cluster: &Cluster, wanted: Mode) {
    until(
        &format!("every member is at {} and the cluster settled", wanted.as_str()),
        CHANGED_WITHIN,
        async || {
            let seen = cluster.get().await;
            let modes: Vec<_> = world.pods("mongodb").await.iter().map(mode).collect();
            let settled = is_current(&seen) && holds(&seen, "Ready") && !holds(&seen, "Progressing");
            if settled && modes.iter().all(|mode| *mode == wanted) {
                return Ok(());
            }
            Err(format!("{modes:?}: {}", seen.status.and_then(|status| status.message).unwrap_or_default()))
        },
    )
    .await;
}

fn uids(pods: &[Pod]) -> Vec<Option<String>> {
    pods.iter().map(ResourceExt::uid).collect()
}

fn now() -> u64 {
    u64::try_from(Timestamp::now().as_second()).unwrap()
}
