//! What the status says of versions and indexes. Pure.

use super::Pass;
use super::condition::{Verdict, reason};
use crate::crd::{EaiserClusterStatus, MongoDbIndexStatus, MongoDbStatus};
use crate::desired::mongodb::image;
use crate::mongo::facts::Remembered;
use crate::mongo::upkeep::{IndexState, State};
use crate::mongo::version::{Feature, Series, Version};

/// What an earlier status knew, for a pass in which no member answers.
pub fn remembered(previous: Option<&EaiserClusterStatus>) -> Remembered {
    let Some(mongodb) = previous.and_then(|status| status.mongodb.as_ref()) else {
        return Remembered::default();
    };
    let feature = mongodb.feature_compatibility_version.as_deref().and_then(Series::parse);
    Remembered {
        initiated: mongodb.initiated,
        version: mongodb.version.as_deref().and_then(Version::parse),
        feature: feature.map(|version| Feature { version, target: None }),
    }
}

/// Versions and indexes; the rest is another's.
pub(super) fn numbers(pass: &Pass<'_>) -> MongoDbStatus {
    let facts = &pass.snapshot.mongodb_facts;
    let lowest = facts.known_versions().into_iter().map(|(_, version)| version).min();
    let index = |index: &IndexState| MongoDbIndexStatus {
        name: index.name.clone(),
        collection: index.collection.clone(),
        state: index.state.as_str().to_owned(),
        message: index.message.clone(),
    };
    MongoDbStatus {
        version: lowest.map(|version| version.to_string()),
        feature_compatibility_version: facts.known_feature().map(|feature| feature.version.to_string()),
        indexes: pass.driven.upkeep.indexes.iter().map(index).collect(),
        ..MongoDbStatus::default()
    }
}

/// A replica set that is otherwise as specified is not while a version of the spec is refused.
pub(super) fn or_refused(pass: &Pass<'_>, verdict: Verdict) -> Verdict {
    if !verdict.holds {
        return verdict;
    }
    if let Some(held) = image::choose(pass.plan, pass.snapshot).held {
        return if held.passes {
            Verdict::off(reason::WAITING, format!("MongoDB: {}", held.message))
        } else {
            Verdict::failing(reason::VERSION_REFUSED, held.message)
        };
    }
    match &pass.driven.upkeep.feature_refused {
        Some(why) => Verdict::failing(reason::VERSION_REFUSED, format!("featureCompatibilityVersion: {why}")),
        None => verdict,
    }
}

/// The `IndexesReady` condition; none when the spec declares no index.
pub(super) fn indexes(pass: &Pass<'_>) -> Option<Verdict> {
    verdict(&pass.driven.upkeep.indexes)
}

fn verdict(indexes: &[IndexState]) -> Option<Verdict> {
    let count = indexes.len();
    let ready = indexes.iter().filter(|index| index.state == State::Ready).count();
    let of = |state: State| indexes.iter().find(|index| index.state == state);
    let told = |index: &IndexState| format!("{} of {}: {}", index.name, index.collection, index.message);
    if count == 0 {
        return None;
    }
    if let Some(failed) = of(State::Failed) {
        let others = indexes.iter().filter(|index| index.state == State::Failed).count() - 1;
        let others = if others == 0 { String::new() } else { format!("; {others} more cannot be built") };
        let message = format!("index {}{others}; {ready} of {count} are ready", told(failed));
        return Some(Verdict::failing(reason::INDEX_FAILED, message));
    }
    if let Some(building) = of(State::Building) {
        let message = format!(
            "index {} of {} is being built; {ready} of {count} are ready",
            building.name, building.collection
        );
        return Some(Verdict::off(reason::INDEX_BUILDING, message));
    }
    if let Some(waiting) = of(State::Waiting) {
        let message = format!("index {}; {ready} of {count} are ready", told(waiting));
        return Some(Verdict::off(reason::WAITING, message));
    }
    Some(Verdict::on(reason::INDEXES_BUILT, format!("all {count} declared indexes are there")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index(name: &str, state: State, message: &str) -> IndexState {
        IndexState { name: name.into(), collection: "shop.users".into(), state, message: message.into() }
    }

    #[test]
    fn a_cluster_that_declares_no_index_says_nothing_of_them() {
        assert_eq!(verdict(&[]), None);
    }

    #[test]
    fn an_index_that_cannot_be_built_is_told_before_those_under_way() {
        let verdict = verdict(&[
            index("a_1", State::Ready, ""),
            index("b_1", State::Building, ""),
            index("c_1", State::Failed, "DuplicateKey (11000): E11000"),
        ]);
        let verdict = verdict.unwrap();
        assert!(verdict.failing);
        assert_eq!(
            (verdict.reason, verdict.message.as_str()),
            (reason::INDEX_FAILED, "index c_1 of shop.users: DuplicateKey (11000): E11000; 1 of 3 are ready")
        );
    }

    #[test]
    fn an_index_under_way_is_no_failure() {
        let verdict = verdict(&[index("a_1", State::Building, ""), index("b_1", State::Waiting, "later")]);
        let verdict = verdict.unwrap();
        assert_eq!((verdict.holds, verdict.failing, verdict.reason), (false, false, reason::INDEX_BUILDING));
    }

    #[test]
    fn when_all_are_there_the_condition_holds() {
        let verdict = verdict(&[index("a_1", State::Ready, "")]).unwrap();
        assert_eq!((verdict.holds, verdict.message.as_str()), (true, "all 1 declared indexes are there"));
    }

    #[test]
    fn a_status_is_remembered_as_far_as_it_tells() {
        let mongodb = MongoDbStatus {
            initiated: true,
            version: Some("7.0.14".into()),
            feature_compatibility_version: Some("7.0".into()),
            ..MongoDbStatus::default()
        };
        let status = EaiserClusterStatus { mongodb: Some(mongodb), ..EaiserClusterStatus::default() };
        let remembered = remembered(Some(&status));
        assert!(remembered.initiated);
        assert_eq!(remembered.version.unwrap().to_string(), "7.0.14");
        assert_eq!(remembered.feature.unwrap().version.to_string(), "7.0");
        assert_eq!(super::remembered(None), Remembered::default());
    }
}
