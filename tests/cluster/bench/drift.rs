//! How soon a child that somebody else changed or deleted is as it should be again.

use std::time::Duration;

use k8s_openapi::jiff::Timestamp;
use kube::api::{Api, DeleteParams, DynamicObject, Patch, PatchParams};
use serde_json::{Value, json};

use super::fleet::{self, ADMINISTRATOR, Fleet};
use super::numbers::{percentile, summary};
use super::report::{Figure, Measured};
use crate::support::audit::{Audit, Call};

/// Pause between two edits.
const PAUSE: Duration = Duration::from_millis(100);
/// What the operator gets to repair the last of them.
const LAST: Duration = Duration::from_secs(10);

/// Edits that many children, one after another: every second one is deleted.
pub async fn repairs(fleet: &Fleet<'_>, count: usize) -> Measured {
    let audit = Audit::begin();
    let mut edited = Vec::new();
    let objects = (0..).flat_map(|number| fleet::rendered(fleet.world, &format!("burst-{number}")).objects());
    // Seven is prime to the number of kinds' objects, so every kind has its turn.
    for (number, object) in objects.step_by(7).take(count).enumerate() {
        edited.push(edit(fleet, &object, number % 2 == 1).await);
        tokio::time::sleep(PAUSE).await;
    }
    tokio::time::sleep(LAST).await;
    let (own, repairs) = (audit.calls(ADMINISTRATOR), audit.calls(&fleet.user));
    let milliseconds: Vec<Option<f64>> =
        edited.iter().map(|object| repaired(object, &own, &repairs)).collect();
    let done: Vec<f64> = milliseconds.iter().copied().flatten().collect();
    let figures = vec![
        Figure::with_goal("repaired", format!("{} of {count}", done.len()), "all"),
        Figure::plain("edit → repaired, p50", format!("{:.0} ms", percentile(&done, 0.5))),
        Figure::with_goal("edit → repaired, p99", format!("{:.0} ms", percentile(&done, 0.99)), "≤ 1000 ms"),
    ];
    (figures, json!({"unit": "milliseconds", "repairs": summary(&done), "edits": count}))
}

/// Deletes the object, or overwrites a label that the operator owns.
async fn edit(fleet: &Fleet<'_>, object: &Value, delete: bool) -> String {
    let resource = fleet::resource(object);
    let name = object["metadata"]["name"].as_str().unwrap();
    let api: Api<DynamicObject> =
        Api::namespaced_with(fleet.world.client.clone(), &fleet.world.namespace, &resource);
    if delete {
        api.delete(name, &DeleteParams::background()).await.unwrap();
    } else {
        let patch = json!({"metadata": {"labels": {"app.kubernetes.io/name": "somebody-else"}}});
        api.patch(name, &PatchParams::default(), &Patch::Merge(patch)).await.unwrap();
    }
    format!("{}/{name}", resource.plural)
}

/// Milliseconds between the edit's answer and the answer to the operator's next write of the object.
fn repaired(object: &str, own: &[Call], repairs: &[Call]) -> Option<f64> {
    let at = |calls: &[Call], after: Option<Timestamp>| {
        let of_object = calls.iter().filter(|call| call.object == object && call.writes() && call.code < 300);
        of_object.map(|call| call.answered).filter(|time| after.is_none_or(|after| *time > after)).min()
    };
    let edited = at(own, None)?;
    let mended = at(repairs, Some(edited))?;
    Some(mended.duration_since(edited).as_secs_f64() * 1000.0)
}
