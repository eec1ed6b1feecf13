//! What a person asks for: more members, fewer, another image.

use std::time::Duration;

use serde_json::json;

use super::PLANNED;
use super::set::Set;
use crate::support::{lab, operator};

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

/// Rolls every pod: to another image, back again, and for other resources. Each roll makes the primary
/// hand over.
pub async fn roll_images(set: &Set<'_>) {
    let image = operator::mongodb_image();
    let again = format!("{image}-again");
    lab::output(&["image", "tag", image, &again]);
    roll(set, "roll to another image", json!({"image": again})).await;
    roll(set, "roll back to the first image", json!({"image": null})).await;
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
