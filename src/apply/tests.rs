//! What a pass decides to write, without a server.

use std::sync::Arc;
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::ObjectMeta;

use super::*;

fn config_map(value: &str) -> ConfigMap {
    ConfigMap {
        metadata: ObjectMeta { name: Some("eaiser-rules".to_owned()), ..ObjectMeta::default() },
        data: Some([("key".to_owned(), value.to_owned())].into()),
        ..ConfigMap::default()
    }
}

fn at_version(mut object: ConfigMap, version: &str) -> Arc<ConfigMap> {
    object.metadata.resource_version = Some(version.to_owned());
    Arc::new(object)
}

#[test]
fn the_digest_follows_the_content_and_nothing_else() {
    let digest = |value: &str| Child::new(&config_map(value), &[]).digest;
    assert_eq!(digest("a"), digest("a"));
    assert_ne!(digest("a"), digest("b"));
}

#[test]
fn a_write_the_watch_has_not_shown_yet_is_not_repeated() {
    let (memory, now) = (Memory::default(), Instant::now());
    let child = Child::new(&config_map("a"), &[]);
    memory.wrote(&child, Some("5".to_owned()), now);
    assert!(memory.is_on_its_way(&child, now + Duration::from_secs(1)));
    assert!(!memory.is_on_its_way(&child, now + Duration::from_secs(60)), "not trusted for ever");
}

#[test]
fn an_object_that_vanished_after_the_watch_showed_it_is_written_again() {
    let (memory, now) = (Memory::default(), Instant::now());
    let missing = Child::new(&config_map("a"), &[]);
    memory.wrote(&missing, Some("5".to_owned()), now);
    let shown = Child::new(&config_map("a"), &[at_version(config_map("a"), "5")]);
    assert!(!memory.is_on_its_way(&shown, now));
    assert!(memory.is_untouched(&shown));
    assert!(!memory.is_on_its_way(&missing, now), "the watch had caught up, so it was deleted since");
}

#[test]
fn an_edit_on_top_of_our_write_is_repaired_although_our_version_was_never_looked_at() {
    let (memory, now) = (Memory::default(), Instant::now());
    let shown = |version| Child::new(&config_map("a"), &[at_version(config_map("edited"), version)]);
    memory.wrote(&shown("9"), Some("10".to_owned()), now);
    assert!(memory.is_on_its_way(&shown("9"), now), "the watch is behind");
    assert!(!memory.is_on_its_way(&shown("11"), now), "the watch is ahead");
}

#[test]
fn a_new_rendering_is_written_although_the_last_write_is_still_on_its_way() {
    let (memory, now) = (Memory::default(), Instant::now());
    memory.wrote(&Child::new(&config_map("a"), &[]), Some("5".to_owned()), now);
    assert!(!memory.is_on_its_way(&Child::new(&config_map("b"), &[]), now));
}

#[test]
fn an_object_found_as_rendered_is_compared_again_only_in_another_version() {
    let (memory, now) = (Memory::default(), Instant::now());
    let shown = |version| Child::new(&config_map("a"), &[at_version(config_map("a"), version)]);
    memory.found_as_rendered(&shown("5"), now);
    assert!(memory.is_untouched(&shown("5")));
    assert!(!memory.is_untouched(&shown("6")), "somebody wrote it since");
    assert!(!memory.is_on_its_way(&Child::new(&config_map("a"), &[]), now), "a deleted object is missed");
}
