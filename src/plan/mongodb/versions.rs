//! Which MongoDB an image holds, by its tag or by the spec. Pure.

use crate::crd::MongoDbSpec;
use crate::mongo::version::{OLDEST, Series, Version};
use crate::plan::Problem;

/// The version of `image`; none where neither its tag nor the spec tells.
pub(super) fn of_image(spec: &MongoDbSpec, image: &str, problems: &mut Vec<Problem>) -> Option<Version> {
    let said = spec.version.as_deref().and_then(Version::parse);
    let tagged = Version::of_image(image);
    // A tag that is too old to be MongoDB's may count something else, and the spec knows better.
    let tagged = tagged.filter(|tagged| tagged.series >= OLDEST || said.is_none());
    if let (Some(said), Some(tagged)) = (said, tagged)
        && !agree(said, tagged)
    {
        problems.push(Problem::new(
            "spec.mongodb.version",
            format!("is {said}, but the tag of image {image} says {tagged}: correct one of them, or leave the version out"),
        ));
    }
    let version = tagged.or(said)?;
    if version.series < OLDEST {
        let field = if tagged.is_some() { "spec.mongodb.image" } else { "spec.mongodb.version" };
        problems.push(Problem::new(
            field,
            format!("MongoDB {version} is older than {OLDEST}, the oldest that is supported: use {OLDEST} or newer; where a tag counts something else, set spec.mongodb.version"),
        ));
    }
    Some(version)
}

/// Equal as far as both tell.
fn agree(one: Version, other: Version) -> bool {
    let patches = one.patch.zip(other.patch);
    one.series == other.series && patches.is_none_or(|(one, other)| one == other)
}

/// The feature compatibility version that is asked for.
pub(super) fn feature(spec: &MongoDbSpec, problems: &mut Vec<Problem>) -> Option<Series> {
    let asked = spec.feature_compatibility_version.as_deref()?;
    let series = Series::parse(asked);
    if series.is_none_or(|series| series < OLDEST || (series.major == OLDEST.major && series != OLDEST)) {
        problems.push(Problem::new(
            "spec.mongodb.featureCompatibilityVersion",
            format!("{asked} is no feature compatibility version that is supported: use that of a MongoDB release from {OLDEST} on, for example 7.0"),
        ));
    }
    series
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn planned(spec: Value, image: &str) -> (Option<String>, Vec<String>) {
        let spec: MongoDbSpec = serde_json::from_value(spec).unwrap();
        let mut problems = Vec::new();
        let version = of_image(&spec, image, &mut problems);
        feature(&spec, &mut problems);
        (version.map(|version| version.to_string()), problems.iter().map(ToString::to_string).collect())
    }

    fn version(spec: Value, image: &str) -> Option<String> {
        let (version, problems) = planned(spec, image);
        assert_eq!(problems, Vec::<String>::new());
        version
    }

    fn problem(spec: Value, image: &str) -> String {
        let (_, problems) = planned(spec, image);
        assert_eq!(problems.len(), 1, "{problems:?}");
        problems[0].clone()
    }

    #[test]
    fn the_tag_tells_and_else_the_spec_does() {
        assert_eq!(version(json!({}), "mongo:8.0.4").as_deref(), Some("8.0.4"));
        assert_eq!(version(json!({"version": "7.0"}), "own/mongod:latest").as_deref(), Some("7.0"));
        assert_eq!(version(json!({"version": "8.0"}), "mongo:8.0.4").as_deref(), Some("8.0.4"));
        assert_eq!(version(json!({"version": "7.0"}), "own/mongod:3.1.2").as_deref(), Some("7.0"));
        assert_eq!(version(json!({}), "own/mongod@sha256:01"), None);
    }

    #[test]
    fn a_tag_and_a_spec_that_disagree_are_a_problem_that_names_both() {
        for (said, image) in [("7.0", "mongo:8.0.4"), ("8.0.3", "mongo:8.0.4")] {
            let problem = problem(json!({"version": said}), image);
            assert!(problem.starts_with("spec.mongodb.version: is "), "{problem}");
            assert!(problem.contains(said) && problem.contains("says 8.0.4"), "{problem}");
        }
    }

    #[test]
    fn a_version_that_is_too_old_is_a_problem_of_the_field_that_says_so() {
        assert!(
            problem(json!({}), "mongo:4.2.1")
                .starts_with("spec.mongodb.image: MongoDB 4.2.1 is older than 4.4")
        );
        assert!(
            problem(json!({"version": "4.2"}), "own:latest").starts_with("spec.mongodb.version: MongoDB 4.2")
        );
    }

    #[test]
    fn an_unknown_feature_compatibility_version_is_a_problem() {
        for asked in ["3.6", "4.2", "4.7", "banana"] {
            let problem = problem(json!({"featureCompatibilityVersion": asked}), "mongo:8.0");
            assert!(problem.starts_with("spec.mongodb.featureCompatibilityVersion: "), "{problem}");
            assert!(problem.contains(asked), "{problem}");
        }
    }
}
