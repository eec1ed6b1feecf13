//! Declared indexes with their defaults, and what is wrong with them together. Pure.

use crate::crd::IndexSpec;
use crate::mongo::indexes::{Index, Key, Namespace, default_name};
use crate::names::{APPLICATION_DATABASE, truncate};
use crate::plan::Problem;

/// Longest name that every supported version takes.
const LONGEST_NAME: usize = 127;

/// Plans the indexes.
pub(super) fn plan(specs: &[IndexSpec], problems: &mut Vec<Problem>) -> Vec<Index> {
    let indexes: Vec<Index> = specs.iter().map(index).collect();
    for (position, index) in indexes.iter().enumerate() {
        let field = format!("spec.mongodb.indexes[{position}]");
        if index.name.len() > LONGEST_NAME {
            let short = truncate(&index.name, 40);
            problems.push(Problem::new(
                format!("{field}.name"),
                format!("the name that follows from the keys, {short}, is longer than {LONGEST_NAME} bytes: give a shorter one"),
            ));
        }
        if let Some(why) =
            indexes[..position].iter().enumerate().find_map(|(first, other)| clash(index, first, other))
        {
            problems.push(Problem::new(field, why));
        }
    }
    indexes
}

fn index(spec: &IndexSpec) -> Index {
    let key = |key: &crate::crd::IndexKey| Key { field: key.field.clone(), order: key.order.into() };
    let keys: Vec<Key> = spec.keys.iter().map(key).collect();
    Index {
        collection: Namespace {
            database: spec.database.clone().unwrap_or_else(|| APPLICATION_DATABASE.to_owned()),
            collection: spec.collection.clone(),
        },
        name: spec.name.clone().unwrap_or_else(|| default_name(&keys)),
        keys,
        unique: spec.unique,
        sparse: spec.sparse,
        expire_after_seconds: spec.expire_after_seconds,
    }
}

/// Why an index cannot be there beside one declared before it.
fn clash(index: &Index, first: usize, other: &Index) -> Option<String> {
    if index.collection != other.collection {
        return None;
    }
    let before = format!("spec.mongodb.indexes[{first}]");
    if index == other {
        return Some(format!("says the same as {before}: declare it once"));
    }
    if index.name == other.name {
        return Some(format!(
            "declares index {} of {} a second time, with other keys or options than {before}: declare it once, or give one of them another name",
            index.name, index.collection
        ));
    }
    (index.keys == other.keys).then(|| {
        format!("has the same keys as {before}, of which a collection can have one index: declare it once")
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn planned(specs: Value) -> (Vec<Index>, Vec<String>) {
        let specs: Vec<IndexSpec> = serde_json::from_value(specs).unwrap();
        let mut problems = Vec::new();
        let indexes = plan(&specs, &mut problems);
        (indexes, problems.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn an_index_gets_the_applications_database_and_a_drivers_name() {
        let (indexes, problems) = planned(json!([
            {"collection": "users", "keys": [{"field": "email"}, {"field": "created", "order": -1}]},
        ]));
        assert_eq!(problems, Vec::<String>::new());
        assert_eq!(indexes[0].collection.to_string(), "eaiser.users");
        assert_eq!(indexes[0].name, "email_1_created_-1");
    }

    #[test]
    fn an_index_declared_twice_with_different_options_is_a_problem_that_names_both() {
        let (_, problems) = planned(json!([
            {"collection": "users", "keys": [{"field": "email"}]},
            {"collection": "users", "keys": [{"field": "email"}], "unique": true},
        ]));
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert!(
            problems[0]
                .starts_with("spec.mongodb.indexes[1]: declares index email_1 of eaiser.users a second time"),
            "{problems:?}"
        );
        assert!(problems[0].contains("than spec.mongodb.indexes[0]"), "{problems:?}");
    }

    #[test]
    fn an_index_declared_twice_alike_or_under_two_names_is_a_problem() {
        let (_, problems) = planned(json!([
            {"collection": "users", "keys": [{"field": "email"}]},
            {"collection": "users", "keys": [{"field": "email"}]},
            {"collection": "users", "keys": [{"field": "email"}], "name": "mail"},
        ]));
        assert!(problems[0].contains("indexes[1]: says the same as spec.mongodb.indexes[0]"), "{problems:?}");
        assert!(
            problems[1].contains("indexes[2]: has the same keys as spec.mongodb.indexes[0]"),
            "{problems:?}"
        );
    }

    #[test]
    fn the_same_index_of_two_collections_is_fine() {
        let (_, problems) = planned(json!([
            {"collection": "users", "keys": [{"field": "email"}]},
            {"collection": "people", "keys": [{"field": "email"}]},
            {"collection": "users", "database": "archive", "keys": [{"field": "email"}]},
        ]));
        assert_eq!(problems, Vec::<String>::new());
    }

    #[test]
    fn a_name_that_grows_too_long_is_a_problem() {
        let field = |n: usize| json!({"field": format!("{n}{}", "x".repeat(60))});
        let (_, problems) = planned(json!([{"collection": "users", "keys": [field(1), field(2), field(3)]}]));
        assert!(
            problems[0].starts_with("spec.mongodb.indexes[0].name: the name that follows"),
            "{problems:?}"
        );
    }
}
