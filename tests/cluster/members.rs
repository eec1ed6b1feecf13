//! Members of the replica set come and go through the spec.

use serde_json::json;

use crate::support::cluster::FORMED_WITHIN;
use crate::support::until::seconds;
use crate::support::{Cluster, Kept, Needs, Operator, databases, example, scenario};

#[test]
#[ignore = "needs a cluster: make test"]
fn members_grow_to_five_and_shrink_to_three_with_the_data() {
    scenario(Needs::Lab, seconds(500), async |world| {
        let _operator = Operator::start(world);
        let cluster = Cluster::apply(world, example()).await;
        cluster.ready(FORMED_WITHIN).await;
        let item = Kept::item(world).await;
        for members in [5, 3] {
            cluster.change(json!({"mongodb": {"members": members}})).await;
            let object = cluster.ready(FORMED_WITHIN).await;
            let snapshot = databases::observe(world, &object).await;
            databases::assert_one_replica_set(&snapshot, members);
        }
        item.is_still_there(world).await;
    });
}
