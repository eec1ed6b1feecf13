//! Versions and what may follow them.

use super::*;

fn version(text: &str) -> Version {
    Version::parse(text).unwrap()
}

fn feature(text: &str) -> Feature {
    Feature { version: Series::parse(text).unwrap(), target: None }
}

/// Members run `running`, the set's feature compatibility version is `feature`.
fn verdict(running: &[&str], feature_version: &str, wanted: &str) -> Result<(), Held> {
    let versions: Vec<_> =
        running.iter().enumerate().map(|(pod, text)| (format!("db-{pod}"), version(text))).collect();
    let feature = (!feature_version.is_empty()).then(|| feature(feature_version));
    may_follow(version(wanted), Running { versions: &versions, feature })
}

fn refusal(running: &[&str], feature_version: &str, wanted: &str) -> String {
    let held = verdict(running, feature_version, wanted).unwrap_err();
    assert!(!held.passes, "{held:?}");
    held.message
}

#[test]
fn versions_are_read_as_people_and_servers_write_them() {
    assert_eq!(version("7.0").to_string(), "7.0");
    assert_eq!(version("4.4.29").to_string(), "4.4.29");
    assert_eq!(version("8.0.0-rc1").series, Series { major: 8, minor: 0 });
}

#[test]
fn what_is_no_version_is_none() {
    for text in ["", "7", "latest", "7.", ".7", "7.x", "7.0.1.2", "+7.0", "7.0.x", "99999.0"] {
        assert_eq!(Version::parse(text), None, "{text}");
    }
    assert_eq!(Series::parse("7.0.1"), None);
}

#[test]
fn the_version_of_an_image_is_its_tag() {
    for (image, expected) in [
        ("mongo:8.0", "8.0"),
        ("docker.io/library/mongo:7.0.14-jammy", "7.0.14"),
        ("registry.example.com:5000/mongo:v6.0.2", "6.0.2"),
        ("mongo:5.0.3@sha256:0123", "5.0.3"),
    ] {
        assert_eq!(Version::of_image(image).unwrap().to_string(), expected, "{image}");
    }
}

#[test]
fn an_image_without_a_tag_that_is_mongodbs_tells_nothing() {
    for image in ["mongo", "mongo:latest", "mongo:8", "mongo@sha256:0123", "registry:5000/mongo", "own:1.4.2"]
    {
        assert_eq!(Version::of_image(image), None, "{image}");
    }
}

#[test]
fn the_next_major_version_follows_when_the_data_is_that_of_the_one_before() {
    for (running, feature, wanted) in [
        ("4.4.29", "4.4", "5.0.1"),
        ("5.0.9", "5.0", "6.0"),
        ("7.0.14", "7.0", "8.0.4"),
        ("8.0.4", "8.0", "8.2.1"),
    ] {
        assert_eq!(verdict(&[running; 3], feature, wanted), Ok(()), "{running} to {wanted}");
    }
}

#[test]
fn another_patch_of_the_same_series_follows_whatever_the_data_is() {
    assert_eq!(verdict(&["7.0.14"; 3], "6.0", "7.0.15"), Ok(()));
    assert_eq!(verdict(&["7.0.14"; 3], "", "7.0.2"), Ok(()));
}

#[test]
fn a_skipped_major_version_is_refused_with_the_way() {
    let message = refusal(&["4.4.29"; 3], "4.4", "7.0.1");
    assert_eq!(
        message,
        "db-0 runs 4.4.29 and 7.0 is more than one major version away: go through 5.0 and 6.0, one after the other"
    );
    assert!(refusal(&["8.0.1"; 3], "8.0", "6.0").contains("go through 7.0"));
}

#[test]
fn a_member_left_behind_counts() {
    let message = refusal(&["7.0.1", "7.0.1", "6.0.9"], "6.0", "8.0.1");
    assert!(message.starts_with("db-2 runs 6.0.9 and 8.0"), "{message}");
}

#[test]
fn an_upgrade_waits_for_the_data_to_be_raised_first() {
    let message = refusal(&["6.0.9"; 3], "5.0", "7.0.1");
    assert!(message.contains("is 5.0 and 7.0 would not start"), "{message}");
    assert!(message.contains("featureCompatibilityVersion to 6.0 first"), "{message}");
}

#[test]
fn a_downgrade_below_the_data_is_refused_and_one_above_it_is_not() {
    let message = refusal(&["7.0.1"; 3], "7.0", "6.0.9");
    assert!(message.contains("is 7.0 and 6.0 would not start"), "{message}");
    assert_eq!(verdict(&["7.0.1"; 3], "6.0", "6.0.9"), Ok(()));
}

#[test]
fn an_upgrade_that_began_may_be_taken_back() {
    assert_eq!(verdict(&["7.0.1", "7.0.1", "8.0.4"], "7.0", "7.0.1"), Ok(()));
}

#[test]
fn a_change_of_the_data_under_way_counts_as_both_its_ends() {
    let under_way = Feature { version: Series { major: 6, minor: 0 }, target: Series::parse("7.0") };
    let versions = [("db-0".to_owned(), version("7.0.1"))];
    let running = Running { versions: &versions, feature: Some(under_way) };
    assert!(!may_follow(version("6.0.9"), running).unwrap_err().passes, "it may be 7.0 already");
    assert!(!may_follow(version("8.0.1"), running).unwrap_err().passes, "it may be 6.0 still");
}

#[test]
fn what_nobody_tells_is_waited_for() {
    assert!(verdict(&[], "7.0", "7.0.1").unwrap_err().passes);
    assert!(verdict(&["7.0.1"; 3], "", "8.0.1").unwrap_err().passes);
    assert!(verdict(&["7.0.1"; 3], "", "6.0.1").unwrap_err().passes);
}
