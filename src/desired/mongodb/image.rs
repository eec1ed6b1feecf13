//! The image the members run: the planned one, unless its version may not follow what runs. Pure.

use k8s_openapi::api::core::v1::PodSpec;

use crate::mongo::version::{Held, Running, Version, may_follow};
use crate::names::Tier;
use crate::plan::Plan;
use crate::snapshot::Snapshot;
use crate::snapshot::children::find;

/// Name of the container whose image counts.
const CONTAINER: &str = "mongodb";

/// The image to render, and why it is not the planned one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// Image of the members.
    pub image: String,
    /// Why the members keep the image they have; none when it is the planned one.
    pub held: Option<Held>,
}

/// Chooses. A set that never ran, or runs the planned image already, has nothing to lose.
pub fn choose(plan: &Plan, snapshot: &Snapshot) -> Choice {
    let wanted = &plan.mongodb.image;
    let facts = &snapshot.mongodb_facts;
    let Some(live) = live_image(plan, snapshot).filter(|live| live != wanted) else {
        return Choice { image: wanted.clone(), held: None };
    };
    let mut versions = facts.known_versions();
    if versions.is_empty() {
        if !facts.remembered.initiated {
            return Choice { image: wanted.clone(), held: None };
        }
        versions.extend(Version::of_image(&live).map(|version| ("the set".to_owned(), version)));
    }
    let running = Running { versions: &versions, feature: facts.known_feature() };
    let verdict = match plan.mongodb.requests.version {
        Some(version) => may_follow(version, running),
        None => Err(Held {
            message: "its tag is no MongoDB version: set spec.mongodb.version to the one it holds".to_owned(),
            passes: false,
        }),
    };
    match verdict {
        Ok(()) => Choice { image: wanted.clone(), held: None },
        Err(Held { message, passes }) => {
            let message = format!("the members keep image {live} and do not take {wanted}: {message}");
            Choice { image: live, held: Some(Held { message, passes }) }
        }
    }
}

/// Image of the StatefulSet; while that is made anew, of a pod it left behind.
fn live_image(plan: &Plan, snapshot: &Snapshot) -> Option<String> {
    let children = &snapshot.children;
    let set = find(&children.stateful_sets, &plan.identity.tier(Tier::MongoDb));
    let of_set = set.and_then(|set| image(set.spec.as_ref()?.template.spec.as_ref()?));
    of_set.or_else(|| children.pods_of(Tier::MongoDb).find_map(|pod| image(pod.spec.as_ref()?)))
}

fn image(pod: &PodSpec) -> Option<String> {
    pod.containers.iter().find(|container| container.name == CONTAINER)?.image.clone()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use super::*;
    use crate::mongo::Facts;
    use crate::mongo::facts::Remembered;
    use crate::mongo::version::{Feature, Series};
    use crate::settings::Settings;
    use crate::snapshot::{Children, ServedKinds};

    fn planned(image: &str) -> Plan {
        let spec = json!({
            "capacity": {"users": 100}, "api": {"image": "backend:1"}, "mongodb": {"image": image},
        });
        let metadata = json!({"name": "shop", "namespace": "shop"});
        let object = json!({
            "apiVersion": "eaiser.io/v1alpha1", "kind": "EaiserCluster", "metadata": metadata, "spec": spec,
        });
        crate::manifest::plan(&object, &Settings::default()).unwrap()
    }

    fn facts(version: &str, feature: &str) -> Facts {
        let versions = (0..3).map(|pod| (format!("shop-mongodb-{pod}"), Version::parse(version).unwrap()));
        let feature = Series::parse(feature).map(|version| Feature { version, target: None });
        let remembered = Remembered { initiated: true, ..Remembered::default() };
        Facts { versions: versions.collect(), feature, remembered, ..Facts::default() }
    }

    /// A StatefulSet with this image.
    fn seen(image: &str, facts: Facts) -> Snapshot {
        let set = json!({
            "metadata": {"name": "shop-mongodb"},
            "spec": {"selector": {}, "serviceName": "", "template": {"spec": {"containers": [
                {"name": "mongodb", "image": image},
            ]}}},
        });
        let children = Children {
            stateful_sets: vec![Arc::new(serde_json::from_value(set).unwrap())],
            ..Children::default()
        };
        Snapshot { children, mongodb_facts: facts, ..Snapshot::offline(ServedKinds::default()) }
    }

    #[test]
    fn a_new_cluster_takes_any_image() {
        let choice = choose(&planned("own/mongod:latest"), &Snapshot::offline(ServedKinds::default()));
        assert_eq!(choice, Choice { image: "own/mongod:latest".to_owned(), held: None });
    }

    #[test]
    fn the_next_version_is_taken() {
        let choice = choose(&planned("mongo:8.0.4"), &seen("mongo:7.0.14", facts("7.0.14", "7.0")));
        assert_eq!(choice, Choice { image: "mongo:8.0.4".to_owned(), held: None });
    }

    #[test]
    fn a_skipped_version_leaves_the_running_image_and_says_why() {
        let choice = choose(&planned("mongo:8.0.4"), &seen("mongo:6.0.1", facts("6.0.1", "6.0")));
        assert_eq!(choice.image, "mongo:6.0.1");
        let held = choice.held.unwrap();
        assert!(!held.passes);
        assert!(
            held.message.starts_with("the members keep image mongo:6.0.1 and do not take mongo:8.0.4: "),
            "{held:?}"
        );
        assert!(held.message.contains("go through 7.0"), "{held:?}");
    }

    #[test]
    fn an_image_of_an_unknown_version_is_not_guessed_at() {
        let choice = choose(&planned("own/mongod:latest"), &seen("mongo:7.0.14", facts("7.0.14", "7.0")));
        assert_eq!(choice.image, "mongo:7.0.14");
        assert!(choice.held.unwrap().message.contains("set spec.mongodb.version"));
    }

    #[test]
    fn an_image_that_never_ran_may_be_corrected() {
        let choice = choose(&planned("mongo:7.0.14"), &seen("mongo:none", Facts::default()));
        assert_eq!(choice, Choice { image: "mongo:7.0.14".to_owned(), held: None });
    }

    #[test]
    fn a_set_that_does_not_answer_is_judged_by_what_it_ran_before() {
        let remembered = Remembered {
            initiated: true,
            version: Version::parse("6.0.1"),
            feature: Series::parse("6.0").map(|version| Feature { version, target: None }),
        };
        let silent = Facts::default().remembering(remembered);
        assert!(choose(&planned("mongo:8.0.4"), &seen("mongo:7.0.1", silent.clone())).held.is_some());
        assert!(choose(&planned("mongo:6.0.2"), &seen("mongo:7.0.1", silent)).held.is_none());
    }

    #[test]
    fn a_set_that_nothing_is_known_of_waits() {
        let remembered = Remembered { initiated: true, ..Remembered::default() };
        let silent = Facts::default().remembering(remembered);
        let held = choose(&planned("mongo:8.0.4"), &seen("own/mongod:x", silent)).held.unwrap();
        assert!(held.passes, "{held:?}");
    }
}
