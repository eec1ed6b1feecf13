//! What is begun, and what is said of what is not.

use std::collections::BTreeMap;

use mongodb::bson::doc;

use super::*;
use crate::mongo::facts::Work;
use crate::mongo::indexes::{Key, Listed, Namespace, Order};
use crate::mongo::version::Feature as Known;

fn users() -> Namespace {
    Namespace { database: "shop".into(), collection: "users".into() }
}

fn index(field: &str) -> Index {
    Index {
        collection: users(),
        name: format!("{field}_1"),
        keys: vec![Key { field: field.into(), order: Order::Ascending }],
        unique: false,
        sparse: false,
        expire_after_seconds: None,
    }
}

fn wants(fields: &[&str]) -> Requests {
    Requests { indexes: fields.iter().map(|field| index(field)).collect(), ..Requests::default() }
}

/// The collection has indexes on these fields.
fn has(fields: &[&str]) -> Facts {
    let listed = fields.iter().map(|field| {
        Listed::parse(&doc! { "v": 2, "key": { *field: 1 }, "name": format!("{field}_1") }).unwrap()
    });
    Facts { collections: BTreeMap::from([(users(), Ok(listed.collect()))]), ..Facts::default() }
}

fn told(upkeep: &Upkeep) -> Vec<String> {
    let line = |index: &IndexState| format!("{} {} {}", index.name, index.state.as_str(), index.message);
    upkeep.indexes.iter().map(|index| line(index).trim_end().to_owned()).collect()
}

fn failing(field: &str, due: bool) -> Work {
    let failed = Failed { message: "DuplicateKey (11000)".into(), due };
    Work { failed: [(Task::BuildIndex(index(field)).key(), failed)].into(), ..Work::default() }
}

#[test]
fn one_missing_index_is_built_at_a_time_in_the_order_declared() {
    let upkeep = next(&wants(&["a", "b", "c"]), &has(&["a"]), None);
    assert_eq!(upkeep.task, Some(Task::BuildIndex(index("b"))));
    assert_eq!(told(&upkeep), ["a_1 Ready", "b_1 Building", "c_1 Waiting another task comes first"]);
    assert!(upkeep.busy);
}

#[test]
fn nothing_is_begun_while_a_build_goes_on() {
    let work = Work { running: Some(Task::BuildIndex(index("a")).key()), ..Work::default() };
    let upkeep = next(&wants(&["a", "b"]), &Facts { work, ..has(&[]) }, None);
    assert_eq!((upkeep.task.as_ref(), upkeep.busy), (None, true));
    assert_eq!(told(&upkeep), ["a_1 Building", "b_1 Waiting another task is under way"]);
}

#[test]
fn nothing_is_begun_on_a_set_that_is_not_settled() {
    let upkeep = next(&wants(&["a"]), &has(&[]), Some("db-1 is UNREACHABLE"));
    assert_eq!((upkeep.task.as_ref(), upkeep.busy), (None, false));
    assert_eq!(told(&upkeep), ["a_1 Waiting db-1 is UNREACHABLE"]);
}

#[test]
fn nothing_is_begun_on_a_collection_that_nothing_is_known_of() {
    let upkeep = next(&wants(&["a"]), &Facts::default(), None);
    assert_eq!(
        (upkeep.task.as_ref(), told(&upkeep)),
        (None, vec!["a_1 Waiting no primary was asked about it yet".to_owned()])
    );
}

#[test]
fn a_collection_that_can_have_no_index_is_told_in_the_servers_words() {
    let collections = BTreeMap::from([(users(), Err("CommandNotSupportedOnView (166)".to_owned()))]);
    let upkeep = next(&wants(&["a"]), &Facts { collections, ..Facts::default() }, None);
    assert_eq!(told(&upkeep), ["a_1 Failed CommandNotSupportedOnView (166)"]);
    assert_eq!(upkeep.task, None);
}

#[test]
fn a_failed_build_lets_the_next_one_begin_and_is_tried_again_when_due() {
    let requests = wants(&["a", "b"]);
    let upkeep = next(&requests, &Facts { work: failing("a", false), ..has(&[]) }, None);
    assert_eq!(upkeep.task, Some(Task::BuildIndex(index("b"))));
    assert_eq!(told(&upkeep), ["a_1 Failed DuplicateKey (11000)", "b_1 Building"]);

    let upkeep = next(&requests, &Facts { work: failing("a", true), ..has(&[]) }, None);
    assert_eq!(upkeep.task, Some(Task::BuildIndex(index("a"))));
    assert_eq!(told(&upkeep)[0], "a_1 Failed DuplicateKey (11000)", "told until it is there");
}

#[test]
fn a_failure_that_waits_for_its_turn_leaves_the_set_settled() {
    let upkeep = next(&wants(&["a"]), &Facts { work: failing("a", false), ..has(&[]) }, None);
    assert!(!upkeep.busy);
}

#[test]
fn an_index_in_the_way_is_no_task() {
    let unique = Index { unique: true, ..index("a") };
    let requests = Requests { indexes: vec![unique], ..Requests::default() };
    let upkeep = next(&requests, &has(&["a"]), None);
    assert_eq!((upkeep.task.as_ref(), upkeep.busy), (None, false));
    assert!(told(&upkeep)[0].starts_with("a_1 Failed an index of this name exists with unique false"));
}

mod feature_version {
    use super::*;

    fn series(text: &str) -> Series {
        Series::parse(text).unwrap()
    }

    /// Three members of this version, data of that one.
    fn runs(versions: [&str; 3], feature: &str) -> Facts {
        let versions = versions.iter().enumerate();
        Facts {
            versions: versions
                .map(|(pod, text)| (format!("db-{pod}"), Version::parse(text).unwrap()))
                .collect(),
            feature: Some(Known { version: series(feature), target: None }),
            ..Facts::default()
        }
    }

    fn asks(text: &str) -> Requests {
        Requests { feature: Some(series(text)), ..Requests::default() }
    }

    fn refusal(asked: &str, facts: &Facts) -> String {
        let upkeep = next(&asks(asked), facts, None);
        assert_eq!(upkeep.task, None);
        upkeep.feature_refused.unwrap()
    }

    #[test]
    fn is_left_alone_when_nobody_asks() {
        assert_eq!(next(&Requests::default(), &runs(["7.0.1"; 3], "6.0"), None), Upkeep::default());
    }

    #[test]
    fn is_raised_when_asked_and_every_member_runs_it() {
        let upkeep = next(&asks("6.0"), &runs(["6.0.9"; 3], "5.0"), None);
        let task = upkeep.task.unwrap();
        assert_eq!(task, Task::SetFeatureVersion { version: series("6.0"), confirm: false });
        let command = doc! { "setFeatureCompatibilityVersion": "6.0", "writeConcern": { "w": "majority" } };
        assert_eq!(task.command(), ("admin", command));
    }

    #[test]
    fn is_confirmed_from_7_0_on_which_older_versions_would_not_understand() {
        let upkeep = next(&asks("7.0"), &runs(["7.0.1"; 3], "6.0"), None);
        let (_, command) = upkeep.task.as_ref().unwrap().command();
        assert!(command.get_bool("confirm").unwrap());
    }

    #[test]
    fn is_done_when_it_is_there_and_goes_on_when_it_is_half_way() {
        assert_eq!(next(&asks("7.0"), &runs(["7.0.1"; 3], "7.0"), None), Upkeep::default());
        let half = Known { version: series("6.0"), target: Some(series("7.0")) };
        let facts = Facts { feature: Some(half), ..runs(["7.0.1"; 3], "6.0") };
        assert!(next(&asks("7.0"), &facts, None).task.is_some());
    }

    #[test]
    fn is_never_lowered() {
        let why = refusal("6.0", &runs(["7.0.1"; 3], "7.0"));
        assert!(why.starts_with("it is 7.0 and 6.0 is lower: it is never lowered from the spec"), "{why}");
    }

    #[test]
    fn above_a_members_binary_is_refused_with_the_member_and_the_way() {
        let why = refusal("8.0", &runs(["8.0.4", "7.0.1", "8.0.4"], "7.0"));
        assert!(why.starts_with("db-1 runs 7.0.1, which does not know 8.0"), "{why}");
        assert!(why.contains("set spec.mongodb.image to an image of 8.0 first"), "{why}");
    }

    #[test]
    fn waits_for_members_that_are_on_their_way_to_it() {
        let requests = Requests { version: Version::parse("8.0.4"), ..asks("8.0") };
        let upkeep = next(&requests, &runs(["8.0.4", "7.0.1", "7.0.1"], "7.0"), Some("rolling"));
        assert_eq!((upkeep.task, upkeep.feature_refused), (None, None));
    }

    #[test]
    fn waits_for_a_primary_that_tells_it() {
        let facts = Facts { feature: None, ..runs(["7.0.1"; 3], "6.0") };
        assert_eq!(next(&asks("7.0"), &facts, None), Upkeep::default());
    }

    #[test]
    fn that_the_server_refused_is_told_and_comes_before_the_indexes() {
        let task = Task::SetFeatureVersion { version: series("7.0"), confirm: true };
        let failed = Failed { message: "BadValue (2): no".into(), due: false };
        let work = Work { failed: [(task.key(), failed)].into(), ..Work::default() };
        let upkeep = next(&asks("7.0"), &Facts { work, ..runs(["7.0.1"; 3], "6.0") }, None);
        assert_eq!(upkeep.feature_refused.unwrap(), "7.0 could not be set: BadValue (2): no");
        let requests = Requests { indexes: vec![index("a")], ..asks("7.0") };
        let facts = Facts { collections: has(&[]).collections, ..runs(["7.0.1"; 3], "6.0") };
        assert!(matches!(next(&requests, &facts, None).task, Some(Task::SetFeatureVersion { .. })));
    }
}
