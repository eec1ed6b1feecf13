//! A settled cluster costs the API server nothing.

use crate::support::audit::{Audit, Call};
use crate::support::cluster::{FORMED_WITHIN, settled_seconds};
use crate::support::until::seconds;
use crate::support::{Cluster, Needs, Operator, example, operator, scenario};

#[test]
#[ignore = "needs a cluster: make test"]
fn a_settled_cluster_causes_no_request_and_a_restart_no_write() {
    scenario(Needs::Lab, seconds(340 + settled_seconds()), async |world| {
        let operator = Operator::start(world);
        let cluster = Cluster::apply(world, example()).await;
        cluster.ready(FORMED_WITHIN).await;
        // The autoscaler's first verdicts about missing metrics still change the status.
        tokio::time::sleep(seconds(40)).await;
        let audit = Audit::begin();
        tokio::time::sleep(seconds(settled_seconds())).await;
        let user = operator::user(world);
        let calls: Vec<_> = audit.calls(&user).into_iter().filter(|call| !call.watches()).collect();
        assert!(calls.is_empty(), "settled, and yet: {calls:?}");
        println!("1 cluster, {} s settled: 0 writes, 0 reads", settled_seconds());

        operator.kill();
        let restart = Audit::begin();
        let _successor = Operator::start(world);
        tokio::time::sleep(seconds(25)).await;
        let writes: Vec<_> = restart.calls(&user).into_iter().filter(Call::writes).collect();
        assert!(writes.is_empty(), "a restart changed something: {writes:?}");
    });
}
