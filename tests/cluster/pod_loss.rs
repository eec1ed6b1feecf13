//! Losing an API pod under load.

use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use kube::api::DeleteParams;

use crate::support::cluster::FORMED_WITHIN;
use crate::support::http::Tally;
use crate::support::until::seconds;
use crate::support::{Cluster, Kept, Needs, Operator, World, example, http, lab, scenario};

/// GETs a second, small enough for two busy cores.
const RATE: u32 = 50;

#[test]
#[ignore = "needs a cluster: make test"]
fn an_api_pod_that_vanishes_or_dies_fails_no_get() {
    scenario(Needs::Lab, seconds(400), async |world| {
        let _operator = Operator::start(world);
        let cluster = Cluster::apply(world, example()).await;
        cluster.ready(FORMED_WITHIN).await;
        let url = Kept::item(world).await.url(world);

        let deleted = under_load(world, &url, async |pod| {
            let now = DeleteParams::default().grace_period(0);
            world.api::<Pod>().delete(pod, &now).await.unwrap();
        });
        report("force-deleted", &deleted.await);
        cluster.ready(FORMED_WITHIN).await;

        let killed = under_load(world, &url, async |pod| {
            lab::output(&["pod", "signal", &world.namespace, pod, "api", "SIGKILL"]);
        });
        report("killed", &killed.await);
        cluster.ready(FORMED_WITHIN).await;
    });
}

/// 20 s of load; after 5 s one API pod is lost.
async fn under_load(world: &World, url: &str, lose: impl AsyncFnOnce(&str)) -> Tally {
    let load = tokio::spawn({
        let url = url.to_owned();
        async move { http::load(&url, RATE, seconds(20)).await }
    });
    tokio::time::sleep(seconds(5)).await;
    let pods = world.pods("api").await;
    lose(&pods[0].name_any()).await;
    load.await.unwrap()
}

fn report(what: &str, tally: &Tally) {
    println!("API pod {what}: {} GETs at {RATE}/s, {} failed", tally.sent, tally.failed.len());
    assert_eq!(tally.failed, Vec::<String>::new(), "GETs failed while an API pod was {what}");
}
