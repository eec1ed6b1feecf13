//! What a person asks for: more members, fewer, another image.

use std::time::Duration;

use serde_json::json;

use super::disasters::kill_process;
use super::set::Set;
use super::{LOST, PLANNED};
use crate::support::{lab, operator};

/// Between two primaries that are killed in the middle of a change: each finds it at another point.
const APART: Duration = Duration::from_secs(7);

/// Changes the number of members, once after the other.
pub async fn scale(set: &Set<'_>, counts: &[usize]) {
    let mut before = set.cluster.get().await.spec.mongodb.members.to_string();
    for members in counts {
        let name = format!("scale {before} to {members}");
        set.phase(&name, Some(PLANNED), async || {
            set.cluster.change(json!({"mongodb": {"members": members}})).await;
        })
        .await;
        before = members.to_string();
    }
}

/// Changes the number of members, and rolls them, while one primary after the other is killed.
pub async fn change_while_primaries_die(set: &Set<'_>) {
    for (name, mongodb) in [
        ("primaries die during scale 3 to 5", json!({"members": 5})),
        ("primaries die during scale 5 to 3", json!({"members": 3})),
        ("primaries die during a roll", json!({"resources": {"requests": {"cpu": "120m"}}})),
    ] {
        set.phase(name, Some(LOST), async || {
            let before = set.pods().await;
            let rolls = mongodb.get("resources").is_some();
            set.cluster.change(json!({"mongodb": mongodb})).await;
            for _ in 0..2 {
                // A roll may take it away at the same moment; then it is lost all the same.
                kill_process(set, &set.primary().await);
                tokio::time::sleep(APART).await;
            }
            if rolls {
                set.replaced(&before).await;
            }
        })
        .await;
    }
}

/// Rolls every pod: to another image, back again, and for other resources. Each roll makes the primary
/// hand over.
pub async fn roll_images(set: &Set<'_>) {
    let image = operator::mongodb_image();
    let again = format!("{image}-again");
    lab::output(&["image", "tag", image, &again]);
    roll(set, "roll to another image", json!({"image": again})).await;
    roll(set, "roll to the first image again", json!({"image": null})).await;
    roll(set, "roll to other resources", json!({"resources": {"requests": {"cpu": "110m"}}})).await;
}

async fn roll(set: &Set<'_>, name: &str, mongodb: serde_json::Value) -> Duration {
    set.phase(name, Some(PLANNED), async || {
        let before = set.pods().await;
        set.cluster.change(json!({"mongodb": mongodb})).await;
        set.replaced(&before).await;
    })
    .await
}
